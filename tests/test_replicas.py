"""`deploy/kubernetes` and `deploy/ecs`: several processes that share tables, as Kubernetes and ECS read the files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from typer.main import get_command

from twinrow.app.cli import app
from twinrow.config import parse

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
KUBERNETES, ECS = DEPLOY / "kubernetes", DEPLOY / "ecs" / "template.yaml"
LINT_S_MAX = 120
API = {"ServiceAccount": "v1", "Deployment": "apps/v1", "PodDisruptionBudget": "policy/v1"}


def manifests() -> dict[str, Any]:
    """The resources that the kustomization names, by kind."""
    kustomization = read("kustomization.yaml")
    found = {document["kind"]: document for document in map(read, kustomization["resources"])}
    assert len(found) == len(kustomization["resources"])
    return found


def read(name: str) -> Any:
    return yaml.safe_load((KUBERNETES / name).read_text(encoding="utf-8"))


def options_of_sync() -> set[str]:
    sync = getattr(get_command(app), "commands")["sync"]  # noqa: B009 - click's group is not in typer's types
    return {option for one in (sync, get_command(app)) for parameter in one.params for option in parameter.opts}


def test_the_kustomization_names_every_file_and_what_it_changes_is_there() -> None:
    kustomization, found = read("kustomization.yaml"), manifests()
    (made,) = kustomization["configMapGenerator"]
    files = {"kustomization.yaml", *kustomization["resources"], *made["files"]}
    assert {path.name for path in KUBERNETES.iterdir()} == files
    assert {kind: document["apiVersion"] for kind, document in found.items()} == API
    deployment = found["Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in kustomization["images"]] == [container["image"]]
    assert [one["name"] for one in kustomization["replicas"]] == [deployment["metadata"]["name"]]
    assert kustomization["replicas"][0]["count"] >= 2, "with one process nothing is shared"
    assert parse((KUBERNETES / "twinrow.toml").read_text(encoding="utf-8").replace("${MYSQL_PASSWORD}", "p")).tables


def test_the_pods_are_those_that_the_budget_and_the_deployment_mean() -> None:
    found = manifests()
    deployment, budget = found["Deployment"]["spec"], found["PodDisruptionBudget"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    for selector in (deployment["selector"], budget["selector"]):
        assert selector["matchLabels"].items() <= labels.items()
    assert budget["maxUnavailable"] == 1
    assert deployment["template"]["spec"]["serviceAccountName"] == found["ServiceAccount"]["metadata"]["name"]


def test_a_pod_runs_sync_with_its_configuration_and_its_probes_ask_what_there_is() -> None:
    (container,) = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"]
    program, *words = container["args"]
    assert program == "twinrow"
    assert {word for word in words if word.startswith("-")} <= options_of_sync()
    config = Path(words[words.index("--config") + 1])
    assert str(config.parent) in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert config.name in read("kustomization.yaml")["configMapGenerator"][0]["files"]
    port = int(words[words.index("--metrics") + 1].rpartition(":")[2])
    (named,) = container["ports"]
    assert named["containerPort"] == port
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": named["name"]}
    assert [one["name"] for one in container["env"]] == ["MYSQL_PASSWORD"]
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_cfn_lint_finds_no_fault_in_the_ecs_template() -> None:
    lint = [str(Path(sys.executable).with_name("cfn-lint")), str(ECS)]
    done = subprocess.run(lint, capture_output=True, text=True, timeout=LINT_S_MAX, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_task_starts_sync_itself_with_its_configuration(tmp_path: Path) -> None:
    found = re.search(r"- >-\n((?: {14}.*\n)+)", ECS.read_text(encoding="utf-8"))
    assert found is not None
    line = " ".join(part.strip() for part in found[1].splitlines())
    line = line.replace("/tmp/twinrow.toml", str(tmp_path / "twinrow.toml"))  # noqa: S108
    program = tmp_path / "twinrow"
    program.write_text(f"#!{sys.executable}\nimport json, os, sys\nprint(json.dumps([os.getpid(), sys.argv[1:]]))\n")
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TWINROW_TOML": "[mysql]\n"}
    with subprocess.Popen(["sh", "-c", line], env=environment, stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate(timeout=LINT_S_MAX)
    own, words = json.loads(out)
    assert own == process.pid, "a shell stands between: SIGTERM would not reach Twinrow"
    assert (tmp_path / "twinrow.toml").read_text() == "[mysql]\n"
    assert {word for word in words if word.startswith("-")} <= options_of_sync()

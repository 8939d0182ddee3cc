"""`deploy/terraform` and `deploy/helm`: parsed as what they are, complete in themselves, and true of Twinrow."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from tests.fixtures.chart import ChartError, render
from typer.main import get_command

from twinrow.app.cli import app
from twinrow.app.logs import Log

PROJECT = Path(__file__).resolve().parent.parent
MODULE = PROJECT / "deploy" / "terraform"
CHART = PROJECT / "deploy" / "helm" / "twinrow"
FILES = sorted(MODULE.glob("*.tf"))
TOOL_TIMEOUT_S = 60
CONFIG = '[mysql]\nurl = "mysql://u:${MYSQL_PASSWORD}@h/d"\n'
VALUES: dict[str, Any] = {
    "config": CONFIG, "image": {"repository": "registry/twinrow"}, "mysqlPassword": {"secretName": "mysql"},
}  # fmt: skip


def plain(value: Any) -> Any:
    """What hcl2 gives, without the quotes that it leaves around names and texts."""
    if isinstance(value, dict):
        return {plain(name): plain(one) for name, one in value.items() if not name.startswith("__")}
    if isinstance(value, list):
        return [plain(one) for one in value]
    quoted = isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"'
    return value[1:-1] if quoted else value


def blocks(kind: str) -> Iterator[tuple[str, Any]]:
    """The blocks of a kind: `variable` by name, `resource` and `data` by TYPE.NAME."""
    for path in FILES:
        for block in plain(hcl2.loads(path.read_text(encoding="utf-8"))).get(kind, ()):
            for name, body in block.items():
                if kind in ("resource", "data"):
                    yield from ((f"{name}.{inner}", one) for inner, one in body.items())
                else:
                    yield name, body


def module_text() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in FILES)


def options_of_sync() -> set[str]:
    sync = getattr(get_command(app), "commands")["sync"]  # noqa: B009 - click's group is not in typer's types
    group = get_command(app)
    return {option for one in (sync, group) for parameter in one.params for option in parameter.opts}


def test_the_module_uses_each_variable_that_it_declares_and_no_other() -> None:
    declared = dict(blocks("variable"))
    used = set(re.findall(r"\bvar\.([a-z_]+)", module_text()))
    assert used == declared.keys()
    assert all(one.get("description") and one.get("type") for one in declared.values())


def test_what_the_module_refers_to_is_there() -> None:
    there = {name for name, _ in blocks("resource")} | {f"data.{name}" for name, _ in blocks("data")}
    referred = set(re.findall(r"(?<![\w.\"])((?:data\.)?aws_[a-z_]+\.[a-z_]+)\b", module_text()))
    assert referred
    assert referred <= there
    locals_there = {
        name for path in FILES for one in plain(hcl2.loads(path.read_text())).get("locals", ()) for name in one
    }
    assert set(re.findall(r"\blocal\.([a-z_]+)", module_text())) == locals_there


def test_the_process_gets_the_rights_that_are_given_and_no_other() -> None:
    attached = {name: one for name, one in blocks("resource") if name.startswith("aws_iam_role_policy_attachment.")}
    of_the_task = [one for one in attached.values() if "aws_iam_role.task." in one["role"]]
    assert [one["policy_arn"] for one in of_the_task] == ["${aws_iam_policy.dynamodb[count.index].arn}"]
    policies = [one["policy"] for name, one in blocks("resource") if name.startswith("aws_iam_policy.")]
    assert policies == ["${var.policies[count.index]}"]
    for name, document in blocks("data"):
        for statement in document.get("statement", ()):
            assert not [action for action in statement["actions"] if "*" in action], name
            assert "*" not in statement.get("resources", ()), name


def container() -> str:
    (definition,) = (one for name, one in blocks("resource") if name == "aws_ecs_task_definition.twinrow")
    return str(definition["container_definitions"])


def test_the_password_comes_from_the_secret() -> None:
    assert re.search(r'"MYSQL_PASSWORD"\s*,\s*valueFrom', container())
    environment = re.search(r"environment = \[(.*?)\]", module_text(), re.DOTALL)
    assert environment is not None
    assert "PASSWORD" not in environment[1]


def test_a_task_starts_sync_with_its_configuration_and_gets_the_signals_itself(tmp_path: Path) -> None:
    start = re.search(r'^  start = "(.*)"$', module_text(), re.MULTILINE)
    assert start is not None
    line = json.loads(f'"{start[1]}"').replace("/tmp/twinrow.toml", str(tmp_path / "twinrow.toml"))  # noqa: S108
    program = tmp_path / "twinrow"
    program.write_text('#!/bin/sh\necho "$$"\necho "$@"\n')
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TWINROW_TOML": CONFIG}
    with subprocess.Popen(["sh", "-c", line], env=environment, stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate(timeout=TOOL_TIMEOUT_S)
    own, arguments = out.splitlines()
    assert int(own) == process.pid, "a shell stands between: SIGTERM would not reach Twinrow"
    assert (tmp_path / "twinrow.toml").read_text() == CONFIG
    assert (tmp_path / "twinrow.toml").stat().st_mode & 0o077 == 0
    words = arguments.split()
    assert "sync" in words
    assert {word for word in words if word.startswith("-")} <= options_of_sync()


def test_the_alarms_are_of_what_the_log_says(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(as_json=True, verbose=False)
    log.event("error", "ended", "reviews", "x")
    log.waiting("reviews", "MySQL does not answer")
    log.trouble("reviews", "is behind", ())
    error, *warnings = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    patterns = {name: one["pattern"] for name, one in blocks("resource") if "metric_filter" in name}
    assert f'$.level = \\"{error["level"]}\\"' in patterns["aws_cloudwatch_log_metric_filter.errors"]
    for line in warnings:
        for name in ("level", "event"):
            assert f'$.{name} = \\"{line[name]}\\"' in patterns["aws_cloudwatch_log_metric_filter.warnings"]
    alarms = {name for name, _ in blocks("resource") if name.startswith("aws_cloudwatch_metric_alarm.")}
    assert alarms == {f"aws_cloudwatch_metric_alarm.{one}" for one in ("errors", "warnings", "gone")}


def test_terraform_finds_the_module_in_its_own_form() -> None:
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed; python-hcl2 parsed the module all the same")
    done = subprocess.run(
        [program, "fmt", "-check", "-diff", "-no-color", str(MODULE)], capture_output=True, text=True,
        timeout=TOOL_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def objects(**more: Any) -> dict[str, Any]:
    """The chart's objects by kind."""
    return {one["kind"]: one for one in render(CHART, {**VALUES, **more}, "copies")}


def test_the_chart_makes_a_deployment_that_runs_sync_without_root() -> None:
    made = objects()
    assert set(made) == {"ConfigMap", "Deployment", "ServiceAccount"}
    assert made["ConfigMap"]["data"]["twinrow.toml"] == CONFIG
    pod = made["Deployment"]["spec"]["template"]["spec"]
    (process,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert process["securityContext"]["allowPrivilegeEscalation"] is False
    assert process["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    program, *arguments = process["args"]
    assert program == "twinrow"
    assert "sync" in arguments
    assert {word for word in arguments if word.startswith("-")} <= options_of_sync()
    assert arguments[arguments.index("--config") + 1] == f"{process['volumeMounts'][0]['mountPath']}/twinrow.toml"
    port = {one["name"]: one["containerPort"] for one in process["ports"]}
    assert arguments[arguments.index("--metrics") + 1] == f"0.0.0.0:{port['metrics']}"
    assert process["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    (password,) = process["env"]
    assert password["valueFrom"]["secretKeyRef"] == {"name": "mysql", "key": "password"}
    assert made["Deployment"]["spec"]["selector"]["matchLabels"].items() <= (
        made["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    )


def test_the_charts_settings_reach_their_places() -> None:
    made = objects(
        processes=2, podMonitor={"enabled": True}, serviceAccount={"annotations": {"role": "arn"}},
        tolerations=[{"key": "copies"}], env=[{"name": "STAGE", "value": "eu"}], image={"repository": "r", "tag": "t"},
        podAnnotations={"team": "data"}, nodeSelector={"disk": "none"}, imagePullSecrets=[{"name": "pull"}],
    )  # fmt: skip
    deployment = made["Deployment"]["spec"]
    pod = deployment["template"]["spec"]
    assert deployment["replicas"] == 2
    assert deployment["template"]["metadata"]["annotations"]["team"] == "data"
    assert made["ServiceAccount"]["metadata"]["annotations"] == {"role": "arn"}
    assert made["PodMonitor"]["spec"]["selector"] == deployment["selector"]
    assert pod["tolerations"] == [{"key": "copies"}]
    assert pod["nodeSelector"] == {"disk": "none"}
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    assert pod["containers"][0]["image"] == "r:t"
    assert pod["containers"][0]["env"][1] == {"name": "STAGE", "value": "eu"}


def test_a_changed_configuration_replaces_the_pods() -> None:
    sums = [
        objects(config=text)["Deployment"]["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for text in (CONFIG, CONFIG + "# changed\n")
    ]
    assert sums[0] != sums[1]


@pytest.mark.parametrize("missing", ["config", "image", "mysqlPassword"])
def test_what_has_to_be_set_is_asked_for(missing: str) -> None:
    with pytest.raises(ChartError, match="set "):
        render(CHART, {name: value for name, value in VALUES.items() if name != missing}, "copies")


def test_the_chart_is_of_the_version_of_the_project() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert told["appVersion"] == told["version"] == project["version"]


def test_helm_renders_the_same(tmp_path: Path) -> None:
    program = shutil.which("helm")
    if program is None:
        pytest.skip("helm is not installed; the chart was rendered by tests/fixtures/chart.py all the same")
    given = tmp_path / "values.yaml"
    given.write_text(yaml.safe_dump(VALUES))
    done = subprocess.run(
        [program, "template", "copies", str(CHART), "--values", str(given)], capture_output=True, text=True,
        timeout=TOOL_TIMEOUT_S, check=True,
    )  # fmt: skip
    by_kind = {one["kind"]: one for one in yaml.safe_load_all(done.stdout) if one}
    assert by_kind == objects()

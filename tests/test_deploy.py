"""What operators take from `deploy/`: each file is read by a parser of its format, and says only what there is."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests.fixtures.prometheus import prometheus_program
from tests.fixtures.statuses import table_status
from typer.main import get_command

from twinrow.app.cli import app
from twinrow.app.observe.status import Status, TableStatus
from twinrow.app.observe.watch import LastStatus
from twinrow.app.serve.metrics import families
from twinrow.state.counted import AppliedCount

PROJECT = Path(__file__).resolve().parent.parent
DEPLOY = PROJECT / "deploy"
VERIFY_S_MAX = 60
HARDENING = {
    "DynamicUser": "yes", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "ProtectSystem": "strict",
    "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes", "ProtectKernelModules": "yes",
    "RestrictNamespaces": "yes", "MemoryDenyWriteExecute": "yes", "LockPersonality": "yes",
}  # fmt: skip
PROMQL_WORDS = {"and", "on", "time", "table", "unless", "or", "by", "ignoring"}


def everything(**values: Any) -> TableStatus:
    """A table with everything there is."""
    counts = dict.fromkeys(("items", "rows", "missing", "extra", "different", "unlinked"), 1)
    plain: dict[str, Any] = {
        "backlog": 1, "lag_s": 1.0, "unlinked": 1, "links_refused": 1, "dead_letters": 1, "gaps": 1, "rechecks": 1,
        "reconcile_share": 0.5, "reconciled_at": 1.0, "retention_left_s": 1.0, "verified": {"at": 1.0, **counts},
        "counted_since": 1.0, "applied": (AppliedCount("PUT", "STREAM", 1),), "read_units_max": 1.0,
        "write_units_max": 1.0, "dynamodb_skew_s": 1.0, "mysql_skew_s": 1.0,
    }  # fmt: skip
    return table_status(**plain | values)


def metrics() -> dict[str, set[str]]:
    """Every metric that a table can have, with its labels."""
    found: dict[str, set[str]] = {}
    for family in families(LastStatus(Status(1.0, (everything(),)), "", {}), 1.0):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


METRICS: Final = metrics()


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))
    assert set(document) == {"groups"}
    return [rule for group in document["groups"] for rule in group["rules"]]


def subcommands() -> set[str]:
    return set(getattr(get_command(app), "commands", {}))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_is_made_of_metrics_that_there_are(rule: dict[str, Any]) -> None:
    known = metrics()
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Twinrow[A-Za-z]+", rule["alert"])
    assert re.fullmatch(r"\d+m", rule.get("for", "0m"))
    assert rule["labels"]["severity"] in ("page", "ticket")

    expression = re.sub(r'"[^"]*"', '""', rule["expr"])
    names = {
        name for name in re.findall(r"[a-z_]{2,}", re.sub(r"\{[^}]*\}", "", expression)) if name not in PROMQL_WORDS
    }
    assert names
    assert names <= {*known, "up"}, f"no such metric: {names - known.keys()}"
    assert expression.count("(") == expression.count(")")
    for label in re.findall(r"[{,]\s*([a-z]+)\s*=", expression):
        assert any(label in known.get(name, {"job"}) for name in names)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_it_means_and_what_to_do(rule: dict[str, Any]) -> None:
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description", "command"}
    labels = set().union(*(metrics().get(name, {"instance"}) for name in re.findall(r"[a-z_]{2,}", rule["expr"])))
    for label in re.findall(r"\$labels\.([a-z]+)", " ".join(annotations.values())):
        assert label in labels | {"instance"}
    program, command, *_ = shlex.split(annotations["command"])
    assert program == "systemctl" or (program == "twinrow" and command in subcommands())


def test_promtool_finds_no_fault() -> None:
    program = prometheus_program("promtool")
    if program is None:
        pytest.skip(
            "promtool is not there (make servers unpacks Debian's prometheus); the rules were parsed all the same"
        )
    subprocess.run([program, "check", "rules", str(DEPLOY / "alerts.yml")], check=True, timeout=VERIFY_S_MAX)


def unit() -> dict[str, list[tuple[str, str]]]:
    """The sections of the unit; systemd allows a key many times, so configparser will not do."""
    sections: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for line in (DEPLOY / "twinrow.service").read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), [])
            continue
        name, equals, value = line.partition("=")
        assert equals, line
        current.append((name, value))
    return sections


def test_the_unit_runs_sync_and_gives_it_nothing_it_does_not_need() -> None:
    service = unit()["Service"]
    settings = dict(service)

    assert set(unit()) == {"Unit", "Service", "Install"}
    for name, value in HARDENING.items():
        assert settings[name] == value, name
    program, *arguments = shlex.split(settings["ExecStart"])
    assert program.endswith("/bin/twinrow")
    sync = getattr(get_command(app), "commands")["sync"]  # noqa: B009 - click's group is not in typer's types
    options = {option for parameter in sync.params for option in parameter.opts}
    said = arguments[arguments.index("sync") + 1 :]
    assert {one for one in said if one.startswith("-")} <= options
    assert settings["KillSignal"] == "SIGTERM"
    assert settings["RestartPreventExitStatus"] == "2"


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (sudo apt-get install systemd); the unit was parsed all the same")
    text = (DEPLOY / "twinrow.service").read_text(encoding="utf-8")
    # systemd wants the program to be there; on this machine Twinrow is elsewhere.
    there = tmp_path / "twinrow.service"
    there.write_text(text.replace("/opt/twinrow/bin/twinrow", shutil.which("true") or "/bin/true"), encoding="utf-8")

    done = subprocess.run(
        [program, "verify", "--recursive-errors=no", str(there)], capture_output=True, text=True, timeout=VERIFY_S_MAX,
        check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def instructions(name: str = "Dockerfile") -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (DEPLOY / name).read_text(encoding="utf-8"))
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def copied() -> list[str]:
    """What is copied from the build context."""
    sources = []
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            sources += shlex.split(rest)[:-1]
    return sources


def test_the_dockerfile_is_made_of_instructions_that_docker_knows() -> None:
    known = {"FROM", "WORKDIR", "RUN", "COPY", "ENV", "USER", "STOPSIGNAL", "EXPOSE", "HEALTHCHECK", "CMD"}
    words = [word for word, _ in instructions()]

    assert set(words) <= known
    assert words[0] == "FROM"
    assert all(rest.startswith("python:3.12-slim") for word, rest in instructions() if word == "FROM")


def test_the_image_runs_without_root() -> None:
    last_stage = instructions()[max(n for n, (word, _) in enumerate(instructions()) if word == "FROM") :]
    users = [rest for word, rest in last_stage if word == "USER"]

    assert users
    assert all(user.split(":")[0] not in ("root", "0") for user in users)
    assert not [rest for word, rest in last_stage[[word for word, _ in last_stage].index("USER") :] if word == "RUN"]


def test_what_the_dockerfile_copies_is_there_and_enough() -> None:
    sources = copied()
    for source in sources:
        assert list(PROJECT.glob(source)) or "*" in source, source

    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = ["pyproject.toml", "src", *project.get("license-files", [])]
    needed += [project["readme"]] if isinstance(project.get("readme"), str) else []
    for name in needed:
        assert any(fnmatch(name, source.removeprefix("./")) for source in sources), name


def test_what_the_dockerfile_copies_is_sent_to_the_builder() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line.removeprefix("!") for line in lines if line.startswith("!")}

    assert "*" in lines
    assert {source.removeprefix("./").removesuffix("*") for source in copied()} <= sent


def test_compose_builds_this_image() -> None:
    compose = yaml.safe_load((PROJECT / "compose.yaml").read_text(encoding="utf-8"))
    built = [service["build"] for service in compose["services"].values() if "build" in service]

    assert built
    assert all((PROJECT / one["context"] / one["dockerfile"]).is_file() for one in built)


def test_compose_publishes_the_page_of_a_command_that_there_is() -> None:
    compose = yaml.safe_load((PROJECT / "compose.yaml").read_text(encoding="utf-8"))
    program, name, *arguments = compose["services"]["twinrow"]["command"]
    command = getattr(get_command(app), "commands")[name]  # noqa: B009 - click's group is not in typer's types

    assert program == "twinrow"
    params = command.make_context(name, arguments).params
    host, _, port = params["serve"].partition(":")
    assert host == "0.0.0.0", "another address is not to be reached from outside the container"  # noqa: S104
    assert compose["services"]["twinrow"]["ports"] == [f"127.0.0.1:{port}:{port}"]

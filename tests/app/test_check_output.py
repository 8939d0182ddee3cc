"""`check` for a person: what is not ok, each once, and a summary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.command_line import Done, InProcess, config_of

from twinrow.app.check.finding import Finding
from twinrow.app.commands import check

NOT_ALLOWED = "dynamodb:Scan: table TABLE: not allowed"
TABLES = [f"table{number}" for number in range(30)]
LACKS = Finding("t", "rights to read", "error", "dynamodb:Scan: table t: not allowed", "grant it")
REFUSED = [replace(LACKS, table=table, text=LACKS.text.replace(" t:", f" {table}:")) for table in TABLES]
WELL = [
    Finding("", "MySQL version", "ok", "9.7"),
    *(Finding(table, "DynamoDB table", "ok", "ACTIVE") for table in TABLES),
]
WARNING = Finding("", "local_infile", "warning", "off: a first copy takes longer", "SET GLOBAL local_infile = ON")


@pytest.fixture
def command(tmp_path: Path) -> InProcess:
    made = InProcess(tmp_path)
    parts = [f'[[tables]]\nname = "{table}"\ncapture = "scan"\n' for table in TABLES]
    made.write_config(config_of("http://127.0.0.1:1", "mysql://u:p@127.0.0.1:1/d", *parts))
    return made


def checked(command: InProcess, monkeypatch: pytest.MonkeyPatch, found: list[Finding], *options: str) -> Done:
    def look(*_: Any) -> Iterator[Finding]:
        yield from found

    monkeypatch.setattr(check, "_look", look)
    return command.run("check", *options)


def test_what_is_well_is_a_number_and_what_is_not_is_shown_once(
    command: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = checked(command, monkeypatch, [*WELL, *REFUSED, WARNING])
    assert done.code == 1
    assert done.out.splitlines() == [
        "!!  local_infile: off: a first copy takes longer  → SET GLOBAL local_infile = ON",
        f"NO  30 tables (table0, table1, table2, …): rights to read: {NOT_ALLOWED}  → grant it",
        "30 tables, 62 checks: 31 ok, 1 warning, 30 errors; a sync would not start as it is",
    ]


def test_where_all_is_well_a_line_says_so(command: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    done = checked(command, monkeypatch, WELL)
    assert (done.code, done.out) == (0, "30 tables, 31 checks: 31 ok, 0 warnings, 0 errors; a sync can start\n")


@pytest.mark.parametrize("options", [("--verbose",), ("-v",)])
def test_verbose_shows_everything_as_it_is_found(
    command: InProcess, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    done = checked(command, monkeypatch, [*WELL, *REFUSED], *options)
    assert len(done.out.splitlines()) == len(WELL) + len(REFUSED) + 1
    assert "ok  table3: DynamoDB table: ACTIVE" in done.out.splitlines()


def test_json_has_every_check_and_the_summary(command: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    document = checked(command, monkeypatch, [*WELL, *REFUSED, WARNING], "--json").document
    assert (document["ok"], document["summary"]) == (False, {"ok": 31, "warning": 1, "error": 30})
    assert len(document["checks"]) == 62

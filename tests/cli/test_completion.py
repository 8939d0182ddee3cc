"""The shell's completion: commands and the tables of the configuration at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fixtures.command_line import TIMEOUT_S, CommandLine

CONFIG = """
[mysql]
url = "mysql://u:${NOT_SET}@h/d"
[[tables]]
name = "reviews"
capture = "scan"
[[tables]]
name = "orders"
capture = "scan"
"""


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    made = CommandLine(tmp_path)
    made.write_config(CONFIG)
    made.write_config(CONFIG.replace('"reviews"', '"ratings"'), name="other.toml")
    made.write_config("[[tables]\nname = 3", name="broken.toml")
    return made


def completed(command: CommandLine, *words: str) -> list[str]:
    """What bash is offered for the last word. It is the installed script that the shell calls."""
    asked = {"_TWINROW_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(("twinrow", *words))}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("twinrow"))], cwd=command.folder, capture_output=True, text=True,
        env={**os.environ, **asked, "COMP_CWORD": str(len(words))}, timeout=TIMEOUT_S, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_are_completed(command: CommandLine) -> None:
    assert completed(command, "ver") == ["verify"]


@pytest.mark.parametrize("before", [["sync"], ["item"], ["verify", "reviews"], ["dead-letters", "retry"]])
def test_tables_are_completed(command: CommandLine, before: list[str]) -> None:
    assert completed(command, *before, "") == ["reviews", "orders"]
    assert completed(command, *before, "or") == ["orders"]


def test_tables_come_from_the_configuration_that_is_named(command: CommandLine) -> None:
    assert completed(command, "-c", "other.toml", "sync", "ra") == ["ratings"]
    assert completed(command, "sync", "-c", "other.toml", "ra") == ["ratings"]


@pytest.mark.parametrize("name", ["nowhere.toml", "broken.toml"])
def test_without_a_readable_configuration_there_is_nothing_to_offer(command: CommandLine, name: str) -> None:
    assert completed(command, "-c", name, "sync", "") == []

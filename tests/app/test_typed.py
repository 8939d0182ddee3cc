"""A command that a message names carries the configuration of this process, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from twinrow.app import typed


@pytest.fixture(autouse=True)
def a_configuration() -> Iterator[None]:
    typed.note(Path("conf/one.toml"))
    yield
    typed.note(typed.CONFIG_DEFAULT)


def test_the_configuration_stands_once_in_a_command() -> None:
    command = typed.as_typed("twinrow reset reviews --yes")
    assert command == "twinrow reset reviews --yes -c conf/one.toml"
    assert typed.in_text(f"this drops rows ({command})") == f"this drops rows ({command})"
    assert typed.in_text("twinrow reset reviews --yes").count("-c conf/one.toml") == 1

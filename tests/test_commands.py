"""Errors carry their commands as data: `status` and page offer these, and never look for one in a sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinrow.compare import mass_delete
from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import Broken, Reason, StartRefused, reason_of
from twinrow.mysql_error import MySQLError, meaning
from twinrow.sink import by_hand

SOURCES = Path(__file__).parents[1] / "src" / "twinrow"
ONE_SHOT = {"app", "verify", "workers/held.py", "config", "mysql_error.py"}
"""Errors of commands that end by themselves are shown as they are and kept nowhere; MySQLError adds its commands."""
COMMAND = re.compile(r"twinrow (?:check|dead-letters|grants|iam-policy|item|plan|repair|reset|schema|sync|verify)\b")


def remedies_without_commands(text: str) -> Iterator[int]:
    """The lines of the calls whose remedy names a command that the error does not carry."""
    for call in ast.walk(ast.parse(text)):
        if isinstance(call, ast.Call):
            given = {one.arg: one.value for one in call.keywords}
            if "remedy" in given and COMMAND.search(ast.unparse(given["remedy"])) and "commands" not in given:
                yield call.lineno


def test_an_error_of_the_engine_that_names_a_command_carries_it() -> None:
    found = []
    for path in SOURCES.rglob("*.py"):
        name = path.relative_to(SOURCES).as_posix()
        if name in ONE_SHOT or name.split("/")[0] in ONE_SHOT:
            continue
        found += [f"{name}:{line}" for line in remedies_without_commands(path.read_text())]
    assert not found


def test_the_search_finds_such_an_error() -> None:
    assert list(remedies_without_commands("Broken('x', remedy=f'twinrow sync {t} mends it')")) == [1]
    assert not list(remedies_without_commands("Broken('x', remedy='twinrow sync', commands=('twinrow sync',))"))


@pytest.mark.parametrize(
    ("error", "commands"),
    [
        (by_hand.lacks_column("reviews", "c"), ("twinrow schema reviews --apply",)),
        (by_hand.wants_a_value("reviews", "c"), ("twinrow sync reviews",)),
        (
            mass_delete.refusal("reviews", 101, 102, None, "twinrow sync reviews"),
            ("twinrow sync reviews --accept-deletes reviews=101",),
        ),
        (DynamoDBError("AccessDeniedException", "no", where="", remedy=""), ("twinrow iam-policy",)),
        (DynamoDBError("ResourceNotFoundException", "no", where="", remedy=""), ()),
        (meaning(1142, "denied", "mysql", "MySQL h"), ("twinrow grants",)),
        (meaning(1064, "syntax", "mysql", "MySQL h"), ()),
        (Broken("stops"), ()),
    ],
)
def test_what_is_kept_of_an_error(error: MySQLError | Broken, commands: tuple[str, ...]) -> None:
    assert reason_of(error) == Reason(str(error), commands)
    for command in commands:
        assert command in str(error) or isinstance(error, DynamoDBError)


def test_a_fix_is_known_by_the_refusal_and_not_by_its_words() -> None:
    assert not StartRefused("has replicas", remedy="twinrow check --fix adds it").by_fix
    assert StartRefused("has no index", remedy="in other words", by_fix=True).by_fix

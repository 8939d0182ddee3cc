"""The documentation says what is so: links and paths lead somewhere, commands exist, generated pages are fresh."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
import typer.main
from tests.docs.session import blocks

from twinrow.app.cli import app
from twinrow.app.library import Synced, TableSynced, Twinrow, Verified
from twinrow.app.observe.status import TableStatus
from twinrow.config import parse

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(REPOSITORY))
    for path in [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *(REPOSITORY / "docs").rglob("*.md")]
)
FORBIDDEN = (
    r"\b(?:TO[D]O|FIX[M]E|X{3})\b", r"(?<![\w.])/(?:work|root|home|Users)\b/", r"pypi\.org", r"pythonhosted", r"npmjs",
    r"localhost:\d+/simple",
)  # fmt: skip
"""Left-overs, and paths and hosts of somebody's machine; written so that a search for them does not find this list."""
FILES_ON_THE_WAY_MAX = 14
"""More than a newcomer opens to understand how an item becomes a row with its link."""
_COMMAND = re.compile(r"\btwinrow (?:-[a-z-]+ )*([a-z][a-z-]*)((?: [^`\n|;]*)?)")


def _text(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    text = re.sub(r"^```.*?^```$", "", _text(page), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert "://" in target or ((REPOSITORY / page).parent / target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_is_named_exists(page: str) -> None:
    for path in re.findall(r"`((?:src|tests|tools|docs|deploy|bench)/[\w./-]*)`", _text(page)):
        assert (REPOSITORY / path).exists(), f"{page} names {path}"


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_left_undone_and_no_machine_is_named(page: str) -> None:
    for pattern in FORBIDDEN:
        assert not re.search(pattern, _text(page)), f"{page}: {pattern}"


def _commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", None) or {}
    yield words, command
    for name, one in inner.items():
        yield from _commands(one, (*words, name))


@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/cli.md"])
def test_every_command_that_is_shown_exists(page: str) -> None:
    known = dict(_commands(typer.main.get_command(app)))
    common = {option for one in known[()].params for option in one.opts}
    shown = re.findall(r"`(twinrow [^`]+)`", _text(page))
    shown += [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    for line in shown:
        found = _COMMAND.search(line)
        if found is None:
            continue
        words = (found[1], *found[2].split())
        name = max((one for one in known if one and words[: len(one)] == one), key=len, default=None)
        assert name is not None, f"{page} shows {line!r}"
        options = {option for one in known[name].params for option in (*one.opts, *one.secondary_opts)} | common
        for option in re.findall(r"(?:^|\s)(--[a-z-]+)", found[2]):
            assert option in options, f"{page} shows {line!r}: no such option"


def test_every_command_has_an_example_in_its_help() -> None:
    for words, command in _commands(typer.main.get_command(app)):
        assert "Example:\n" in (command.help or ""), f"twinrow {' '.join(words)}"


def test_architecture_tells_the_way_of_one_item_in_eight_steps() -> None:
    steps = re.findall(r"^(\d+)\. \*\*", _text("docs/architecture.md"), re.MULTILINE)
    assert steps == [str(number) for number in range(1, 9)]


def test_architecture_needs_few_files_from_the_index_to_the_settled_link() -> None:
    way = _text("docs/architecture.md").partition("1. **Found.**")[2].partition("8. **Proved.**")[0]
    assert 10 <= len(set(re.findall(r"`(src/[\w./]+)`", way))) <= FILES_ON_THE_WAY_MAX


def _tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_made_from_the_code_are_fresh() -> None:
    assert _tool("write_docs").stale() == [], "run `make docs`"


def test_the_json_schema_takes_what_the_configuration_takes() -> None:
    schema = msgspec.json.decode((REPOSITORY / "docs" / "twinrow.schema.json").read_bytes())
    table = schema["$defs"]["TableConfig"]
    assert table["additionalProperties"] is False
    assert table["required"] == [], "`match` may stand for the name, and [defaults] hold the capture"
    assert set(table["properties"]["capture"]["enum"]) == {"pending-index", "stream", "scan", "kinesis", "events"}
    assert "from" in schema["$defs"]["ColumnConfig"]["properties"]


_AROUND = '[mysql]\nurl = "mysql://u@h/d"\n[[tables]]\nname = "reviews"\ncapture = "pending-index"\n'
_INDEX = '[tables.pending_index]\nindex = "i"\nattribute = "migrated"\n'


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "toml")])
def test_every_configuration_that_is_shown_is_one(page: str) -> None:
    for block in blocks(page, "toml"):
        text = block
        if "[[tables]]" in text and "[mysql]" not in text:
            text = '[mysql]\nurl = "mysql://u@h/d"\n' + text
        elif text.startswith("[tables.") or "[mysql]" not in text:
            text = _AROUND + _INDEX + text
        variables = {
            "MYSQL_PASSWORD": "x", "SLACK_WEBHOOK": "https://hooks.example.com/x", "TWINROW_HASH_SECRET": "x" * 32,
        }  # fmt: skip
        assert parse(text, page, variables).tables


def test_every_name_of_the_library_that_is_told_is_there() -> None:
    text = _text("docs/library.md")
    for owner, names in (
        (Twinrow, ("sync_once", "verify", "status")),
        (Synced, ("tables", "seconds", "in_step")),
        (TableSynced, ("table", "status", "left_to_holder", "error", "in_step")),
        (Verified, ("tables", "in_step")),
        (TableStatus, ("phase", "rows", "lag_s", "backlog", "unlinked", "dead_letters", "gaps")),
    ):
        for name in names:
            assert f"`{name}`" in text or f".{name}(" in text, name
            assert hasattr(owner, name) or name in owner.__annotations__, f"{owner.__name__}.{name}"

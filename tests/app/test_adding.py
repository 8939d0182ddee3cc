"""`twinrow add`: the text of a configuration with further tables, and nothing else changed."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinrow.app.setup import adding, files
from twinrow.config import Config, parse
from twinrow.errors import ConfigError, StartRefused

HEAD = '[mysql]\nurl = "mysql://u@h/d"\n'
NEW = ("", "# about 3 items", "[[tables]]", 'name = "new"', 'capture = "scan"', "[tables.columns.x]", "ignore = true")
PIECES = st.sampled_from(
    [
        '[[tables]]\nname = "a"\ncapture = "scan"\n',
        '[[tables]]   # of orders\nname = "b"  # its name\n  [tables.columns.x]\n  ignore = true\n',
        '  [[tables]]\n  name = "c"\n',
        '[[tables]]\n[tables.pending_index]\npending = [\n  "a", # first\n  "b",\n]\n',
        '[[tables]]\nname = """\n[sync]\n# no comment\n"""\n',
        "\n", "\n\n", "# a comment\n", "\n# above\n", "#[[tables]]\n",
    ]
)  # fmt: skip
SECTIONS = ("[sync]\nworkers = 2\n", "[s3]\n", '[notify]\nwebhook = "x"\n', '[[sources]]\nname = "eu"\n')


@st.composite
def toml_files(draw: st.DrawFn) -> str:
    """Files with tables, comments, blank lines and each section at most once, in any order."""
    parts = [*draw(st.lists(PIECES, max_size=6)), *draw(st.lists(st.sampled_from(SECTIONS), unique=True))]
    text = "".join(draw(st.permutations(parts)))
    text = text.rstrip("\n") if draw(st.booleans()) else text
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@given(toml_files(), st.integers(1, 3))
def test_everything_but_the_new_parts_is_byte_for_byte_as_before(text: str, count: int) -> None:
    edit = adding.added(text, NEW * count, "twinrow.toml")

    length = len(edit.text) - len(text)
    places = [
        place for place in range(len(text) + 1) if edit.text[:place] == text[:place]
        and edit.text[place + length :] == text[place:]
    ]  # fmt: skip
    assert places, "what is left without one run of characters is the file as it was"
    assert edit.text[places[-1] : places[-1] + length].count("[[tables]]") == count
    before, after = (tomllib.loads(each) for each in (text, edit.text))
    new = {"name": "new", "capture": "scan", "columns": {"x": {"ignore": True}}}
    assert after == before | {"tables": [*before.get("tables", []), *[new] * count]}
    assert ("\r\n" in text) == ("\r\n" in edit.text) or "\n" not in text
    assert edit.text.count("\r\n") in (0, edit.text.count("\n"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            '[[tables]]\nname = "a"\n\n# how it works\n[sync]\n',
            '[[tables]]\nname = "a"\n\nNEW\n# how it works\n[sync]\n',
        ),
        ('[[tables]]\nname = "a"\n# of a\n[sync]\n', '[[tables]]\nname = "a"\n# of a\n\nNEW\n[sync]\n'),
        ('[[tables]]\nname = "a"\n\n[sync]\n', '[[tables]]\nname = "a"\n\nNEW\n[sync]\n'),
        ('[[tables]]\nname = "a"', '[[tables]]\nname = "a"\n\nNEW'),
        ('[[tables]]\nname = "a"\n# the end\n', '[[tables]]\nname = "a"\n# the end\n\nNEW'),
        ("[sync]\nworkers = 2\n", "[sync]\nworkers = 2\n\nNEW"),
        (
            '[[tables]]\nname = "a"\n[sync]\n[[tables]]\nname = "b"\n[s3]\n',
            '[[tables]]\nname = "a"\n[sync]\n[[tables]]\nname = "b"\n[s3]\n\nNEW',
        ),
    ],
)
def test_new_parts_come_behind_the_tables_and_before_what_belongs_to_the_next_section(text: str, wanted: str) -> None:
    new = '[[tables]]\nname = "new"\n'
    assert adding.added(text, new.splitlines(), "twinrow.toml").text == wanted.replace("NEW", new)


@pytest.mark.parametrize("text", ['tables = [{ name = "a" }]\n', "tables = []\n[sync]\n", "tables = 3\n", "[tables]\n"])
def test_tables_that_are_no_parts_of_their_own_are_left_alone(text: str) -> None:
    with pytest.raises(ConfigError, match=r"no \[\[tables\]\] parts"):
        adding.added(text, NEW, "twinrow.toml")


def _config(*lines: str) -> Config:
    return parse(HEAD + "\n".join(lines), "twinrow.toml", {})


SOME = ("[[sources]]", 'name = "eu"', "[[tables]]", 'name = "orders"', 'capture = "scan"')
PROD = ("[[tables]]", 'match = "prod-*"', 'exclude = "prod-tmp"', 'capture = "stream"')


@pytest.mark.parametrize(
    ("lines", "names", "refusal"),
    [
        (SOME, ["reviews", "orders"], "has table 'orders' already"),
        ((*SOME, *PROD), ["prod-films"], r"takes table 'prod-films' already, by match prod-\*"),
        (SOME, ["us:orders"], "no .*'us'.*there are: eu"),
    ],
)
def test_a_table_that_is_copied_already_is_refused(lines: Sequence[str], names: list[str], refusal: str) -> None:
    with pytest.raises(ConfigError, match=refusal):
        adding.wanted(_config(*lines), names)


def test_a_table_of_another_source_and_an_excluded_table_are_others() -> None:
    tables = adding.wanted(_config(*SOME, *PROD), ["eu:orders", "eu:prod-films", "prod-tmp", "prod-tmp"])
    assert [(table.source, table.name) for table in tables] == [
        ("eu", "orders"), ("eu", "prod-films"), (None, "prod-tmp"),
    ]  # fmt: skip


def test_a_default_source_that_would_make_another_table_of_it_is_seen() -> None:
    lines = ("[defaults]", 'source = "eu"', *SOME)
    before = _config(*lines)
    after = _config(*lines, "[[tables]]", 'name = "reviews"', 'capture = "scan"')
    with pytest.raises(ConfigError, match="eu:reviews"):
        adding.check_added(before, after, adding.wanted(before, ["reviews"]))
    adding.check_added(before, after, adding.wanted(before, ["eu:reviews"]))
    with pytest.raises(ConfigError, match="would change"):
        adding.check_added(after, before, [])


def test_the_first_table_is_added_to_a_file_that_has_none() -> None:
    before = parse(HEAD, "twinrow.toml", {}, tables_needed=False)
    assert (before.tables, [table.called for table in adding.wanted(before, ["new"])]) == ((), ["new"])
    after = parse(adding.added(HEAD, NEW, "twinrow.toml").text, "twinrow.toml", {})
    adding.check_added(before, after, adding.wanted(before, ["new"]))
    with pytest.raises(ConfigError, match="names no table"):
        parse(HEAD, "twinrow.toml", {})


def test_a_file_keeps_its_mode_and_a_change_of_somebody_else_is_not_lost(tmp_path: Path) -> None:
    path, link = tmp_path / "real.toml", tmp_path / "twinrow.toml"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    files.write(link, "new", b"old")
    assert (path.read_text(), path.stat().st_mode & 0o777, link.is_symlink()) == ("new", 0o640, True)
    with pytest.raises(StartRefused, match="changed meanwhile"):
        files.write(link, "newer", b"old")
    assert path.read_text() == "new"
    assert sorted(tmp_path.iterdir()) == [path, link]

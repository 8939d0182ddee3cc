"""A table's own settings win over its pattern's, these over `[defaults]`; several files are put together as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinrow.config import Config, load, parse
from twinrow.config.documents import names_in
from twinrow.errors import ConfigError

MYSQL = "[mysql]\nurl = 'mysql://u@h/d'\n"
INDEX = "[defaults.pending_index]\nindex = 'i'\nattribute = 'migrated'\n"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_toml", ".toml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder / "twinrow.toml"


def test_thirty_tables_take_what_they_do_not_say_from_the_defaults() -> None:
    tables = "".join(f"[[tables]]\nname = 'table-{n}'\n" for n in range(29))
    own = "[[tables]]\nname = 'odd-one'\ncapture = 'scan'\nlink = false\nread_capacity_max = 7\n"
    config = parse(
        MYSQL + "[defaults]\ncapture = 'stream'\nlink = true\ndeletes = 'soft'\nread_capacity_max = 50\n" + tables + own
    )
    usual = {(one.capture, one.linked, one.deletes, one.read_capacity_max) for one in config.tables[:29]}
    assert usual == {("stream", True, "soft", 50)}
    odd = config.tables[29]
    assert (odd.capture, odd.linked, odd.deletes, odd.read_capacity_max) == ("scan", False, "soft", 7)


Bounds = st.none() | st.integers(1, 1000)


@given(Bounds, Bounds, Bounds)
def test_the_nearest_setting_wins(default: int | None, pattern: int | None, own: int | None) -> None:
    def line(value: int | None) -> str:
        return f"read_capacity_max = {value}\n" if value is not None else ""

    text = f"[defaults]\ncapture = 'scan'\n{line(default)}[[tables]]\nmatch = 'prod-*'\n{line(pattern)}"
    config = parse(MYSQL + text + f"[[tables]]\nname = 'prod-a'\n{line(own)}")
    wanted = next((value for value in (own, pattern, default) if value is not None), None)
    assert config.tables[0].read_capacity_max == wanted


def test_a_section_of_the_defaults_is_put_together_with_the_tables_own_and_kept_from_other_captures() -> None:
    config = parse(
        MYSQL + "[defaults]\ncapture = 'pending-index'\n" + INDEX + "[defaults.columns.seen]\ntype = 'DATE'\n"
        "[[tables]]\nname = 'aaa'\npending_index = { index = 'other' }\ncolumns = { seen = { ignore = true } }\n"
        "[[tables]]\nname = 'bbb'\ncapture = 'stream'\n"
    )  # fmt: skip
    first, second = config.tables
    assert first.pending_index is not None
    assert (first.pending_index.index, first.pending_index.attribute) == ("other", "migrated")
    assert (first.columns["seen"].ignore, first.columns["seen"].type) == (True, None)
    assert second.pending_index is None, "else the mark would be Twinrow's own in a table that has none"
    assert second.columns["seen"].type == "DATE"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[[tables]]\nname = 'abc'\n", ("lacks the required field `capture`", "tables[0] (abc)", "[defaults]")),
        ("[defaults]\nnme = 1\n[[tables]]\nname = 'abc'\n", ("unknown field `nme`", "`defaults`")),
        ("[defaults]\nname = 'abc'\n", ("unknown field `name`",)),
        ("[defaults]\ncapture = 'scan'\n", ("names no table",)),
        ("[defaults.columns.a]\nfrm = 1\n", ("`defaults.columns.a`", "did you mean `from`?")),
        ("[defaults]\ncapture = 'scan'\n[[tables]]\nname = 'abc'\nmatch = 'a*'\n", ("has a `name` and `match`",)),
        ("[[tables]]\nname = 'abc'\ncapture = 'pending-index'\npending_index = { index = 'i' }\n",
         ("lacks the required field `attribute`", "`pending_index`", "(abc)")),
    ],
)  # fmt: skip
def test_a_mistake_names_key_and_place(text: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(MYSQL + text, "twinrow.toml", {})
    assert not [part for part in parts if part not in str(refused.value)], str(refused.value)


def test_included_files_bring_tables_with_defaults_of_their_own(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        twinrow_toml="include = 'tables.d/*.toml'\n" + MYSQL + "[defaults]\ncapture = 'scan'\nlink = true\n"
        "[[tables]]\nname = 'main'\nsource='eu'\n",
        tables_d__b_toml="[[tables]]\nname = 'bbb'\n",
        tables_d__a_toml="[defaults]\ncapture = 'stream'\n[[tables]]\nname = 'aaa'\n[[sources]]\nname = 'eu'\n",
    )  # fmt: skip
    (tmp_path / "tables_d").rename(tmp_path / "tables.d")
    config = load(path, {})
    assert [(one.name, one.capture, one.linked) for one in config.tables] == [
        ("eu:main", "scan", True), ("aaa", "stream", True), ("bbb", "scan", True),
    ]  # fmt: skip
    assert config.watched == (str(path), str(tmp_path / "tables.d/*.toml"))


@pytest.mark.parametrize(
    ("include", "inner", "parts"),
    [
        ("gone.toml", "", ("`include` names gone.toml",)),
        ("more.toml", MYSQL, ("more.toml", "unknown field `mysql`")),
        ("more.toml", "[[tables]]\nname = 'abc'\ncaptur = 'scan'\n", ("more.toml", "did you mean `capture`?")),
        ("more.toml", "[[tables]]\nname = 'main'\ncapture = 'scan'\n", ("more.toml", "the same table is named twice")),
    ],
)
def test_a_mistake_in_an_included_file_names_that_file(
    tmp_path: Path, include: str, inner: str, parts: tuple[str, ...]
) -> None:
    text = f"include = ['{include}']\n" + MYSQL + "[[tables]]\nname = 'main'\ncapture = 'scan'\n"
    path = write(tmp_path, twinrow_toml=text, more_toml=inner)
    with pytest.raises(ConfigError) as refused:
        load(path, {})
    assert not [part for part in parts if part not in str(refused.value)], str(refused.value)


OVERLAID = """overlay = 'twinrow.${STAGE}.toml'
[dynamodb]
region = 'eu-west-1'
[defaults]
capture = 'scan'
reconcile_every = '1h'
[[tables]]
name = 'orders'
read_capacity_max = 5
deletes = 'soft'
[[tables]]
match = 'x-*'
"""
PROD = """[mysql]
url = 'mysql://u:${PW}@prod/d'
[defaults]
reconcile_every = '5m'
[[tables]]
name = 'orders'
read_capacity_max = 500
[[tables]]
match = 'x-*'
link = true
[[tables]]
name = 'audit'
"""


def test_an_overlay_wins_for_its_environment_alone(tmp_path: Path) -> None:
    path = write(tmp_path, twinrow_toml=OVERLAID, twinrow__dev="")
    (tmp_path / "twinrow.prod.toml").write_text(PROD)
    (tmp_path / "twinrow.dev.toml").write_text("[mysql]\nurl = 'mysql://u@dev/d'\n")
    prod, dev = (load(path, {"STAGE": stage, "PW": "secret"}) for stage in ("prod", "dev"))

    def figures(config: Config) -> list[tuple[Any, ...]]:
        return [(one.name, one.read_capacity_max, one.deletes, one.reconcile_every) for one in config.tables]

    assert (prod.mysql.host, dev.mysql.host) == ("prod", "dev")
    assert prod.mysql.password == "secret"
    assert prod.dynamodb.region == "eu-west-1"
    assert figures(dev) == [("orders", 5, "soft", "1h")]
    assert figures(prod) == [("orders", 500, "soft", "5m"), ("audit", None, "hard", "5m")]
    assert (prod.patterns[0].own["link"], len(prod.patterns)) == (True, 1)
    assert prod.watched == (str(path), str(tmp_path / "twinrow.prod.toml"))


def test_an_environment_that_is_not_there_is_an_error_not_another_environment(tmp_path: Path) -> None:
    path = write(tmp_path, twinrow_toml=OVERLAID)
    with pytest.raises(ConfigError, match="STAGE in `overlay` is not set"):
        load(path, {})
    with pytest.raises(ConfigError, match=r"twinrow\.test\.toml: no such file"):
        load(path, {"STAGE": "test"})


def test_without_mysql_in_any_file_the_section_is_missed() -> None:
    with pytest.raises(ConfigError, match="lacks the required field `mysql`"):
        parse("[[tables]]\nname = 'abc'\ncapture = 'scan'\n", "twinrow.toml", {})


def test_a_shell_completes_the_tables_of_all_files_before_any_variable_is_set(tmp_path: Path) -> None:
    main = tmp_path / "twinrow.toml"
    main.write_text(
        'include = "tables.d/*.toml"\noverlay = "${STAGE}.toml"\n[mysql]\nurl = "${NOT_SET}"\n'
        '[[tables]]\nname = "films"\n[[tables]]\nmatch = "prod-*"\n'
    )
    (tmp_path / "tables.d").mkdir()
    (tmp_path / "tables.d" / "eu.toml").write_text('[defaults]\nsource = "eu"\n[[tables]]\nname = "orders"\n')
    assert names_in(main) == ["films", "eu:orders"]
    main.write_text('include = 3\ndefaults = 4\ntables = "x"\n')
    assert names_in(main) == []

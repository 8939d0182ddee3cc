"""Which tables begin, end and begin anew when a configuration changes, and which changes a sync cannot take (pure)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinrow.app.reload.changes import Begun, Recipe, changes, in_words, recipes_of, refuse_restart
from twinrow.app.reload.files import FileWatcher
from twinrow.config import Config, parse
from twinrow.errors import ConfigError

NAMES = ("films", "orders", "reviews")
RECIPES = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 2).map(lambda number: (number,)))
HEAD = '[dynamodb]\nregion = "{region}"\n[mysql]\nurl = "{url}"\n'
URL = "mysql://u:secret@h:3306/d"


def config(tables: str = "", *, url: str = URL, region: str = "us-east-1", more: str = "") -> Config:
    return parse(HEAD.format(region=region, url=url) + more + (tables or table("films")), environment={})


def table(name: str, more: str = "") -> str:
    return f'[[tables]]\nname = "{name}"\ncapture = "scan"\n{more}\n'


@given(RECIPES, RECIPES, st.sets(st.sampled_from(NAMES)))
def test_step_by_step_the_wanted_tables_run_as_they_are_wanted(
    first: dict[str, Recipe], wanted: dict[str, Recipe], broken: set[str]
) -> None:
    """Whatever ran before; a table that ran with the same settings is never asked to end."""
    begun = {name: Begun(recipe, 0) for name, recipe in first.items()}
    running = set(first) - broken
    same = {name for name in running if wanted.get(name) == first[name]}
    for _ in range(3):
        step = changes(wanted, begun, running, 1)
        assert not same & set(step.end)
        assert not running & set(step.begin), "a table that runs must end before it begins anew"
        begun |= {name: Begun(wanted[name], 1) for name in step.begin}
        running = (running - set(step.end)) | set(step.begin)
    assert running == set(wanted)
    assert all(begun[name].recipe == wanted[name] for name in wanted)
    assert changes(wanted, begun, running, 1).begin == changes(wanted, begun, running, 1).end == ()


def test_a_table_that_broke_is_left_alone_until_the_configuration_is_read_again() -> None:
    wanted: dict[str, Recipe] = {"films": ("a",)}
    assert changes(wanted, {"films": Begun(("a",), 0)}, set(), 0).begin == ()
    assert changes(wanted, {"films": Begun(("a",), 0)}, set(), 1).begin == ("films",)
    assert changes(wanted, {"films": Begun(("b",), 0)}, set(), 0).begin == ("films",)


def test_what_a_run_reads_makes_it_begin_anew_and_nothing_else_does() -> None:
    def recipes(made: Config) -> dict[str, Recipe]:
        return recipes_of(made, made.tables)

    before = recipes(config())
    assert recipes(config(table("films", 'lag_alert = "5m"\nverify_every = "1d"'))) == before
    assert recipes(config(url="mysql://u:other@h:3306/d")) == before
    assert recipes(config(more='[notify]\nwebhook = "https://x/y"\n')) == before
    assert recipes(config(more='[sync]\ndiscover_every = "1m"\n')) == before
    assert recipes(config(table("films", 'deletes = "soft"'))) != before
    assert recipes(config(region="eu-west-1")) != before
    of_a_source = table("films", 'source = "eu"')
    eu = '[[sources]]\nname = "eu"\nregion = "{}"\n'
    assert recipes(config(of_a_source, more=eu.format("eu-west-1"))) != recipes(
        config(of_a_source, more=eu.format("eu-west-2"))
    )


def test_a_change_is_said_in_words() -> None:
    begun = {name: Begun((0,), 0) for name in ("same", "changed", "removed", "broken")}
    wanted: dict[str, Recipe] = {"same": (0,), "changed": (1,), "broken": (0,), "added": (0,)}
    assert in_words(wanted, begun, {"same", "changed", "removed"}) == (
        "new: added; no longer copied: removed; with other settings: changed; tried again: broken"
    )
    assert in_words({"same": (0,)}, {"same": begun["same"]}, {"same"}) == ""


@pytest.mark.parametrize(
    ("after", "refused"),
    [
        (config(url="mysql://u:other@h:3306/d"), ""),
        (config(url="mysql://v:secret@h:3306/d?ssl_mode=REQUIRED"), ""),
        (config(url="mysql://u:secret@h:3307/d"), "mysql.url"),
        (config(url="mysql://u:secret@h:3306/e"), "mysql.url"),
        (config(more="[sync]\nlease_s = 20.0\n"), "lease_s"),
        (config(more="[sync]\nworkers = 2\n"), ""),
    ],
    ids=["password", "user-and-tls", "port", "database", "lease", "workers"],
)
def test_what_a_process_has_once_cannot_change_while_it_runs(after: Config, refused: str) -> None:
    if not refused:
        refuse_restart(config(), after)
        return
    with pytest.raises(ConfigError, match=refused) as told:
        refuse_restart(config(), after)
    assert "secret" not in str(told.value)


def test_files_are_read_when_they_have_stood_still_for_a_look(tmp_path: Path) -> None:
    folder = tmp_path / "with [odd] name"
    (folder / "tables.d").mkdir(parents=True)
    main, inner = folder / "twinrow.toml", folder / "tables.d" / "one.toml"
    main.write_text('include = "tables.d/*.toml"\n' + HEAD.format(region="us-east-1", url=URL))
    inner.write_text(table("films"))
    watched = parse(main.read_text(), str(main), {}).watched
    watcher = FileWatcher(watched)
    watcher.follow(watched, watcher.stamp())
    assert not watcher.changed()
    inner.write_text(table("orders"))
    assert not watcher.changed(), "it may be half written"
    assert watcher.changed()
    assert watcher.changed(), "nobody has read it yet"
    watcher.follow(watched, watcher.stamp())
    assert not watcher.changed()
    (folder / "tables.d" / "two.toml").write_text(table("films"))
    assert not watcher.changed()
    assert watcher.changed()
    inner.unlink()
    assert not watcher.changed()
    assert watcher.changed()


def test_a_write_while_the_files_are_read_is_a_change(tmp_path: Path) -> None:
    main = tmp_path / "twinrow.toml"
    main.write_text("as it was read")
    os.utime(main, ns=(1, 1))
    watcher = FileWatcher([str(main)])
    before = watcher.stamp()
    main.write_text("as it is by now")
    watcher.follow([str(main)], before)
    assert watcher.changed()

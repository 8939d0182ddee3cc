"""What a running sync does with a changed configuration. Without servers: the tables are names in a toy fleet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from twinrow.app import discovery, wiring
from twinrow.app.discovery import Looked
from twinrow.app.logs import Log
from twinrow.app.observe.watch import StatusSource
from twinrow.app.reload import keeper as keeper_module
from twinrow.app.reload.keeper import AskedSync, HangUps, Keeper, Means
from twinrow.config import Config, TableConfig
from twinrow.config.resolve import Found, with_found
from twinrow.errors import Broken, StartRefused, Transient
from twinrow.mysql import MySQL
from twinrow.state import lease, tables
from twinrow.workers.fleet import Fleet
from twinrow.workers.run import Outcome

HEAD = '[mysql]\nurl = "mysql://u:{word}@h:3306/d"\n[defaults]\ncapture = "scan"\n'


class ToyFleet:
    """Tables that end when they are asked to, or when a test says how."""

    def __init__(self) -> None:
        self.running: frozenset[str] = frozenset()
        self.outcomes: dict[str, Outcome] = {}
        self.asked: list[str] = []

    def add(self, names: Sequence[str]) -> None:
        self.asked += [f"+{name}" for name in names]
        self.running |= set(names)

    def end(self, names: Sequence[str]) -> None:
        self.asked += [f"-{name}" for name in names]
        for name in names:
            self.ended(name)

    def ended(self, name: str, error: Any = None) -> None:
        self.running -= {name}
        self.outcomes[name] = Outcome(error=error)

    def forget(self, names: Sequence[str]) -> None:
        self.asked += [f"?{name}" for name in names]


@dataclass
class Sync:
    """A sync under test: its file, and what it has done."""

    path: Path
    fleet: ToyFleet
    source: StatusSource
    mysql: MySQL
    keeper: Keeper
    hang_ups: HangUps
    followed: list[Config] = field(default_factory=list)

    def write(self, *names: str, more: str = "", word: str = "first") -> None:
        text = HEAD.format(word=word) + "".join(f'[[tables]]\nname = "{name}"\n' for name in names)
        self.path.write_text(text + more)
        self.path.chmod(0o600)

    def hang_up(self) -> list[str]:
        """Reload by SIGHUP; what was asked of the fleet."""
        self.hang_ups.ask()
        return self.look()

    def look(self, times: int = 2) -> list[str]:
        """Some looks; what was asked of the fleet."""
        self.fleet.asked.clear()
        for _ in range(times):
            self.keeper._look()
            self.keeper._step()
        return list(self.fleet.asked)


def sync_of(tmp_path: Path, *names: str, more: str = "", watches: bool = False) -> Sync:
    path = tmp_path / "twinrow.toml"
    fleet, hang_ups = ToyFleet(), HangUps()
    made = Sync(path, fleet, cast(StatusSource, None), cast(MySQL, None), cast(Keeper, None), hang_ups)
    made.write(*names, more=more)
    config, _ = wiring.read_config(path)
    made.mysql = wiring.mysql_of(config)
    made.source = StatusSource(made.mysql, config.tables)

    def build(config: Config, chosen: Sequence[TableConfig]) -> Any:
        return [table.name for table in chosen]

    def follow(config: Config, chosen: Sequence[TableConfig]) -> None:
        made.followed.append(config)

    log = Log(as_json=False, verbose=False)
    means = Means(cast(Fleet, fleet), made.mysql, log, made.source, build, follow, lambda outcomes: False)
    made.keeper = Keeper(AskedSync(path, (), watches), config, means, hang_ups)
    made.keeper._follow()
    made.keeper._step()
    return made


def test_tables_come_go_and_change_and_the_others_do_not_notice(tmp_path: Path) -> None:
    sync = sync_of(tmp_path, "films", "orders", "reviews")
    assert sync.fleet.running == {"films", "orders", "reviews"}
    sync.write("films", "users", more='[[tables]]\nname = "orders"\ndeletes = "soft"\n')
    assert sync.hang_up() == ["-orders", "-reviews", "+users", "?reviews", "+orders"]
    assert sync.source.tables == ("films", "users", "orders")
    assert sync.look() == []


def test_a_broken_table_is_tried_again_by_a_reload_alone(tmp_path: Path) -> None:
    sync = sync_of(tmp_path, "films", "orders")
    sync.source.tell("films", "it broke")
    sync.fleet.ended("films", Broken("it broke"))
    assert sync.look() == []
    assert sync.source.latest().ended == {"films": "it broke"}
    assert sync.hang_up() == ["+films"]
    assert sync.source.latest().ended == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[mysql", "is not TOML"),
        (HEAD.format(word="first") + '[[tables]]\nname = "films"\ndeltes = "soft"\n', "deltes"),
        (HEAD.format(word="first"), "names no table"),
        (HEAD.format(word="first").replace("@h:", "@other:") + '[[tables]]\nname = "films"\n', "mysql.url"),
        (HEAD.format(word="first") + '[[tables]]\nname = "films"\n[sync]\nlease_s = 20.0\n', "lease_s"),
    ],
    ids=["no-toml", "unknown-key", "no-table", "other-server", "other-lease"],
)
def test_a_bad_file_is_refused_and_said_and_a_good_one_is_taken_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    sync = sync_of(tmp_path, "films")
    sync.path.write_text(text)
    assert sync.hang_up() == []
    assert said in sync.source.latest().config
    told = capsys.readouterr().err
    assert said in told
    assert "first" not in told.replace("the configuration from before", "")
    sync.write("films", "orders")
    assert sync.hang_up() == ["+orders"]
    assert sync.source.latest().config == ""


def test_a_file_that_goes_away_is_refused_too(tmp_path: Path) -> None:
    sync = sync_of(tmp_path, "films", watches=True)
    sync.path.unlink()
    assert sync.look(3) == []
    assert "no such file" in sync.source.latest().config
    sync.write("films", "orders")
    assert sync.look(3) == ["+orders"]


def test_a_mistake_in_a_file_that_was_not_watched_before_is_mended_by_mending_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sync = sync_of(tmp_path, "films", watches=True)
    sync.look(3)
    inner = tmp_path / "more.toml"
    inner.write_text('[[tables]]\nname = "orders"\ndeltes = "soft"\n')
    sync.path.write_text('include = "more.toml"\n' + sync.path.read_text())
    monkeypatch.setattr(keeper_module, "LOOK_AGAIN_S", 0.0)
    assert sync.look(5) == []
    assert capsys.readouterr().err.count("deltes") == 1, "said once, not at every look"
    inner.write_text('[[tables]]\nname = "orders"\n')
    assert sync.look(1) == ["+orders"]


def test_tables_that_stopped_are_not_tried_again_by_the_first_look_at_the_files(tmp_path: Path) -> None:
    """A process that watches its files reads them once more after its start, for they may have changed meanwhile."""
    sync = sync_of(tmp_path, "films", watches=True)
    sync.fleet.ended("films", Broken("it broke"))
    assert sync.look(3) == []
    sync.write("films", "orders")
    assert sync.look(3) == ["+films", "+orders"]


def test_a_new_password_is_taken_once_the_server_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    takes: list[bool] = [False]

    class Session:
        def close(self) -> None: ...

    def connect(mysql: MySQL) -> Any:
        assert mysql.logins.take().password == "second"
        if not takes[0]:
            raise Broken("login refused")
        return Session()

    monkeypatch.setattr(wiring, "connect", connect)
    sync = sync_of(tmp_path, "films")
    sync.write("films", word="second")
    assert sync.hang_up() == []
    assert sync.mysql.logins.take().password == "first"
    assert "login refused" in sync.source.latest().config
    takes[0] = True
    assert sync.hang_up() == [], "no table notices"
    assert sync.mysql.logins.take().password == "second"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that says which tables DynamoDB has; no time passes between two looks for them."""
    now: dict[str, Any] = {}

    class Session:
        def close(self) -> None: ...

    def look(config: Config, _session: Any) -> Looked:
        if now.get("trouble"):
            raise Transient("does not answer", where="DynamoDB")
        both, refused = with_found(config, [Found(config.patterns[0], name) for name in now["names"]])
        return Looked(both, now["gone"], now["vanished"], refused=refused)

    def say(*names: str, gone: str = "", vanished: str = "", trouble: bool = False) -> None:
        now.update(names=(*names, *gone.split()), gone=frozenset(gone.split()), trouble=trouble)
        now["vanished"] = frozenset(vanished.split())

    monkeypatch.setattr(wiring, "connect", lambda mysql: Session())
    monkeypatch.setattr(MySQL, "connect", lambda self: Session())
    monkeypatch.setattr(discovery, "look", look)
    monkeypatch.setattr(keeper_module, "LOOK_AGAIN_S", 0.0)
    return say


PATTERN = '[[tables]]\nmatch = "many-*"\ninto = "{rest}"\n[sync]\ndiscover_every = "0.000001s"\n'


def test_new_tables_of_a_pattern_come_and_a_vanished_table_is_shown_as_gone(
    tmp_path: Path, there: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = []
    monkeypatch.setattr(lease, "holder_of", lambda session, name: None)
    monkeypatch.setattr(tables, "note_gone", lambda session, name, reason: noted.append((name, reason.commands)))
    there("many-a")
    sync = sync_of(tmp_path, "films", more=PATTERN)
    assert sync.look(1) == ["+many-a"]
    there("many-a", "many-b")
    assert sync.look(1) == ["+many-b"]
    there(trouble=True)
    assert sync.look(1) == []
    there("many-b", gone="many-a", vanished="many-a")
    assert sync.look(1) == ["-many-a"]
    there("many-b", gone="many-a", vanished="many-a")
    assert sync.look(1) == ["?many-a"]
    assert noted == [("many-a", ("twinrow uninstall many-a",))]
    assert sync.source.tables == ("films", "many-a", "many-b"), "it is still shown"
    there("many-a", "many-b")
    assert sync.look(1) == ["+many-a"], "it is there again"
    there()
    assert sorted(sync.look(1)) == ["-many-a", "-many-b"], "no pattern takes them any more"


def test_a_refused_table_is_tried_again_and_a_broken_table_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = sync_of(tmp_path, "films", "orders")
    sync.fleet.ended("films", StartRefused("the stream is off"))
    sync.fleet.ended("orders", Broken("it broke"))
    assert sync.look() == []
    monkeypatch.setattr(sync.keeper, "_retries_at", 0.0)
    assert sync.look() == ["+films"]
    assert sync.keeper.retried == {"films"}, "the same refusal is not logged every minute"


def test_a_server_that_does_not_answer_at_a_reload_is_asked_again(tmp_path: Path, there: Callable[..., None]) -> None:
    there("many-a")
    sync = sync_of(tmp_path, "films", more=PATTERN)
    sync.look(1)
    there(trouble=True)
    sync.write("orders", more=PATTERN)
    assert sync.hang_up() == []
    assert "does not answer" in sync.source.latest().config
    there("many-a")
    assert sorted(sync.look(1)) == ["+orders", "-films"]
    assert sync.source.latest().config == ""

"""Notifications and proofs follow a configuration that is read again. Without servers."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import pytest

from twinrow.app import prover
from twinrow.app.beside import SideWork
from twinrow.app.logs import Log
from twinrow.app.notify import notifier
from twinrow.app.observe.watch import StatusSource
from twinrow.config import Config, parse

HEAD = '[mysql]\nurl = "mysql://u@h/d"\n[defaults]\ncapture = "scan"\n'
NOTIFY = '[notify]\nwebhook = "https://hooks.example/{}"\n'
FILMS, ORDERS = '[[tables]]\nname = "films"\n{}\n', '[[tables]]\nname = "orders"\n{}\n'


class Toy:
    """A notifier or a prover that says what it was made with, and when it began and ended."""

    def __init__(self, made: list[Toy], *arguments: Any) -> None:
        self.arguments = arguments
        self.limits = arguments[2]
        self.events: list[str] = []
        made.append(self)

    def follow(self, config: Config, every_s: Any) -> None:
        self.arguments = (config, every_s)

    def __enter__(self) -> Toy:
        self.events.append("begun")
        return self

    def __exit__(self, *error: object) -> None:
        self.events.append("over")


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> tuple[list[Toy], list[Toy]]:
    """The notifiers and the provers that were made."""
    telling, proving = list[Toy](), list[Toy]()
    monkeypatch.setattr(notifier, "Notifier", partial(Toy, telling))
    monkeypatch.setattr(prover, "Prover", partial(Toy, proving))
    return telling, proving


def test_limits_and_paces_change_without_an_end_and_places_with_one(toys: tuple[list[Toy], list[Toy]]) -> None:
    telling, proving = toys

    def follow(text: str) -> None:
        config = parse(HEAD + text, environment={})
        beside.follow(config, config.tables)

    with SideWork(cast(StatusSource, None), dict, Log(as_json=False, verbose=False)) as beside:
        follow(FILMS.format(""))
        assert not telling
        assert not proving, "what nobody asks for is not there"
        follow(NOTIFY.format("a") + FILMS.format('lag_alert = "5m"\nverify_every = "7d"'))
        follow(NOTIFY.format("a") + FILMS.format('lag_alert = "1m"\nverify_every = "1d"') + ORDERS.format(""))
        assert len(telling) == len(proving) == 1
        assert telling[0].limits == {"films": 60.0, "orders": None}
        assert proving[0].arguments[1] == {"films": 86_400.0}
        follow(NOTIFY.format("b") + FILMS.format(""))
        assert [toy.events for toy in telling] == [["begun", "over"], ["begun"]]
        assert proving[0].arguments[1] == {}, "nothing is proved any more"
        follow(FILMS.format('verify_every = "7d"'))
        assert telling[1].events == ["begun", "over"]
        assert proving[0].arguments[1] == {"films": 7 * 86_400.0}
    assert proving[0].events == ["begun", "over"]
    assert len(telling) == 2

"""Notifications arrive as Slack and SNS take them, once among several processes; nothing waits for them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.app.page.conftest import page_mysql, shown
from tests.fixtures.command_line import InProcess, config_of
from tests.fixtures.fake_aws import SECRET_KEY, TOPIC, fake_aws
from tests.fixtures.shown import Shown
from tests.fixtures.waiting import wait_until
from tests.fixtures.webhook import SECRET_PATH, Webhook, listening

from twinrow.app.logs import Log
from twinrow.app.notify import notifier
from twinrow.app.notify.channels import channels_of, slack_json
from twinrow.app.notify.notifier import Notifier
from twinrow.config import parse
from twinrow.config.notify import NotifyPlaces
from twinrow.errors import ConfigError
from twinrow.state import notice

__all__ = ["page_mysql", "shown"]
TABLE = '[[tables]]\nname = "reviews"\ncapture = "scan"\n'
WAIT_S = 60.0


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with listening() as made:
        yield made


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moments at which a process looked, soon one after the other."""
    monkeypatch.setattr(notifier, "LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(notifier, "LEFT_EVERY_S", 0.2)
    at: list[float] = []
    look = Notifier.look

    def counted(self: Notifier, now: float) -> None:
        look(self, now)
        at.append(now)

    monkeypatch.setattr(Notifier, "look", counted)
    return at


def after_some_looks(looks: list[float]) -> None:
    """A message too much would come within these."""
    enough = len(looks) + 30
    wait_until(lambda: len(looks) >= enough, WAIT_S, what="some looks")


def notifying(stack: ExitStack, shown: Shown, webhook: Webhook) -> None:
    """A process that tells of the tables of a made-up state."""
    source = stack.enter_context(shown.source())
    places = channels_of(NotifyPlaces(webhook.url, None))
    limits = dict.fromkeys(source.tables)
    stack.enter_context(Notifier(places, source, limits, Log(as_json=False, verbose=False)))


def noted(shown: Shown) -> list[str]:
    with shown.session() as session:
        return [each.kind for each in notice.open_notices(session)]


def test_two_processes_tell_once_of_a_trouble_and_once_of_its_end(
    shown: Shown, webhook: Webhook, looks: list[float]
) -> None:
    shown.add(["reviews", "orders"])
    with ExitStack() as stack:
        notifying(stack, shown, webhook)
        notifying(stack, shown, webhook)
        shown.park("reviews", 3)
        wait_until(lambda: webhook.texts, WAIT_S, what="the first message")
        shown.gap("orders")
        wait_until(lambda: len(webhook.texts) >= 2, WAIT_S, what="the second message")
        with shown.session() as session:
            session.execute("DELETE FROM _twinrow_dead_letter")
        wait_until(lambda: len(webhook.texts) >= 3, WAIT_S, what="the end of the first")
        after_some_looks(looks)
    assert webhook.texts == [
        "Twinrow trouble: reviews: 3 items that no row can hold -&gt; twinrow dead-letters list reviews",
        "Twinrow trouble: orders: 1 gap in what was read; a sync mends it -&gt; twinrow status orders",
        "Twinrow ok: reviews: no dead letter is left",
    ]
    assert noted(shown) == ["gap"]
    with ExitStack() as stack:  # the next process knows what was told
        notifying(stack, shown, webhook)
        after_some_looks(looks)
    assert len(webhook.texts) == 3


def test_what_a_killed_process_left_unsent_is_told_by_the_next(
    shown: Shown, webhook: Webhook, looks: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown.add(["reviews"])
    shown.park("reviews", 1)
    with shown.session() as session:
        assert notice.begin(session, notice.Notice("reviews", "dead_letters", "1 item that no row can hold"))
        assert not notice.begin(session, notice.Notice("reviews", "dead_letters", "again"))
    with ExitStack() as stack:
        notifying(stack, shown, webhook)
        after_some_looks(looks)
        assert webhook.texts == [], "the process that has it may still be at it"
        monkeypatch.setattr(notifier, "LEFT_S", 0.0)
        wait_until(lambda: webhook.texts, WAIT_S, what="the message")
        after_some_looks(looks)
    assert webhook.texts == ["Twinrow trouble: reviews: 1 item that no row can hold"]


def test_a_webhook_that_is_away_is_tried_again_and_nothing_waits_for_it(
    shown: Shown, webhook: Webhook, capsys: pytest.CaptureFixture[str]
) -> None:
    shown.add(["reviews"])
    webhook.answer = 503
    with ExitStack() as stack:
        notifying(stack, shown, webhook)
        shown.park("reviews", 1)
        wait_until(lambda: noted(shown) == ["dead_letters"], WAIT_S, what="the alarm")
        webhook.answer = 200
        wait_until(lambda: webhook.texts, WAIT_S, what="the message")
        webhook.answer = 503
        shown.gap("reviews")
        wait_until(lambda: "gap" in noted(shown), WAIT_S, what="the second alarm")
        began = time.monotonic()
    assert time.monotonic() - began < 2 * notifier.END_S_MAX
    said = capsys.readouterr().err
    assert "notifications: webhook 127.0.0.1: answers 503; it is tried again" in said
    assert "secret-part" not in said


def test_the_test_message_goes_to_each_place(tmp_path: Path, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    command = InProcess(tmp_path)
    with fake_aws() as aws:
        for name, value in aws.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("twinrow.aws_services._Session.made", None)
        monkeypatch.setenv("SLACK_WEBHOOK", webhook.url)
        part = f'[notify]\nwebhook = "${{SLACK_WEBHOOK}}"\nsns_topic = "{TOPIC}"\n'
        command.write_config(config_of("http://127.0.0.1:1", "mysql://u:p@127.0.0.1:1/d", part, TABLE))
        done = command.run("notify", "--test")
        assert (done.code, done.out) == (0, "webhook 127.0.0.1: sent\nSNS topic twinrow: sent\n")
        assert webhook.texts[0].startswith("Twinrow: this is a test")
        assert (aws.published[0]["TopicArn"], aws.published[0]["Message"]) == (
            TOPIC,
            webhook.texts[0].replace("&gt;", ">"),
        )
        assert len(aws.published[0]["Subject"]) <= 100

        webhook.answer, aws.denied = 404, True
        refused = command.run("notify", "--test")
        assert refused.code == 1
        for redirect in (301, 307):
            webhook.answer = redirect
            assert command.run("notify", "--test").code == 1
            assert webhook.redirected == [], "no message goes elsewhere"
        shown = refused.out + refused.err
        assert "webhook 127.0.0.1: refuses the message (404)" in shown
        assert "AccessDenied" in shown
        for secret in ("secret-part", SECRET_KEY):
            assert secret not in shown
    assert command.run("notify").code == 2
    command.write_config(config_of("http://127.0.0.1:1", "mysql://u:p@127.0.0.1:1/d", TABLE))
    assert "there is no [notify]" in command.run("notify", "--test").err


def test_slack_takes_the_text_as_it_is_meant() -> None:
    assert json.loads(slack_json("a < b & c > d")) == {"text": "a &lt; b &amp; c &gt; d"}


@pytest.mark.parametrize(
    "part",
    ['webhook = "hooks.slack.com/secret-part"', 'webhook = "file:///secret-part"', 'sns_topic = "my-topic"',
     'sns_topic = "arn:aws:sns:eu-west-1:123456789012:t.fifo"', 'mail = "a@b"'],
)  # fmt: skip
def test_places_that_will_not_do_are_refused(part: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(f'[mysql]\nurl = "mysql://u:p@h/d"\n[notify]\n{part}\n{TABLE}', environment={})
    assert "secret-part" not in str(refused.value)


def test_the_webhooks_address_is_not_shown() -> None:
    loaded = parse(
        f'[mysql]\nurl = "mysql://u:p@h/d"\n[notify]\nwebhook = "https://h{SECRET_PATH}"\n{TABLE}', environment={}
    )
    assert loaded.notify is not None
    assert "secret-part" not in repr(loaded)

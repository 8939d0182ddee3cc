"""One contract for every capture kind of the registry, without servers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kinds import toy

from twinrow import capture_kind, config
from twinrow.app.wiring import settings_of
from twinrow.capture_kind import KINDS, SCANNED, SUITED, UNFIT, TableChange, Traits, traits_of
from twinrow.config import TableConfig
from twinrow.dynamodb_access import Access
from twinrow.errors import ConfigError, StartRefused
from twinrow.kinesis import StreamSummary
from twinrow.table.settings import Settings
from twinrow.table_description import IndexDescription, Streaming, TableDescription, described

EVERY_KIND = pytest.mark.parametrize("name", [*KINDS, "toy"])
"""The toy of the test folder, too: it keeps the contract as a new capture has to."""
TOLD: dict[str, Any] = {
    "TableName": "reviews",
    "TableStatus": "ACTIVE",
    "KeySchema": [{"AttributeName": "username", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "username", "AttributeType": "S"}],
}
STREAM_ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/changes"
BARE = described(TOLD)
"""A table without an index or a stream."""
START = '[mysql]\nurl = "mysql://u:p@127.0.0.1/d"\n[[tables]]\nname = "reviews"\n'


@pytest.fixture(autouse=True)
def _toy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "name" in request.fixturenames and request.getfixturevalue("name") == "toy":
        monkeypatch.setitem(KINDS, "toy", toy.__name__)


def test_the_configuration_takes_the_kinds_of_the_registry() -> None:
    assert get_args(config.Capture) == tuple(KINDS)


def test_a_kind_that_is_not_used_is_not_imported() -> None:
    """Nor is botocore: `twinrow status` reads the configuration, too."""
    program = (
        f"import sys; from twinrow.config import parse; parse({START!r} + 'capture = \"scan\"'); "
        "print([name for name in sys.modules if name.startswith(('twinrow.kinds.', 'botocore', 'twinrow.sync'))])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "['twinrow.kinds.scan']"


def test_a_kind_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"'carrier-pigeon'.*pending-index, stream, scan, kinesis, events"):
        traits_of("carrier-pigeon")


@EVERY_KIND
def test_what_a_kind_says_of_itself_holds_together(name: str) -> None:
    traits = traits_of(name)
    assert isinstance(traits, Traits)
    assert bool(traits.origin) != traits.passes_only, "only a source of its own makes changes of its own"
    assert traits.origin not in (SCANNED, "RECHECK"), "these are the engine's"
    assert traits.retention_s is None or traits.retention_s > 0
    assert not (traits.passes_only and traits.reconcile_every is None), "without a pace nothing would be read"
    assert traits.tells_deletes or traits.unseen or traits.passes_only, "a person is told what is not seen"
    assert not traits.carries_marks or traits.part is not None, "marks are configured"


@EVERY_KIND
def test_a_kind_asks_for_the_part_of_the_configuration_that_it_needs(name: str) -> None:
    part = traits_of(name).part
    if part is None:
        assert (_settings(name).pending, _settings(name).kinesis) == (None, None)
        return
    with pytest.raises(ConfigError, match=rf"`capture` is {name}, but there is no \[tables.{part}\]"):
        config.parse(f'{START}capture = "{name}"')


@pytest.mark.parametrize(
    ("name", "linked", "reconcile_s"),
    [
        ("pending-index", True, None),
        ("stream", False, None),
        ("scan", False, 900.0),
        ("kinesis", False, None),
        ("events", False, None),
    ],
)
def test_defaults_are_the_kinds(name: config.Capture, linked: bool, reconcile_s: float | None) -> None:
    table = TableConfig(name="reviews", capture=name)
    assert (table.linked, table.reconcile_s) == (linked, reconcile_s)


def test_every_trait_tells_two_kinds_apart_or_is_met_by_a_toy() -> None:
    """A trait that is the same in all kinds is one that nothing proves."""
    same = {one.name for one in fields(Traits) if len({getattr(traits_of(name), one.name) for name in KINDS}) == 1}
    assert not same


@pytest.mark.parametrize("origin", [SCANNED, "RECHECK", "STREAM", "PENDING", "KINESIS", "EVENTS"])
def test_records_and_images_are_told_apart(origin: str) -> None:
    """A record tells one write and may be old; an image shows an item as it was found; a recheck is neither."""
    found = {name: (traits_of(name).is_record(origin), traits_of(name).is_image(origin)) for name in KINDS}
    neither, record, image = (False, False), (True, False), (False, True)
    assert found == {
        "pending-index": {SCANNED: image, "PENDING": image}.get(origin, neither),
        "stream": {SCANNED: image, "STREAM": record}.get(origin, neither),
        "scan": {SCANNED: image}.get(origin, neither),
        "kinesis": {SCANNED: image, "KINESIS": image}.get(origin, neither),
        "events": {SCANNED: image, "EVENTS": image}.get(origin, neither),
    }


@EVERY_KIND
def test_what_a_kind_refuses_as_missing_its_fix_makes(name: str) -> None:
    """A bare table: either nothing is refused, or there is a change whose end the kind itself recognizes."""
    settings, kind = _settings(name), capture_kind.load(name)
    change = kind.fix(settings, BARE)
    assert (change is not None) == traits_of(name).changes_table
    if change is None:
        kind.refuse(settings, BARE)
        return
    with pytest.raises(StartRefused, match=r"table reviews: .*twinrow check --fix"):
        kind.refuse(settings, BARE)
    assert change.update is not None
    assert not change.is_there(BARE)
    made = _changed(change)
    assert change.is_there(made)
    kind.refuse(settings, made)
    assert kind.fix(settings, made) is None


@EVERY_KIND
def test_a_kind_tries_each_right_that_it_asks_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twinrow.kinesis.Kinesis", FakeKinesis)
    settings, kind, arn = _settings(name), capture_kind.load(name), "arn:aws:dynamodb:eu-west-1:1:table/reviews"
    change = kind.fix(settings, BARE)
    made = _changed(change) if change is not None else BARE
    rights = kind.rights(settings, arn)
    whole = {arn, STREAM_ARN} if name == "kinesis" else set()
    assert all(each.resource in whole or each.resource.startswith(f"{arn}/") for each in rights), "of the table alone"
    assert not any(each.attributes for each in rights), "reading"
    asked = {action for one in rights for action in one.actions}
    tried = {right for one in kind.tries(settings, made, FakeDoor()) for right in one.rights.split(", ")}
    assert tried == asked
    for one in kind.tries(settings, made, FakeDoor()):
        one.request()


@EVERY_KIND
def test_reading_costs_more_with_more_changes_or_the_same(name: str) -> None:
    settings, kind = _settings(name), capture_kind.load(name)
    table = replace(BARE, items=1000, bytes=1_000_000)
    costs = [kind.reads_a_day(settings, table, changes) for changes in (0, 10, 1000)]
    assert costs == sorted(costs)
    assert costs[0] >= 0


@EVERY_KIND
def test_what_init_writes_for_a_kind_is_read_back(name: str) -> None:
    kind = capture_kind.load(name)
    template = kind.template(BARE)
    lines = [f'capture = "{name}"{template.comment}', *template.lines, *template.part]
    if name in get_args(config.Capture):
        (table,) = config.parse(START + "\n".join(lines)).tables
        assert table.capture == name
    assert kind.remarks(_settings(name), BARE) == ()


@EVERY_KIND
def test_a_kind_describes_its_table(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twinrow.kinesis.Kinesis", FakeKinesis)
    found = capture_kind.load(name).describe(_settings(name), FakeDoor())
    assert replace(found, streaming=None) == BARE
    assert (found.streaming is not None) == (name == "kinesis")


@given(
    items=st.integers(0, 10**9), stream=st.none() | st.just("arn"),
    attribute=st.sampled_from(["migrated", "day", "synced_at", "username"]),
)  # fmt: skip
def test_some_kind_suits_each_table(items: int, stream: str | None, attribute: str) -> None:
    index = IndexDescription("i", ((attribute, "S"),), "ALL", (), "ACTIVE")
    table = replace(BARE, items=items, stream_arn=stream, indexes=(index,))
    fits = {name: capture_kind.load(name).suits(table) for name in KINDS}
    assert UNFIT < max(fits.values()) <= SUITED
    best = [name for name, fit in fits.items() if fit == max(fits.values())]
    marked = attribute in ("migrated", "synced_at")
    assert best == ["pending-index" if marked else "scan" if stream is None and items <= 20_000 else "stream"]


def _settings(name: str) -> Settings:
    text = f'{START}capture = "{name if name in get_args(config.Capture) else "scan"}"\n'
    if traits_of(name).part == "pending_index":
        text += '[tables.pending_index]\nindex = "marks"\nattribute = "mark"\n'
    if traits_of(name).part == "kinesis":
        text += f'[tables.kinesis]\nstream_arn = "{STREAM_ARN}"\n'
    return replace(settings_of(config.parse(text).tables[0], "here"), capture=name)


def _changed(change: TableChange) -> TableDescription:
    """The table once the change is in force."""
    assert change.update is not None
    if change.operation == "update_table":
        return described(_updated(change.update))
    assert change.update == {"StreamArn": STREAM_ARN}
    return replace(BARE, streaming=Streaming(STREAM_ARN, "ACTIVE"))


def _updated(update: Mapping[str, Any]) -> dict[str, Any]:
    """What DescribeTable says once UpdateTable is through."""
    told = TOLD | {name: update[name] for name in ("AttributeDefinitions", "StreamSpecification") if name in update}
    if "StreamSpecification" in update:
        told["LatestStreamArn"] = "arn:of:the:stream"
    made = [one["Create"] | {"IndexStatus": "ACTIVE"} for one in update.get("GlobalSecondaryIndexUpdates", ())]
    return told | {"GlobalSecondaryIndexes": made}


class FakeKinesis:
    """Answers as a stream of an empty shard does."""

    def __init__(self, region: str, *_: object) -> None:
        assert region == "eu-west-1"

    def summary(self, arn: str) -> StreamSummary:
        """Of that stream."""
        assert arn == STREAM_ARN
        return StreamSummary("ACTIVE", 1.7e9, 86_400.0, 1024, 1, scatters=False)

    def shards(self, _arn: str, _after: str | None) -> tuple[list[dict[str, Any]], bool]:
        """A single shard."""
        return [{"ShardId": "shardId-1"}], False

    def iterator(self, _arn: str, shard: str, *_: object) -> str:
        """Of that shard."""
        return f"iterator of {shard}"

    def records(self, iterator: str, *_: object) -> None:
        """None."""
        assert iterator == "iterator of shardId-1"


class FakeDoor:
    """Answers every request as an empty table does."""

    access = Access()

    def describe(self, table: str) -> TableDescription:
        """A table without an index or a stream."""
        assert table == "reviews"
        return BARE

    def call(self, operation: str, **_: object) -> dict[str, Any]:
        """No destination."""
        assert operation == "describe_kinesis_streaming_destination"
        return {"KinesisDataStreamDestinations": []}

    def query_page(self, *_: object) -> None:
        """Nothing is marked."""

    def describe_stream(self, arn: str) -> Any:
        """One shard."""
        assert arn == "arn:of:the:stream"
        return SimpleNamespace(shards=[{"ShardId": "shardId-1"}])

    def shard_iterator(self, _arn: str, shard: str, _at: str) -> str:
        """Of that shard."""
        return f"iterator of {shard}"

    def records(self, iterator: str) -> None:
        """None."""
        assert iterator == "iterator of shardId-1"


def test_the_registry_names_modules_with_a_kind() -> None:
    assert all(capture_kind.load(name) is capture_kind.load(name) for name in KINDS)

"""What `check --fix` changes in DynamoDB: the pending index, the stream. Each waits until the change is in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twinrow import clock
from twinrow.app.check.finding import Fix
from twinrow.app.terminal import say
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.errors import Transient, TwinrowError
from twinrow.sync.settings import PendingIndex
from twinrow.table_description import TableDescription

POLL_S = 1.0
WAIT_S_MAX = 1800.0
"""An index on a large table takes hours; whoever waits for it should not have to guess whether anything goes on."""
SAY_AGAIN_S = 60.0
STREAM_VIEW = "NEW_AND_OLD_IMAGES"
READ_UNITS_MIN = 5


def add_index(dynamodb: DynamoDB, description: TableDescription, pending: PendingIndex) -> Fix:
    """Add the pending index to a table that is in use."""
    kind = next(iter(pending.marks[0]))
    index: dict[str, Any] = {
        "IndexName": pending.index,
        "KeySchema": [{"AttributeName": pending.attribute, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    units = ""
    if description.provisioned_write:
        # Too little write capacity on an index throttles the app's own writes to the table.
        read, write = (
            max(READ_UNITS_MIN, int((description.provisioned_read or 0) / 4)),
            int(description.provisioned_write),
        )
        index["ProvisionedThroughput"] = {"ReadCapacityUnits": read, "WriteCapacityUnits": write}
        units = f" It gets {read} read and {write} write units of its own, to be paid for."
    defined = {one["AttributeName"]: one["AttributeType"] for one in description.raw.get("AttributeDefinitions", [])}
    defined[pending.attribute] = kind

    def act(stop: Stop) -> None:
        dynamodb.call(
            "update_table", where=f"table {description.name}", TableName=description.name,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": one} for name, one in defined.items()],
            GlobalSecondaryIndexUpdates=[{"Create": index}],
        )  # fmt: skip
        _wait(dynamodb, description.name, f"index {pending.index}", _index_is_active(pending.index), stop)

    return Fix(
        f"add the index {pending.index!r} on {pending.attribute!r} ({kind}), projection ALL",
        f"The index holds only items that carry {pending.attribute!r}: of {description.items:,} items those are "
        f"written into it now, and from then on each marked write, and each clearing of a mark, costs one more.{units} "
        f"Building it takes minutes; the table stays in use.",
        act,
    )


def turn_on_stream(dynamodb: DynamoDB, description: TableDescription) -> Fix:
    """Turn the stream on, with both images."""

    def act(stop: Stop) -> None:
        dynamodb.call(
            "update_table", where=f"table {description.name}", TableName=description.name,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": STREAM_VIEW},
        )  # fmt: skip
        _wait(dynamodb, description.name, "the stream", lambda told: bool(told.stream_arn), stop)

    return Fix(
        f"turn the stream on ({STREAM_VIEW})",
        "The stream itself costs nothing, reading it one stream read unit a GetRecords call. The table stays in use.",
        act,
    )


def wait_for_index(dynamodb: DynamoDB, description: TableDescription, index: str) -> Fix:
    """An index that is being built: nothing to change, only to wait."""
    return Fix(
        f"wait until the index {index!r} is ACTIVE", "Nothing is changed.",
        lambda stop: _wait(dynamodb, description.name, f"index {index}", _index_is_active(index), stop),
    )  # fmt: skip


def _index_is_active(name: str) -> Callable[[TableDescription], bool]:
    def active(told: TableDescription) -> bool:
        index = told.index(name)
        return index is not None and index.status == "ACTIVE"

    return active


def _wait(dynamodb: DynamoDB, table: str, what: str, through: Callable[[TableDescription], bool], stop: Stop) -> None:
    """Until the change is in force, at most WAIT_S_MAX; how long it takes is said.

    Raises TwinrowError when stopped, or when it takes longer: the change goes on by itself.
    """
    began, said, said_at = clock.monotonic(), "", 0.0
    while True:
        try:
            told = dynamodb.describe(table)
        except Transient as trouble:
            state = str(trouble)
        else:
            if through(told) and told.status == "ACTIVE":
                say(f"{table}: {what} is ready")
                return
            index_states = ", ".join(f"{one.name} {one.status}" for one in told.indexes if one.status != "ACTIVE")
            state = f"{told.status}{', ' + index_states if index_states else ''}"
        if not said:
            say(
                f"{table}: waiting for {what}, {WAIT_S_MAX / 60:g} min at most; Ctrl-C ends the waiting, not the change"
            )
        waited_s = clock.monotonic() - began
        if state != said or waited_s - said_at >= SAY_AGAIN_S:
            say(f"{table}: {state}, after {waited_s:.0f} s")
            said, said_at = state, waited_s
        if waited_s >= WAIT_S_MAX:
            raise TwinrowError(
                f"{what} is not ready after {waited_s / 60:.0f} min ({state}); DynamoDB goes on by itself",
                where=f"table {table}", remedy="twinrow check, later",
            )  # fmt: skip
        if stop.wait(POLL_S):
            raise TwinrowError(
                f"stopped waiting for {what}; DynamoDB goes on by itself", where=f"table {table}",
                remedy="twinrow check",
            )  # fmt: skip

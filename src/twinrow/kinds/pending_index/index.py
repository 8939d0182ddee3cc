"""The index on the mark: can it be asked for the marks, how is it added, and which index seems to be it (pure)?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twinrow.capture_kind import TableChange
from twinrow.errors import StartRefused
from twinrow.table_description import IndexDescription, TableDescription

if TYPE_CHECKING:
    from twinrow.table.settings import PendingIndex

MARK_WORDS = ("migrated", "pending", "synced", "copied", "exported")
READ_UNITS_MIN = 5


def check_index(pending: PendingIndex, description: TableDescription, where: str) -> None:
    """Raise StartRefused where the index is not there, is not ready, or cannot be asked for the marks."""
    index = description.index(pending.index)
    if index is None:
        raise StartRefused(
            f"has no index {pending.index!r}",
            where=where,
            remedy="twinrow check --fix adds it",
            commands=("twinrow check --fix",),
            by_fix=True,
        )
    if index.status == "DELETING":
        raise StartRefused(
            f"index {pending.index!r} is being deleted",
            where=where,
            remedy="once it is gone, twinrow check --fix adds it",
            commands=("twinrow check --fix",),
        )
    if index.hashes > 1:
        names = ", ".join(repr(name) for name, _ in index.keys[: index.hashes])
        raise StartRefused(
            f"index {pending.index!r} has several hash attributes ({names}): no query for a mark alone can read it",
            where=where, remedy=f"set `index` to an index whose only hash attribute is {pending.attribute!r}",
        )  # fmt: skip
    name, kind = index.keys[0]
    if name != pending.attribute:
        raise StartRefused(
            f"index {pending.index!r} has the hash key {name!r}, not {pending.attribute!r}", where=where,
            remedy="set `attribute` to it, or another `index`",
        )  # fmt: skip
    if any(kind not in mark for mark in (*pending.marks, *([pending.done] if pending.done else []))):
        raise StartRefused(
            f"index {pending.index!r} wants marks of type {kind}, the configuration has another", where=where,
            remedy='write pending = ["false"] for S, pending = [0] for N',
        )  # fmt: skip
    if index.status not in ("ACTIVE", "UPDATING", ""):  # UPDATING: its capacity changes, it can be read
        raise StartRefused(
            f"index {pending.index!r} is {index.status}", where=where, remedy="wait until it is ACTIVE", by_fix=True
        )


def add_index(description: TableDescription, pending: PendingIndex) -> TableChange:
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
    defined = {
        known["AttributeName"]: known["AttributeType"] for known in description.raw.get("AttributeDefinitions", [])
    }
    defined[pending.attribute] = kind
    return TableChange(
        f"add the index {pending.index!r} on {pending.attribute!r} ({kind}), projection ALL",
        f"The index holds only items that carry {pending.attribute!r}. DynamoDB now writes those of the "
        f"{description.items:,} items into it. Later, each marked write, and each clearing of a mark, costs a write "
        f"more.{units} Building it takes minutes; the table stays in use.",
        {
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": type_} for name, type_ in defined.items()
            ],
            "GlobalSecondaryIndexUpdates": [{"Create": index}],
        },
        f"index {pending.index}",
        lambda now: is_active(now, pending.index),
        makes="index",
        name=pending.index,
    )


def wait_for_index(name: str) -> TableChange:
    """An index that is being built: nothing to change, only to wait."""
    return TableChange(
        f"wait until the index {name!r} is ACTIVE", "Nothing is changed.", None, f"index {name}",
        lambda now: is_active(now, name),
    )  # fmt: skip


def is_active(description: TableDescription, name: str) -> bool:
    """Whether the index is there and can be read."""
    index = description.index(name)
    return index is not None and index.status == "ACTIVE"


def mark_index(description: TableDescription) -> IndexDescription | None:
    """An index that seems to be on a mark: its only key is a hash attribute, named as people name marks."""
    keys = {name for name, _ in description.keys}
    for index in description.indexes:
        name = index.keys[0][0]
        if len(index.keys) == 1 and name not in keys and any(word in name.lower() for word in MARK_WORDS):
            return index
    return None

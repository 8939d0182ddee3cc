"""Which values are marks, and which indexes can be asked for them."""

from __future__ import annotations

from typing import Any

import pytest

from twinrow.errors import StartRefused
from twinrow.kinds.pending_index.index import check_index
from twinrow.table.settings import PendingIndex, same_mark
from twinrow.table_description import TableDescription, described

LARGE = str(2**53)


@pytest.mark.parametrize(
    ("value", "mark", "same"),
    [
        ({"N": "0"}, {"N": "0"}, True),
        ({"N": "0.0"}, {"N": "0"}, True),
        ({"N": "1E2"}, {"N": "100"}, True),
        ({"N": str(2**53 + 1)}, {"N": LARGE}, False),
        ({"N": "0.1000000000000000000001"}, {"N": "0.1"}, False),
        ({"S": "0"}, {"N": "0"}, False),
        ({"S": "false"}, {"S": "false"}, True),
        ({"N": "zero"}, {"N": "0"}, False),
        ({}, {"N": "0"}, False),
        ("0", {"N": "0"}, False),
        ({"N": None}, {"N": "0"}, False),
    ],
)
def test_marks_are_compared_exactly(value: Any, mark: dict[str, str], same: bool) -> None:
    assert same_mark(value, mark) is same


def table(*index_keys: tuple[str, str]) -> TableDescription:
    names = {"user", *(name for name, _ in index_keys)}
    return described({
        "TableName": "t",
        "KeySchema": [{"AttributeName": "user", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        "GlobalSecondaryIndexes": [{
            "IndexName": "marks", "Projection": {"ProjectionType": "ALL"}, "IndexStatus": "ACTIVE",
            "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in index_keys],
        }],
    })  # fmt: skip


PENDING = PendingIndex("marks", "mark", ({"S": "false"},), None, None)


def test_an_index_with_several_hash_attributes_is_refused() -> None:
    """DynamoDB takes up to four; a query has to name a value of each."""
    with pytest.raises(StartRefused, match=r"several hash attributes \('mark', 'tenant'\)"):
        check_index(PENDING, table(("mark", "HASH"), ("tenant", "HASH"), ("at", "RANGE")), "table t")


def test_an_index_with_several_sort_attributes_is_taken() -> None:
    description = table(("mark", "HASH"), ("at", "RANGE"), ("rank", "RANGE"))
    check_index(PENDING, description, "table t")
    assert [name for name, _ in description.indexes[0].keys[description.indexes[0].hashes :]] == ["at", "rank"]

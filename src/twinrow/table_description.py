"""What DescribeTable tells of a table and its indexes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

SOURCE_MARK: Final = ":"
"""Stands between a source's name and a table's; no table of DynamoDB has it in its name."""


@dataclass(frozen=True, slots=True)
class IndexDescription:
    """A global secondary index, as DescribeTable tells it; while it is DELETING its keys' types may be untold ("").

    The first `hashes` of its keys are hash attributes: an index may have several of these, and of sort attributes.
    """

    name: str
    keys: tuple[tuple[str, str], ...]
    projection: str
    included: tuple[str, ...]
    status: str
    items: int = 0
    hashes: int = 1
    provisioned_read: float | None = None
    provisioned_write: float | None = None


@dataclass(frozen=True)
class TableDescription:
    """What DescribeTable tells: keys as (name, S|N|B), item count and bytes (6 hours old)."""

    name: str
    arn: str
    table_id: str
    status: str
    keys: tuple[tuple[str, str], ...]
    items: int
    bytes: int
    indexes: tuple[IndexDescription, ...]
    stream_arn: str | None
    stream_view: str | None
    provisioned_read: float | None
    provisioned_write: float | None
    replicas: tuple[str, ...]
    raw: dict[str, Any] = field(default_factory=dict, repr=False)

    def index(self, name: str) -> IndexDescription | None:
        """The index of that name, or None."""
        return next((one for one in self.indexes if one.name == name), None)


def _units(throughput: dict[str, Any] | None, name: str) -> float | None:
    """Provisioned units a second; None on demand, where DescribeTable answers 0 or leaves them out."""
    return float((throughput or {}).get(name, 0)) or None


def described(told: dict[str, Any]) -> TableDescription:
    """The description in DescribeTable's answer (AWS API reference, TableDescription)."""
    kinds = {one["AttributeName"]: one["AttributeType"] for one in told.get("AttributeDefinitions", [])}

    def keys(schema: list[dict[str, str]]) -> tuple[tuple[str, str], ...]:
        ordered = sorted(schema, key=lambda one: one["KeyType"] != "HASH")
        return tuple((one["AttributeName"], kinds.get(one["AttributeName"], "")) for one in ordered)

    on_demand = told.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    throughput = told.get("ProvisionedThroughput")
    stream = told.get("StreamSpecification") or {}
    return TableDescription(
        name=told["TableName"],
        arn=told.get("TableArn", ""),
        table_id=told.get("TableId", ""),
        status=told.get("TableStatus", ""),
        keys=keys(told["KeySchema"]),
        items=int(told.get("ItemCount", 0)),
        bytes=int(told.get("TableSizeBytes", 0)),
        indexes=tuple(
            IndexDescription(
                index["IndexName"], keys(index["KeySchema"]), index["Projection"].get("ProjectionType", "ALL"),
                tuple(index["Projection"].get("NonKeyAttributes", ())), index.get("IndexStatus", ""),
                int(index.get("ItemCount", 0)), sum(key["KeyType"] == "HASH" for key in index["KeySchema"]),
                _units(index.get("ProvisionedThroughput"), "ReadCapacityUnits"),
                _units(index.get("ProvisionedThroughput"), "WriteCapacityUnits"),
            )
            for index in told.get("GlobalSecondaryIndexes", [])
        ),
        stream_arn=told.get("LatestStreamArn") if stream.get("StreamEnabled") else None,
        stream_view=stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        provisioned_read=None if on_demand else _units(throughput, "ReadCapacityUnits"),
        provisioned_write=None if on_demand else _units(throughput, "WriteCapacityUnits"),
        replicas=tuple(one.get("RegionName", "") for one in told.get("Replicas", [])),
        raw=told,
    )  # fmt: skip


def name_in_dynamodb(table: str) -> str:
    """The table's own name, as DynamoDB has it: what Twinrow calls `SOURCE:NAME` is NAME there."""
    return table.rpartition(SOURCE_MARK)[2]

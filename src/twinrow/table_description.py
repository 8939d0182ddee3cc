"""The description of a table and its indexes, as DescribeTable gives it."""

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


@dataclass(frozen=True, slots=True)
class Streaming:
    """How DynamoDB writes a table's changes to a Kinesis stream; asked for by `capture = "kinesis"` alone.

    `name`: the stream's ARN and when it was made, since a stream made anew has the same ARN. `status`: that of the
    destination as DynamoDB has it, ABSENT where the table has no such destination, STREAM_ABSENT where there is no such
    stream, UNKNOWN where DynamoDB cannot be asked (DynamoDB Local). `record_kib_max`: changes whose records would be
    larger are left out. `scatters`: the records of a key are spread over the shards.
    """

    name: str
    status: str
    precision: str = ""
    retention_s: float = 0.0
    record_kib_max: int | None = None
    shards: int = 0
    scatters: bool = False


@dataclass(frozen=True)
class TableDescription:
    """A table as DescribeTable shows it: keys as (name, S|N|B), item count and bytes (6 hours old).

    `streaming` is None where nobody has asked for it. `sealed`: key attributes are hashed, and `keys` are as rows have
    them.
    """

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
    streaming: Streaming | None = None
    sealed: bool = False

    def index(self, name: str) -> IndexDescription | None:
        """The index of that name, or None."""
        return next((index for index in self.indexes if index.name == name), None)


def _units(throughput: dict[str, Any] | None, name: str) -> float | None:
    """Provisioned units a second; None on demand, where DescribeTable answers 0 or leaves them out."""
    return float((throughput or {}).get(name, 0)) or None


def described(answer: dict[str, Any]) -> TableDescription:
    """The description in DescribeTable's answer (AWS API reference, TableDescription)."""
    kinds = {each["AttributeName"]: each["AttributeType"] for each in answer.get("AttributeDefinitions", [])}

    def keys(schema: list[dict[str, str]]) -> tuple[tuple[str, str], ...]:
        ordered = sorted(schema, key=lambda key: key["KeyType"] != "HASH")
        return tuple((key["AttributeName"], kinds.get(key["AttributeName"], "")) for key in ordered)

    on_demand = answer.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    throughput = answer.get("ProvisionedThroughput")
    stream = answer.get("StreamSpecification") or {}
    return TableDescription(
        name=answer["TableName"],
        arn=answer.get("TableArn", ""),
        table_id=answer.get("TableId", ""),
        status=answer.get("TableStatus", ""),
        keys=keys(answer["KeySchema"]),
        items=int(answer.get("ItemCount", 0)),
        bytes=int(answer.get("TableSizeBytes", 0)),
        indexes=tuple(
            IndexDescription(
                index["IndexName"], keys(index["KeySchema"]), index["Projection"].get("ProjectionType", "ALL"),
                tuple(index["Projection"].get("NonKeyAttributes", ())), index.get("IndexStatus", ""),
                int(index.get("ItemCount", 0)), sum(key["KeyType"] == "HASH" for key in index["KeySchema"]),
                _units(index.get("ProvisionedThroughput"), "ReadCapacityUnits"),
                _units(index.get("ProvisionedThroughput"), "WriteCapacityUnits"),
            )
            for index in answer.get("GlobalSecondaryIndexes", [])
        ),
        stream_arn=answer.get("LatestStreamArn") if stream.get("StreamEnabled") else None,
        stream_view=stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        provisioned_read=None if on_demand else _units(throughput, "ReadCapacityUnits"),
        provisioned_write=None if on_demand else _units(throughput, "WriteCapacityUnits"),
        replicas=tuple(replica.get("RegionName", "") for replica in answer.get("Replicas", [])),
        raw=answer,
    )  # fmt: skip


def name_in_dynamodb(table: str) -> str:
    """The table's own name, as DynamoDB has it: what Twinrow calls `SOURCE:NAME` is NAME there."""
    return table.rpartition(SOURCE_MARK)[2]

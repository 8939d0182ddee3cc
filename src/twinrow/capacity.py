"""How many capacity units a second the work on a table may take: the settings, and what DynamoDB says of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from twinrow.table_description import TableDescription

PROVISIONED_SHARE: Final = 0.25
ON_DEMAND_READ_UNITS: Final = 1000.0
ON_DEMAND_WRITE_UNITS: Final = 200.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """The settings of a table's capacity; by default the app's share comes first.

    `read_max` and `write_max` are units a second, None where they are not given. `loopback`: the endpoint is on this
    machine, so there is no capacity to spare. `index`: the pending index; link writes take its capacity, too.
    """

    read_max: float | None = None
    write_max: float | None = None
    loopback: bool = False
    index: str | None = None


def limits(capacity: Capacity, description: TableDescription) -> tuple[float | None, float | None]:
    """(read, write) units per second that this table's work may take; None is no bound.

    25 % of what is provisioned (of the table or of the pending index, whichever has less, for link writes take both),
    1,000 and 200 on demand, no bound on a loopback endpoint; the configuration's own figures come first.
    """
    read: float | None = None
    write: float | None = None
    if not capacity.loopback:
        provisioned_read, provisioned_write = _provisioned(capacity, description)
        read = provisioned_read * PROVISIONED_SHARE if provisioned_read else ON_DEMAND_READ_UNITS
        write = provisioned_write * PROVISIONED_SHARE if provisioned_write else ON_DEMAND_WRITE_UNITS
    return capacity.read_max or read, capacity.write_max or write


def _provisioned(capacity: Capacity, description: TableDescription) -> tuple[float | None, float | None]:
    read, write = description.provisioned_read, description.provisioned_write
    index = description.index(capacity.index) if capacity.index is not None else None
    if index is not None:
        read = min(read, index.provisioned_read) if read and index.provisioned_read else read
        write = min(write, index.provisioned_write) if write and index.provisioned_write else write
    return read, write

"""The cost of an export (pure)."""

from __future__ import annotations

import math

DOLLARS_A_GB = 0.10
"""A GB exported, full or incremental, in us-east-1; other Regions pay other prices."""
RECOVERY_DOLLARS_A_GB_MONTH = 0.20
"""A GB and month of point-in-time recovery in us-east-1."""
DOLLARS_A_MILLION_READS = 0.125
"""On-demand read units in us-east-1."""
READ_BYTES_A_UNIT = 4096
"""A consistent read takes a unit for so many bytes."""
GB = 1e9
WINDOW_BYTES_MIN = 10_000_000
"""An incremental export is billed as 10 MB at least (DynamoDB Developer Guide; seen in real exports)."""
SECONDS_MIN = 300.0
"""Small exports took 5 to 6 minutes; DynamoDB promises no time."""


def full_dollars(table_bytes: int) -> float:
    """Price of a full export of a table of that size."""
    return table_bytes / GB * DOLLARS_A_GB


def windows_dollars(changed_bytes: float, windows: int) -> float:
    """Price of incremental exports of so many bytes of changes in all, in so many windows."""
    a_window = changed_bytes / windows if windows else 0.0
    return windows * max(a_window, WINDOW_BYTES_MIN) / GB * DOLLARS_A_GB


def pass_dollars(table_bytes: int) -> float:
    """Price of a consistent read of a whole table, on demand."""
    return table_bytes / READ_BYTES_A_UNIT * DOLLARS_A_MILLION_READS / 1e6


def recovery_dollars_a_month(table_bytes: int) -> float:
    """Price of point-in-time recovery for a table of that size."""
    return table_bytes / GB * RECOVERY_DOLLARS_A_GB_MONTH


def cents_up(dollars: float) -> float:
    """A price as it is shown: rounded up to a cent."""
    return math.ceil(dollars * 100 - 1e-9) / 100

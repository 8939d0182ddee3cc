"""The two kinds of server that rows are written to, and the values that travel to them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

Flavour = Literal["mysql", "mariadb"]
SqlValue = None | int | float | str | bytes | Decimal

COLLATION: Final[dict[Flavour, str]] = {"mysql": "utf8mb4_0900_bin", "mariadb": "utf8mb4_nopad_bin"}
"""Binary and NO PAD on both: `'a'` is neither `'a '` nor `'A'`."""

"""Rows in the form that LOAD DATA takes: one line a row, of its fingerprint, cells and extra."""

from __future__ import annotations

from dataclasses import dataclass

from twinrow.schema.row import FINGERPRINT_BYTES


@dataclass(frozen=True, slots=True)
class LoadText:
    """A page's rows as LOAD DATA takes them, made under one version of the schema; `keys` are their fingerprints."""

    schema_version: int
    keys: bytes
    data: bytes

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(self.keys) // FINGERPRINT_BYTES

    def has_any(self, keys: set[bytes]) -> bool:
        """Whether the row of one of these fingerprints is among them."""
        ours = (self.keys[at : at + FINGERPRINT_BYTES] for at in range(0, len(self.keys), FINGERPRINT_BYTES))
        return bool(keys) and not keys.isdisjoint(ours)

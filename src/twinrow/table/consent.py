"""Consents that a person gave on the command line. Each is good for the first thing that it allows."""

from __future__ import annotations


class Consent:
    """`--accept-table-id` (another table than the copied one), `--accept-deletes` (a mass delete), `--rekey`.

    `tables`: ARNs and ids of tables; `deletes`: how many rows the next pass may delete; `rekey`: values may be hashed
    anew with another secret.
    """

    def __init__(
        self, tables: frozenset[str] = frozenset(), deletes: int | None = None, *, rekey: bool = False
    ) -> None:
        self.rekey = rekey
        self._tables = tables
        self._deletes = deletes
        self._took_table = False

    @property
    def tables(self) -> frozenset[str]:
        """The tables that may be taken for the copied table."""
        return self._tables

    @property
    def deletes(self) -> int | None:
        """How many rows a pass may delete; None: no consent."""
        return self._deletes

    @property
    def took_table(self) -> bool:
        """Whether another table was taken."""
        return self._took_table

    def table_is_known(self, *, another: bool) -> None:
        """The table that is there belongs to the copy from now on: the consent was for this start."""
        self._took_table |= another
        self._tables = frozenset()

    def pass_is_over(self) -> None:
        """A pass has deleted what it found: the consent was for this pass."""
        self._deletes = None

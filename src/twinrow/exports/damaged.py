"""The reasons for which an export is refused."""

from __future__ import annotations

from twinrow.errors import Broken, StartRefused


class DamagedExport(Broken):
    """A file of an export is not what its manifest says; what was written from it must be read again consistently."""


class UnfitExport(StartRefused):
    """An export that must not be copied from: of another table, filtered, incomplete, or in a form not read."""

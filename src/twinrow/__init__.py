"""Twinrow keeps a MySQL copy of DynamoDB tables in step, and links every item to its row.

From Python: `twinrow.load("twinrow.toml")` gives a `Twinrow` with `sync_once()`, `verify()` and `status()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twinrow.app.library import Synced, SyncFailed, TableSynced, Twinrow, Verified, load
    from twinrow.app.observe.status import Status, TableStatus
    from twinrow.errors import ConfigError, TwinrowError
    from twinrow.verify.verdict import Verdict

    __version__: str

__all__ = [
    "ConfigError", "Status", "SyncFailed", "Synced", "TableStatus", "TableSynced", "Twinrow", "TwinrowError", "Verdict",
    "Verified", "__version__", "load",
]  # fmt: skip

_HOMES = {
    "ConfigError": "twinrow.errors",
    "TwinrowError": "twinrow.errors",
    "Status": "twinrow.app.observe.status",
    "TableStatus": "twinrow.app.observe.status",
    "Verdict": "twinrow.verify.verdict",
}


def __getattr__(name: str) -> Any:
    # Looked up when asked for: the command line starts without the library, and reading the installed package's
    # metadata takes longer than importing the rest of it.
    if name == "__version__":
        from importlib.metadata import version

        return version("twinrow")
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(_HOMES.get(name, "twinrow.app.library")), name)
    raise AttributeError(f"module 'twinrow' has no attribute {name!r}")

"""Twinrow keeps a MySQL copy of DynamoDB tables in step, and links every item to its row."""

from __future__ import annotations

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    # Looked up when asked for: reading the installed package's metadata takes longer than importing the rest of it.
    if name == "__version__":
        from importlib.metadata import version

        return version("twinrow")
    raise AttributeError(f"module 'twinrow' has no attribute {name!r}")

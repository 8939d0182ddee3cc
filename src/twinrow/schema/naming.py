"""Names of columns: the attribute's own where MySQL can tell it from all others, else a readable form with a suffix."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from functools import lru_cache
from hashlib import blake2b
from typing import Final

NAME_CHARACTERS_MAX: Final = 64
"""MySQL manual, "Identifier Length Limits"; MariaDB has the same."""
OWN_PREFIX: Final = "_twinrow_"
_SUFFIX_DIGITS_MIN: Final = 6
_SUFFIX_DIGITS_MAX: Final = 32
_CHARACTER_MAX: Final = "\uffff"

RESERVED: Final = frozenset({"row_id", "fts_doc_id"})
"""`row_id` is ours; a full-text index looks for `FTS_DOC_ID` and refuses it in another type or case."""
RESERVED_PREFIXES: Final = (OWN_PREFIX, "db_row_id", "db_trx_id", "db_roll_ptr")
"""The beginnings of our own names and of InnoDB's: MySQL 9.7 takes every column with such a name for a system column,
and once it is added with ALGORITHM=INSTANT, other columns are read wrong or the server crashes (measured)."""


@lru_cache(maxsize=8192)
def fold(name: str) -> str:
    """Return the form under which names count as equal: wider than any that MySQL or MariaDB compares names with.

    Compatibility decomposition, marks stripped, case folded. CREATE TABLE compares lower-case forms (`İ` is `i`), but
    information_schema compares by utf8mb3_general_ci, which goes further. Every step works character by character, so
    that equal characters make equal names; measured for every character on MySQL 9.7 and MariaDB 10.11.
    """
    decomposed = unicodedata.normalize("NFKD", name.translate(_SERVER_EQUALS))
    bare = "".join(char for char in decomposed if unicodedata.category(char)[0] != "M")
    again = unicodedata.normalize("NFKD", bare.casefold())
    return "".join(char for char in again if unicodedata.category(char)[0] != "M")


_SERVER_EQUALS: Final = str.maketrans(
    {"\N{LATIN SMALL LETTER DOTLESS I}": "i", "ß": "s", "ẞ": "s", "\N{COMBINING GREEK YPOGEGRAMMENI}": "\u03b9"}
)
"""Letters that utf8mb3_general_ci takes for equal, beyond decomposition, marks and case."""


def column_name(attribute: str, taken: Collection[str]) -> str:
    """Return the column of an attribute, unequal under `fold` to every name in `taken` and to Twinrow's own names.

    The same attribute and the same names taken give the same column. Raises ValueError for an empty attribute name.
    """
    if not attribute:
        raise ValueError("an attribute name is never empty")
    folded = {fold(name) for name in taken}
    if valid_name(attribute) and not is_reserved(attribute) and fold(attribute) not in folded:
        return attribute
    readable = "".join("_" if _unfit(char) else char for char in attribute).rstrip()
    if fold(f"{readable}_").startswith(RESERVED_PREFIXES):
        # With a suffix behind it even `_TWINROW` would begin as our names do.
        readable = f"attribute_{readable.lstrip('_')}"
    digits = blake2b(attribute.encode("utf-8", "surrogatepass"), digest_size=_SUFFIX_DIGITS_MAX // 2).hexdigest()
    for length in range(_SUFFIX_DIGITS_MIN, _SUFFIX_DIGITS_MAX + 1):
        name = f"{readable[: NAME_CHARACTERS_MAX - length - 1]}_{digits[:length]}"
        if fold(name) not in folded:
            return name
    raise ValueError(f"no column name is left for attribute {attribute!r}")


def valid_name(name: str) -> bool:
    """Whether both servers take a column of this name, quoted, and keep it as it is."""
    return (
        0 < len(name) <= NAME_CHARACTERS_MAX
        and not any(map(_unfit, name))
        and name == name.rstrip()
    )  # fmt: skip


def is_reserved(name: str) -> bool:
    """Whether a name is Twinrow's own or InnoDB's."""
    folded = fold(name)
    return folded in RESERVED or folded.startswith(RESERVED_PREFIXES)


def _unfit(character: str) -> bool:
    """NUL ends a name, names are utf8mb3 (nothing above U+FFFF), and a surrogate is no character."""
    return character == "\0" or character > _CHARACTER_MAX or "\ud800" <= character <= "\udfff"


def quote(identifier: str) -> str:
    """Return an identifier in backticks. Raises ValueError for what MySQL cannot have as a name."""
    if not identifier or any(map(_unfit, identifier)):
        raise ValueError(f"not a MySQL name: {identifier!r}")
    return "`" + identifier.replace("`", "``") + "`"

"""`twinrow init`: from what is there to a commented configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from twinrow.config import Capture
from twinrow.dynamodb import DynamoDB
from twinrow.errors import TwinrowError
from twinrow.schema.naming import NAME_CHARACTERS_MAX, OWN_PREFIX, column_name, valid_name
from twinrow.table_description import IndexDescription, TableDescription

PASSWORD_VARIABLE = "MYSQL_PASSWORD"  # noqa: S105 - the variable's name
SCAN_ITEMS_MAX = 20_000
"""Up to so many items a pass over the whole table is cheap enough to be the capture."""
MARK_WORDS = ("migrated", "pending", "synced", "copied", "exported")


@dataclass(frozen=True, slots=True)
class Choice:
    """A table to be copied, and how."""

    description: TableDescription
    capture: Capture


def describe_all(dynamodb: DynamoDB, names: Sequence[str]) -> Iterator[TableDescription]:
    """The tables named, or all there are. Raises TwinrowError for one that is not there."""
    for name in names or dynamodb.tables():
        yield dynamodb.describe(name)


def pending_index(description: TableDescription) -> IndexDescription | None:
    """An index that looks like one on a mark: a hash key alone, named as people name marks."""
    keys = {name for name, _ in description.keys}
    for index in description.indexes:
        name = index.keys[0][0]
        if len(index.keys) == 1 and name not in keys and any(word in name.lower() for word in MARK_WORDS):
            return index
    return None


def suggested(description: TableDescription) -> Capture:
    """The capture that fits what the table has; `check --fix` adds what is missing."""
    if pending_index(description) is not None:
        return "pending-index"
    if description.stream_arn is None and description.items <= SCAN_ITEMS_MAX:
        return "scan"
    return "stream"


def line(description: TableDescription) -> str:
    """One table in one line."""
    keys = " + ".join(f"{name} ({kind})" for name, kind in description.keys)
    stream = description.stream_view or "no stream"
    indexes = ", ".join(one.name for one in description.indexes) or "no index"
    size = f"about {description.items:,} items, {description.bytes:,} bytes"
    return f"{description.name}: {size}; {keys}; {stream}; {indexes}"


def without_password(url: str) -> tuple[str, str]:
    """(the URL with `${MYSQL_PASSWORD}` in the place of a literal password, that password or nothing).

    A URL that cannot be read stays as it is: whoever takes it apart says so.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url, ""
    login, at, server = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    if not at or not password or password.startswith("${"):
        return url, ""
    return urlunsplit(parts._replace(netloc=f"{user}:${{{PASSWORD_VARIABLE}}}@{server}")), password


def render(region: str, endpoint_url: str | None, mysql_url: str, choices: Sequence[Choice]) -> str:
    """The text of `twinrow.toml`. Raises TwinrowError when there is nothing to copy."""
    if not choices:
        raise TwinrowError("there is no table to copy", remedy="check --region, --endpoint-url and the credentials")
    parts = [
        "# Twinrow keeps a MySQL copy of these DynamoDB tables in step. Every key: docs/config.md\n",
        "[dynamodb]",
        f"region = {_text(region)}",
        f"endpoint_url = {_text(endpoint_url)}"
        if endpoint_url
        else '# endpoint_url = "http://127.0.0.1:8000"   # DynamoDB Local',
        "",
        "[mysql]",
        "# ${NAME} takes an environment variable; TLS options are query parameters, as ?ssl_mode=REQUIRED",
        f"url = {_text(mysql_url)}",
    ]
    for choice in choices:
        parts += ["", *_table(choice)]
    return "\n".join(parts) + "\n"


def _table(choice: Choice) -> list[str]:
    told = choice.description
    lines = [
        f"# about {told.items:,} items, {told.bytes:,} bytes",
        "[[tables]]",
        f"name = {_text(told.name)}",
        f"capture = {_text(choice.capture)}" + _why(choice.capture),
    ]
    if not valid_name(told.name):
        lines.append(
            f"into = {_text(column_name(told.name, ()))}        # MySQL takes {NAME_CHARACTERS_MAX} characters"
        )
    elif told.name.casefold().startswith(OWN_PREFIX):
        lines.append(f"into = {_text(told.name.lstrip('_'))}        # names with {OWN_PREFIX} are Twinrow's own")
    if choice.capture == "scan":
        lines.append('reconcile_every = "15m"        # a pass over the whole table reads bytes / 8192 units')
    elif choice.capture == "pending-index":
        lines.append(
            '# reconcile_every = "24h"      # sees unmarked writes and hard deletes, too; reads the whole table'
        )
    lines.append('# deletes = "soft"             # keep the rows of deleted items, and set _twinrow_deleted_at')
    lines.append(
        "# read_capacity_max = 500      # units a second; default: 25 % of what is provisioned, on demand 1,000"
    )
    if choice.capture == "pending-index":
        lines += _pending(told)
    return lines


def _why(capture: Capture) -> str:
    words: dict[Literal["pending-index", "stream", "scan"], str] = {
        "pending-index": "      # the app marks every write; the copy reads what is marked",
        "stream": "             # every change, from the table's stream",
        "scan": "               # small tables: the whole table, again and again",
    }
    return words[capture]


def _pending(told: TableDescription) -> list[str]:
    index = pending_index(told)
    name, (attribute, kind) = (
        (index.name, index.keys[0]) if index is not None else ("migrated-index", ("migrated", "S"))
    )
    missing = "" if index is not None else "   # `twinrow check --fix` adds it"
    return [
        "",
        "[tables.pending_index]",
        f"index = {_text(name)}{missing}",
        f"attribute = {_text(attribute)}       # the app writes one of `pending` here on every write",
        f"pending = [{'0' if kind == 'N' else _text('false')}]",
        'done = ""                      # the mark is removed; or the value to set in its place',
        '# deleted = "deleted"          # items in which this attribute is true count as deleted',
    ]


def _text(text: str) -> str:
    """A TOML basic string: JSON's escapes are its escapes, but for surrogate pairs."""
    return json.dumps(text, ensure_ascii=False)

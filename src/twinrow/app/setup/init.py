"""`twinrow init`: from what is there to a commented configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from twinrow.capture_kind import KINDS, load
from twinrow.dynamodb import DynamoDB
from twinrow.errors import TwinrowError
from twinrow.schema.naming import NAME_CHARACTERS_MAX, OWN_PREFIX, column_name, valid_name
from twinrow.sync.kind import CaptureKind
from twinrow.table_description import TableDescription

PASSWORD_VARIABLE = "MYSQL_PASSWORD"  # noqa: S105 - the variable's name


@dataclass(frozen=True, slots=True)
class Choice:
    """A table to be copied, and how."""

    description: TableDescription
    capture: str


def describe_all(dynamodb: DynamoDB, names: Sequence[str]) -> Iterator[TableDescription]:
    """The tables named, or all there are. Raises TwinrowError for a table that does not exist."""
    for name in names or dynamodb.tables():
        yield dynamodb.describe(name)


def suggested(description: TableDescription) -> str:
    """The capture that fits what the table has; `check --fix` adds what is missing."""
    return max(KINDS, key=lambda name: _kind(name).suits(description))


def _kind(name: str) -> CaptureKind:
    kind: CaptureKind = load(name)
    return kind


def line(description: TableDescription) -> str:
    """A table in one line."""
    keys = " + ".join(f"{name} ({kind})" for name, kind in description.keys)
    stream = description.stream_view or "no stream"
    indexes = ", ".join(index.name for index in description.indexes) or "no index"
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
    description, template = choice.description, _kind(choice.capture).template(choice.description)
    lines = [
        f"# about {description.items:,} items, {description.bytes:,} bytes",
        "[[tables]]",
        f"name = {_text(description.name)}",
        f"capture = {_text(choice.capture)}" + template.comment,
    ]
    if not valid_name(description.name):
        lines.append(
            f"into = {_text(column_name(description.name, ()))}        # MySQL takes {NAME_CHARACTERS_MAX} characters"
        )
    elif description.name.casefold().startswith(OWN_PREFIX):
        lines.append(f"into = {_text(description.name.lstrip('_'))}        # names with {OWN_PREFIX} are Twinrow's own")
    lines += template.lines
    lines.append('# deletes = "soft"             # keep the rows of deleted items, and set _twinrow_deleted_at')
    lines.append(
        "# read_capacity_max = 500      # units a second; default: 25 % of what is provisioned, on demand 1,000"
    )
    return [*lines, *template.part]


def _text(text: str) -> str:
    """A TOML basic string: JSON's escapes are its escapes, but for surrogate pairs."""
    return json.dumps(text, ensure_ascii=False)

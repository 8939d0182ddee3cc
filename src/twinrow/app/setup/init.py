"""`twinrow init`: from what is there to a commented configuration."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

from twinrow.app.setup.choices import Choice, with_intos
from twinrow.app.setup.entries import defaults, entry, shared, text
from twinrow.errors import TwinrowError
from twinrow.table_description import TableDescription

PASSWORD_VARIABLE = "MYSQL_PASSWORD"  # noqa: S105 - the variable's name


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
        f"region = {text(region)}",
        f"endpoint_url = {text(endpoint_url)}"
        if endpoint_url
        else '# endpoint_url = "http://127.0.0.1:8000"   # DynamoDB Local',
        "",
        "[mysql]",
        "# ${NAME} takes an environment variable; TLS options are query parameters, as ?ssl_mode=REQUIRED",
        f"url = {text(mysql_url)}",
    ]
    named = with_intos(choices)
    both = shared(named)
    if both is not None:
        parts += ["", *defaults(both, next(choice for choice in named if choice.capture == both.capture))]
    for choice in named:
        parts += ["", *entry(choice, both)]
    return "\n".join(parts) + "\n"

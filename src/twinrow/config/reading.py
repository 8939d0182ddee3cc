"""From the text of `twinrow.toml` to a checked configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from twinrow import config_error
from twinrow.config.checks import check_duration, check_endpoint, check_sources
from twinrow.config.documents import Documents, text_of, together
from twinrow.config.mysql_url import mysql_config
from twinrow.config.notify import notify_places
from twinrow.config.resolve import resolved
from twinrow.config.settings import Config, File
from twinrow.errors import ConfigError


def load(path: str | Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read and check a configuration file. Raises ConfigError that names the key and the place."""
    return parse(text_of(Path(path)), str(path), environment)


def parse(
    text: str, place: str = "twinrow.toml", environment: Mapping[str, str] | None = None, *, tables_needed: bool = True
) -> Config:
    """Check the text of a configuration file; other files that it names are beside `place`. Raises ConfigError.

    Without `tables_needed`, a file that names no table yet is taken, too.
    """
    variables = os.environ if environment is None else environment
    documents = together(text, place, variables)
    file = _file(documents, place)
    check_sources(file.dynamodb, file.sources, place)
    check_endpoint("kinesis.endpoint_url", file.kinesis.endpoint_url, place)
    check_endpoint("s3.endpoint_url", file.s3.endpoint_url, place)
    check_duration("sync.discover_every", file.sync.discover_every, place)
    parts = resolved(documents.entries, [source.name for source in file.sources])
    if tables_needed and not parts.tables and not parts.patterns:
        raise ConfigError("names no table", where=place, remedy="add a [[tables]] part")
    mysql = mysql_config(file.mysql.url, place, variables, file.dynamodb.region)
    password = urlsplit(file.mysql.url).password
    literal = bool(password) and "${" not in str(password)
    return Config(
        file.dynamodb, mysql, tuple(parts.tables), file.sync, place, literal,
        sources=tuple(file.sources), patterns=tuple(parts.patterns), watched=documents.watched,
        notify=notify_places(file.notify, place),
        kinesis=file.kinesis,
        s3=file.s3,
        secret=file.protect.secret if file.protect is not None else "",
        literal_secret=_secret_is_literal(text, file),
    )  # fmt: skip


def _file(documents: Documents, place: str) -> File:
    """The sections; that each is there shows only when all files are put together."""
    try:
        return msgspec.convert(documents.sections, File)
    except msgspec.ValidationError as error:
        text = config_error.in_file_terms(str(error), File, documents.sections, None)
        raise ConfigError(text, where=place, remedy="see docs/config.md") from error


def _secret_is_literal(text: str, file: File) -> bool:
    """Whether the secret stands in the text of the file, where whoever reads the file has it."""
    return file.protect is not None and file.protect.secret in text

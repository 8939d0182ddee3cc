"""From the text of `twinrow.toml` to a checked configuration."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from twinrow import config_error
from twinrow.config.checks import check_tables
from twinrow.config.settings import ColumnConfig, Config, File, mysql_config
from twinrow.config.variables import fill
from twinrow.errors import ConfigError

_SOME_COLUMN = re.compile(r"\$\.tables\[(\d+)\]\.columns\[\.\.\.\]")
_ENDPOINT = re.compile(r"https?://[^/\s]", re.IGNORECASE)


def load(path: str | Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read and check a configuration file. Raises ConfigError that names the key and the place."""
    place = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # some editors put a mark before the first line
    except FileNotFoundError:
        raise ConfigError(
            "no such file", where=place, remedy="write one with `twinrow init`, or name it with -c FILE"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=place) from error
    return parse(text, place, environment)


def parse(text: str, place: str = "twinrow.toml", environment: Mapping[str, str] | None = None) -> Config:
    """Check the text of a configuration file. Raises ConfigError."""
    variables = os.environ if environment is None else environment
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", where=place) from error
    filled = fill(raw, variables, place)
    try:
        file = msgspec.convert(filled, File)
    except msgspec.ValidationError as error:
        told = config_error.told(str(error), File, filled, _override_meant(str(error), filled))
        raise ConfigError(told, where=place, remedy="see docs/config.md") from error
    check_tables(file.tables, place)
    if file.dynamodb.endpoint_url is not None and not _ENDPOINT.match(file.dynamodb.endpoint_url):
        raise ConfigError("`dynamodb.endpoint_url` is no address", where=place, remedy="write http://HOST:PORT")
    mysql = mysql_config(file.mysql.url, place, variables)
    password = urlsplit(file.mysql.url).password
    literal = bool(password) and "${" not in str(password)
    return Config(file.dynamodb, mysql, tuple(file.tables), file.sync, place, literal)


def _override_meant(message: str, filled: dict[str, Any]) -> str | None:
    """The attribute of the override that msgspec means: it says `columns[...]` whichever it is."""
    found = _SOME_COLUMN.search(message)
    for attribute, column in filled["tables"][int(found[1])]["columns"].items() if found is not None else ():
        try:
            msgspec.convert(column, ColumnConfig)
        except msgspec.ValidationError:
            return str(attribute)
    return None

"""The servers of the demo: its own, started on free ports, or those it is given."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from twinrow import config as configuration
from twinrow.app.terminal import say
from twinrow.config import Config
from twinrow.flavour import Flavour
from twinrow.local_servers.process import ServerError
from twinrow.local_servers.servers import DynamoDBLocal, MySQLServer
from twinrow.mysql import MySQL

DATABASE = "demo"
OWNER_ONLY = 0o600
CONFIG = """\
[dynamodb]
region = "{region}"
endpoint_url = "{endpoint_url}"

[mysql]
url = "{url}"

"""
REVIEWS = """\
[[tables]]
name = "{table}"
capture = "pending-index"
link = true
link_attribute = "mysql_id"
read_capacity_max = 100000
write_capacity_max = 100000

[tables.pending_index]
index = "migrated-index"
attribute = "migrated"
pending = ["false"]
done = ""
deleted = "deleted"
"""


@dataclass(frozen=True)
class Place:
    """Where the demo runs: its configuration as a file, and whether the table has to be taken away in the end."""

    config: Config
    path: Path
    table: str
    given: bool


@contextmanager
def place(
    endpoint_url: str | None, mysql_url: str | None, name: str = "reviews", entry: str = REVIEWS
) -> Iterator[Place]:
    """Servers and configuration, until the end of the `with`. Raises ServerError, ConfigError.

    `entry` is the part of the table, with `{table}` for its name and `{prefix}` for that of further MySQL tables.
    """
    given = endpoint_url is not None or mysql_url is not None
    _credentials(own=endpoint_url is None)
    with ExitStack() as stack:
        if endpoint_url is None:
            say("starting DynamoDB Local …")
            endpoint_url = stack.enter_context(DynamoDBLocal.start()).endpoint_url
        if mysql_url is None:
            mysql_url = _own_mysql(stack)
        folder = Path(tempfile.mkdtemp(prefix="twinrow-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        # A table of the same name may be somebody's on servers that are not the demo's own.
        table = f"{name}_demo_{uuid.uuid4().hex[:6]}" if given else name
        path = folder / "twinrow.toml"
        text = CONFIG.format(
            region=os.environ["AWS_DEFAULT_REGION"],
            endpoint_url=_quoted(endpoint_url),
            url=_quoted(mysql_url),
        )
        text += entry.format(table=table, prefix=f"{table}_" if given else "")
        path.touch(OWNER_ONLY)
        path.write_text(text, encoding="utf-8")
        yield Place(configuration.load(path), path, table, given)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _credentials(*, own: bool) -> None:
    """DynamoDB Local takes any credentials, but wants some; the user's own are not for it."""
    if own or "AWS_ACCESS_KEY_ID" not in os.environ:
        os.environ.update(AWS_ACCESS_KEY_ID="demo", AWS_SECRET_ACCESS_KEY="demo")  # noqa: S106 - guards nothing
        os.environ.pop("AWS_SESSION_TOKEN", None)
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")


def _own_mysql(stack: ExitStack) -> str:
    """MySQL where it is installed, else MariaDB."""
    flavours: tuple[Flavour, ...] = ("mysql", "mariadb")
    for flavour in flavours:
        say(f"starting {'MySQL' if flavour == 'mysql' else 'MariaDB'} …")
        try:
            server = stack.enter_context(MySQLServer.start(flavour))
        except ServerError as error:
            if flavour == flavours[-1]:
                raise
            say(f"  {error}")
            continue
        # A session needs a database, and this database always exists.
        there = configuration.mysql_config(server.url("information_schema"), "demo", {})
        session = MySQL(there).connect()
        session.execute(f"CREATE DATABASE IF NOT EXISTS `{DATABASE}`")
        session.close()
        return server.url(DATABASE)
    raise ServerError("no server could be started")

"""Servers for tests: started when first asked for, once for each test process, gone with it."""

from __future__ import annotations

import os
import uuid
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import settings
from tests.fixtures import s3, tables
from tests.fixtures.copying import PENDING_INDEX, Copying
from tests.fixtures.databases import Database
from tests.fixtures.s3 import LocalS3

from twinrow.flavour import Flavour
from twinrow.local_servers.kinesis import KinesisLocal
from twinrow.local_servers.servers import DynamoDBLocal, MySQLServer

FLAVOURS: tuple[Flavour, ...] = ("mysql", "mariadb")

# Every character that means something in a URL, in TOML, in SQL or to a shell: whoever pastes it together fails here.
ROOT_PASSWORD = "o'dd p@ss:w/o?r#d%20&+\\\"$x`"


class MakeTable(Protocol):
    """Creates a table as `tables.create_table` does and returns its name; it is deleted after the test."""

    def __call__(
        self,
        name: str | None = None,
        *,
        hash: str = "username:S",
        range: str | None = "reviewed_at:S",
        index: tables.Index | None = None,
        stream: str | None = None,
        client: Any = None,
    ) -> str: ...


class MakeCopying(Protocol):
    """Creates a reviews table with its pending index, and the configuration that copies it; see `Copying`."""

    def __call__(
        self,
        *,
        endpoint_url: str = "",
        mark: str = "migrated:S",
        projection: str | list[str] = "ALL",
        pending_index: dict[str, Any] | None = None,
        **options: Any,
    ) -> Copying: ...


Tell = Callable[[str], None]
FIGURES = "figures"

# Laws are tried with fewer examples at every commit; `make test` tries them in full.
settings.register_profile("quick", max_examples=20)

_SERVER_FIXTURES = frozenset({"_mysql_servers", "fresh_mysql_server", "dynamodb", "fresh_dynamodb", "kinesis"})
"""Whichever test asks for one of these, be it by another fixture, needs a server."""
_FLAVOUR_FIXTURES = ("mysql_server", "fresh_mysql_server")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--both-servers`: tests marked `either_server` run on both."""
    parser.addoption("--both-servers", action="store_true", help="run tests marked either_server on MySQL and MariaDB")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that need servers; leave out one server of each test that is the same on both."""
    for item in items:
        if _SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("servers")
    if config.getoption("--both-servers"):
        return
    left_out = [item for item in items if item.get_closest_marker("either_server") and not _is_on_its_server(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        skipped = set(left_out)
        items[:] = [item for item in items if item not in skipped]


def _is_on_its_server(item: pytest.Item) -> bool:
    """Whether a test runs on the server that its name chooses: half of such tests run on each, always the same half."""
    parameters = getattr(item, "callspec", None)
    flavour = next(
        (parameters.params[one] for one in _FLAVOUR_FIXTURES if parameters and one in parameters.params), None
    )
    if flavour is None:
        return True
    name = item.nodeid.replace(flavour, "")
    return bool(FLAVOURS[zlib.crc32(name.encode()) % len(FLAVOURS)] == flavour)


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """A function that takes a line of figures, printed when all tests have ended, whichever process ran them."""
    return lambda line: record_property(FIGURES, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of the tests that passed, at the end."""
    passed = terminalreporter.stats.get("passed", [])
    lines = [str(told) for one in passed for name, told in one.user_properties if name == FIGURES]
    if lines:
        terminalreporter.section("figures")
    for line in lines:
        terminalreporter.line(line)


@pytest.fixture(scope="session")
def _mysql_servers() -> Iterator[dict[Flavour, MySQLServer]]:
    # A parametrised session fixture ends whenever its parameter changes; the servers outlive that here.
    servers: dict[Flavour, MySQLServer] = {}
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="session", params=FLAVOURS)
def mysql_server(request: pytest.FixtureRequest, _mysql_servers: dict[Flavour, MySQLServer]) -> MySQLServer:
    """A running server that tests share, once MySQL and once MariaDB. To stop one, take `fresh_mysql_server`."""
    flavour: Flavour = request.param
    if flavour not in _mysql_servers:
        _mysql_servers[flavour] = MySQLServer.start(flavour, password=ROOT_PASSWORD)
    return _mysql_servers[flavour]


@pytest.fixture(params=FLAVOURS)
def fresh_mysql_server(request: pytest.FixtureRequest) -> Iterator[MySQLServer]:
    """A server for one test alone, to be killed and restarted, once MySQL and once MariaDB."""
    with MySQLServer.start(request.param, password=ROOT_PASSWORD) as server:
        yield server


@pytest.fixture(scope="session")
def _beside(_mysql_servers: dict[Flavour, MySQLServer]) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Takes work that no test waits for; the session ends when it is done, and fails where it failed."""
    with ThreadPoolExecutor(1) as pool:
        begun: list[Future[None]] = []
        yield lambda work: begun.append(pool.submit(work))
        for one in begun:
            one.result()


@pytest.fixture
def database(mysql_server: MySQLServer, _beside: Callable[[Callable[[], None]], None]) -> Iterator[Database]:
    """An empty database, once on MySQL and once on MariaDB; it is dropped beside the next test."""
    made = Database(mysql_server, f"test_{uuid.uuid4().hex[:12]}")
    made.create()
    yield made
    _beside(made.drop)


@pytest.fixture(scope="session")
def local_credentials() -> Iterator[None]:
    """Credentials and region for DynamoDB Local in the environment, whatever the developer's own are."""
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            environment.delenv(name)
        for name, value in tables.CREDENTIALS.items():
            environment.setenv(name, value)
        environment.setenv("AWS_DEFAULT_REGION", tables.REGION)
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            environment.setenv(name, os.devnull)
        yield


@pytest.fixture(scope="session")
def dynamodb(request: pytest.FixtureRequest, local_credentials: None) -> Iterator[DynamoDBLocal]:
    """DynamoDB Local, in memory, shared by tests."""
    with DynamoDBLocal.start(long_running=request.config.getoption("-m") == "faults") as server:
        yield server


@pytest.fixture(scope="session")
def dynamodb_client(dynamodb: DynamoDBLocal) -> Iterator[Any]:
    """A botocore client of the shared DynamoDB Local."""
    client = tables.client(dynamodb.endpoint_url)
    yield client
    client.close()


@pytest.fixture(scope="session")
def local_s3(local_credentials: None) -> Iterator[LocalS3]:
    """S3 with an empty bucket, shared by tests: each writes under a prefix of its own."""
    with s3.serving() as server:
        yield server


@pytest.fixture
def fresh_dynamodb(local_credentials: None) -> Iterator[DynamoDBLocal]:
    """A DynamoDB Local for one test alone (1.2 s): to be killed, or where streams of others would be in the way."""
    with DynamoDBLocal.start() as server:
        yield server


@pytest.fixture(scope="session")
def kinesis(local_credentials: None) -> Iterator[KinesisLocal]:
    """kinesis-local, in memory, shared by tests."""
    with KinesisLocal.start() as server:
        yield server


@pytest.fixture
def make_table(request: pytest.FixtureRequest) -> Iterator[MakeTable]:
    """A function that creates tables: on the shared DynamoDB Local, or on that of the `client` given."""
    with ExitStack() as clean_up:

        def make(
            name: str | None = None,
            *,
            hash: str = "username:S",
            range: str | None = "reviewed_at:S",
            index: tables.Index | None = None,
            stream: str | None = None,
            client: Any = None,
        ) -> str:
            # Asked for here, so that a test with a DynamoDB of its own does not start the shared one.
            on = client if client is not None else request.getfixturevalue("dynamodb_client")
            table = tables.create_table(on, name, hash=hash, range=range, index=index, stream=stream)
            if client is None:
                clean_up.callback(_delete_table, on, table)
            return table

        yield make


@pytest.fixture
def make_copying(
    database: Database, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, tmp_path: Path
) -> MakeCopying:
    """A function that creates a table to be copied into `database`; `pending_index` adds to what is usual."""

    def make(
        *,
        endpoint_url: str = "",
        mark: str = "migrated:S",
        projection: str | list[str] = "ALL",
        pending_index: dict[str, Any] | None = None,
        **options: Any,
    ) -> Copying:
        index = {**PENDING_INDEX, "attribute": mark.partition(":")[0], **(pending_index or {})}
        table = make_table(index=(str(index["index"]), mark, projection))
        wanted = {"capture": "pending-index", "pending_index": index, **options}
        if wanted["capture"] != "pending-index":
            del wanted["pending_index"]
        return Copying(database, dynamodb_client, endpoint_url or dynamodb.endpoint_url, tmp_path, {table: wanted})

    return make


def _delete_table(client: Any, table: str) -> None:
    try:
        client.delete_table(TableName=table)
    except client.exceptions.ResourceNotFoundException:
        # The test has deleted it itself.
        return

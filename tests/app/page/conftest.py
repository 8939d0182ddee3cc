"""A database to show, the page on a free port, and a headless browser."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.conftest import ROOT_PASSWORD
from tests.fixtures.databases import Database
from tests.fixtures.shown import Shown

from twinrow.app.observe import standing
from twinrow.app.observe.watch import StatusSource
from twinrow.app.serve.listen import Listening
from twinrow.app.serve.page.server import serve
from twinrow.clock import Stop
from twinrow.local_servers.servers import MySQLServer

MADE_UP_S_MAX = 3600.0
"""So old may made-up notes become while a test looks at them; a busy machine takes its time."""
TOKEN = "the-token-of-this-test"
CHROMIUM_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@dataclass(frozen=True)
class Served:
    """A page that is being served."""

    shown: Shown
    source: StatusSource
    page: Listening
    stop: Stop

    @property
    def url(self) -> str:
        return self.page.url


@pytest.fixture(scope="session")
def page_mysql() -> Iterator[MySQLServer]:
    """One MySQL for all tests of the page: what it shows does not hang on the flavour."""
    with MySQLServer.start("mysql", password=ROOT_PASSWORD) as server:
        yield server


@contextmanager
def new_shown(server: MySQLServer) -> Iterator[Shown]:
    """An empty database to be filled with made-up state."""
    database = Database(server, f"shown_{uuid.uuid4().hex[:12]}")
    database.create()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SILENT_S_MAX", "TOLD_S_MAX"):  # no sync goes on noting that it has read
            patch.setattr(standing, name, MADE_UP_S_MAX)
        yield Shown(database.url)
    database.drop()


@pytest.fixture
def shown(page_mysql: MySQLServer) -> Iterator[Shown]:
    """A database that a test fills with made-up state."""
    with new_shown(page_mysql) as made:
        yield made


@contextmanager
def serving(shown: Shown) -> Iterator[Served]:
    """The page on a free port."""
    stop = Stop()
    with shown.source() as source, serve("127.0.0.1:0", source, stop, TOKEN) as page:
        yield Served(shown, source, page, stop)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium without a window."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("there is no chromium: run `make servers`")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_FLAGS))
        yield found
        found.close()

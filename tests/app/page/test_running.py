"""`twinrow sync --serve --metrics` as a user runs it: all that is shown agrees, and an outage is shown."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.conftest import ROOT_PASSWORD, MakeTable
from tests.fixtures.command_line import CommandLine, config_text
from tests.fixtures.copying import marked, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.waiting import wait_until

from twinrow.local_servers.servers import DynamoDBLocal, MySQLServer

STARTED_S_MAX = 30.0
SEEN_S_MAX = 15.0
END_S_MAX = 30.0
PENDING = """
[[tables]]
name = "{table}"
capture = "pending-index"
reconcile_every = "1d"
[tables.pending_index]
index = "migrated-index"
attribute = "migrated"
"""


@dataclass
class Sync:
    """A running `twinrow sync` that serves page and metrics, with a MySQL that may be stopped."""

    command_line: CommandLine
    mysql: MySQLServer
    client: Any
    table: str
    page: str
    metrics: str

    def told(self) -> dict[str, Any]:
        """`twinrow status --json` of the table."""
        (one,) = self.command_line.run("status", "--json").document["tables"]
        found: dict[str, Any] = one
        return found


def said_urls(process: subprocess.Popen[str]) -> tuple[str, str, threading.Thread]:
    """Addresses of page and metrics as the command prints them; what it says after that is read and dropped."""
    assert process.stderr is not None
    lines: list[str] = []

    def drain() -> None:
        assert process.stderr is not None
        lines.extend(iter(process.stderr.readline, ""))

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()

    def url(pattern: str) -> str:
        found = re.search(pattern, "".join(list(lines)))
        return found[1] if found else ""

    wait_until(lambda: url(r"Prometheus: (\S+)metrics") or process.poll() is not None, STARTED_S_MAX, what="addresses")
    assert process.poll() is None, "".join(lines)
    return url(r"the page: (\S+)"), url(r"Prometheus: (\S+)metrics"), reader


@pytest.fixture
def sync(dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, tmp_path: Path) -> Iterator[Sync]:
    table = make_table(index=("migrated-index", "migrated:S", "ALL"))
    put_all(dynamodb_client, table, [marked(number) for number in range(60)])
    command_line = CommandLine(tmp_path)
    with MySQLServer.start("mysql", password=ROOT_PASSWORD) as server:
        database = Database(server, f"running_{uuid.uuid4().hex[:8]}")
        database.create()
        command_line.write_config(config_text(dynamodb, database) + PENDING.format(table=table))
        process = command_line.start("sync", "--serve", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
        try:
            page, metrics, reader = said_urls(process)
            yield Sync(command_line, server, dynamodb_client, table, page, metrics)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(END_S_MAX)
        reader.join(END_S_MAX)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        assert process.returncode == 0


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    expect.set_options(timeout=SEEN_S_MAX * 1000)
    with browser.new_context() as context:
        yield context.new_page()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=SEEN_S_MAX) as answer:  # noqa: S310 - an address of this test's own
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def shown(page: Page) -> dict[str, Any]:
    pairs = page.evaluate(
        "() => [...document.querySelectorAll('[data-number]')].map(n => [n.dataset.number, n.dataset.value])"
    )
    return {name: json.loads(value) for name, value in pairs}


@pytest.mark.timeout(240)
def test_the_page_follows_a_sync_and_an_outage(sync: Sync, page: Page) -> None:
    page.goto(sync.page)
    expect(page.locator("h1")).to_have_text(sync.table)
    expect(page.locator("#phase")).to_have_text("live")
    expect(page.locator('[data-number="rows"]')).to_have_text("60")
    expect(page.locator('[data-number="unlinked"]')).to_have_text("0")

    put_all(sync.client, sync.table, [marked(number) for number in range(60, 75)])
    expect(page.locator('[data-number="rows"]')).to_have_text("75")
    expect(page.locator('[data-number="links_paid"]')).to_have_text("75")
    expect(page.locator('[data-number="backlog"]')).to_have_text("0")
    # the rates have come to rest: a number that moves cannot be compared with one that is asked for later
    expect(page.locator('[data-number="puts_per_s"]')).to_have_text("0/s")
    told = sync.told()
    for name, value in shown(page).items():
        if name in told and name != "items":
            assert value == told[name], name
    assert sum(one["count"] for one in told["applied"]) >= 75

    def metric(name: str) -> float | None:
        found = re.search(rf'^{name}{{table="{sync.table}"}} (\S+)$', get(f"{sync.metrics}metrics")[1], re.MULTILINE)
        return float(found[1]) if found else None

    assert metric("twinrow_rows") == told["rows"] == 75
    assert metric("twinrow_links_paid_total") == told["links_paid"] == 75

    sync.mysql.kill()
    expect(page.locator("#banner")).to_contain_text("MySQL")
    expect(page.locator("#live-text")).to_have_text("not live")
    expect(page.locator("#verdict")).to_have_text("The status cannot be read")
    expect(page.locator("#banner .commands")).to_contain_text("twinrow check")
    wait_until(lambda: get(f"{sync.metrics}readyz")[0] == 503, SEEN_S_MAX, what="not ready")
    assert "MySQL" in get(f"{sync.metrics}readyz")[1]
    assert get(f"{sync.metrics}healthz")[0] == 200
    assert re.search(r"^twinrow_mysql_readable 0", get(f"{sync.metrics}metrics")[1], re.MULTILINE)
    asked = sync.command_line.run("status")
    assert asked.code == 1
    assert "MySQL does not answer" in asked.err

    sync.mysql.resume()
    put_all(sync.client, sync.table, [marked(75), review(76)])
    expect(page.locator("#banner")).to_be_hidden(timeout=SEEN_S_MAX * 2000)
    expect(page.locator("#verdict")).to_have_text("In step", timeout=SEEN_S_MAX * 2000)
    expect(page.locator('[data-number="rows"]')).to_have_text("76", timeout=SEEN_S_MAX * 2000)
    wait_until(lambda: get(f"{sync.metrics}readyz")[0] == 200, SEEN_S_MAX, what="ready again")

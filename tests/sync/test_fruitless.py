"""Names that PartiQL cannot write, and calls that pay nothing: no round of them goes on at full speed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeCopying, MakeTable
from tests.fixtures.copying import PENDING_INDEX, REPOSITORY, Copying, marked, put_all
from tests.fixtures.databases import Database
from tests.fixtures.proxy import Answer, DynamoDBProxy, Forward, Request, answer_statements, error
from tests.fixtures.waiting import wait_until

from twinrow import clock
from twinrow.link import settle
from twinrow.link.fruitless import KEYS_MAX, WAIT_S_MAX, FruitlessCalls
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.state import recheck
from twinrow.state.outbox import PendingLink

pytestmark = pytest.mark.either_server
"""Links are refused by DynamoDB."""

REFUSED = "NeverHeardOf"
CALLS = 8
CALLS_S_MIN = 4.0
"""The waits before the second to the eighth call are 5.6 s at least; the index may show the item to the first two."""
REQUESTS_PER_S_MAX = 30.0


@pytest.fixture
def proxy(dynamodb: DynamoDBLocal) -> Iterator[DynamoDBProxy]:
    with DynamoDBProxy(dynamodb.endpoint_url) as made:
        yield made


@pytest.mark.parametrize(
    ("hash_key", "mark", "link"),
    [("user", "#mark", "mysql_id"), ("user", "mark", ":id"), ("#user", "mark", "mysql_id")],
)
def test_names_that_partiql_takes_for_placeholders_go_by_update_item(
    database: Database, proxy: DynamoDBProxy, dynamodb_client: Any, make_table: MakeTable, tmp_path: Path,
    hash_key: str, mark: str, link: str,
) -> None:  # fmt: skip
    name = make_table(hash=f"{hash_key}:S", range=None, index=("marks", f"{mark}:S", "ALL"))
    pending = {"index": "marks", "attribute": mark, "pending": ["false"], "done": ""}
    options = {"capture": "pending-index", "link_attribute": link, "pending_index": pending}
    copying = Copying(database, dynamodb_client, proxy.endpoint_url, tmp_path, {name: options})
    checked = subprocess.run(
        [sys.executable, "-m", "twinrow", "check", "-c", str(copying.config_file()), "--json"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (told,) = [one for one in json.loads(checked.stdout)["checks"] if one["name"] == "rights to link"]
    assert told["level"] == "warning"
    odd = next(one for one in (hash_key, mark, link) if one[0] in "#:")
    assert f"PartiQL cannot name '{odd}'" in told["text"]
    put_all(copying.client, name, [{hash_key: {"S": str(n)}, mark: {"S": "false"}} for n in range(10)])
    code, said = copying.process_once()
    assert code == 0, said
    assert (proxy.requests.get("BatchExecuteStatement"), proxy.requests["UpdateItem"]) == (None, 11)
    copying.assert_equal(items=10)


@pytest.mark.parametrize("projection", ["ALL", "KEYS_ONLY"])
@pytest.mark.parametrize("way", ["refused", "cut"])
def test_items_whose_links_are_never_taken_are_tried_less_and_less_and_the_reason_is_told(
    make_copying: MakeCopying, proxy: DynamoDBProxy, way: str, projection: str
) -> None:
    copying = make_copying(endpoint_url=proxy.endpoint_url, projection=projection)
    copying.once_well()
    put_all(copying.client, copying.table, [marked(1)])

    def rule(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "UpdateItem":
            return error(REFUSED) if way == "refused" else None
        if request.operation != "BatchExecuteStatement":
            return forward(None)
        if way == "cut":
            return None
        return answer_statements(request, forward, [REFUSED] * len(request.parameters["Statements"]))

    proxy.rule = rule
    proxy.requests.clear()
    began = time.monotonic()
    with copying.running():
        wait_until(lambda: proxy.requests.get("BatchExecuteStatement", 0) >= CALLS, 120, what="eight calls")
        lasted, requests = time.monotonic() - began, sum(proxy.requests.values())
        if way == "refused":
            reason = "SELECT COUNT(*) FROM _twinrow_table WHERE reason LIKE %s"
            wait_until(lambda: copying.database.query(reason, f"%{REFUSED}%") == [(1,)], 60, what="the reason")
        proxy.rule = lambda _request, forward: forward(None)
        wait_until(lambda: all("mysql_id" in item for item in copying.items()), 60, what="links, once they are taken")
    assert lasted > CALLS_S_MIN
    assert requests < REQUESTS_PER_S_MAX * lasted
    assert not [item for item in copying.items() if PENDING_INDEX["attribute"] in item]
    copying.assert_equal(items=1, settled=False)


def link(number: int) -> PendingLink:
    return PendingLink(number.to_bytes(16, "big"), {}, 1, b"", 1, None)


def test_each_fruitless_call_for_an_item_makes_its_next_look_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    calls = FruitlessCalls(back_off=lambda tries, most: min(most, 0.05 * 2**tries))
    waits = [calls.note([link(1)])[0].wait_s for _ in range(30)]
    assert waits[0] == 0.0
    assert 0 < waits[1] < waits[3] < waits[5] < waits[-1] <= WAIT_S_MAX
    assert calls.waits(link(1).key_hash)
    assert not calls.waits(link(2).key_hash)
    found = calls.note([link(1), link(2)])
    assert [(one.calls, one.links) for one in found] == [(31, [link(1)]), (1, [link(2)])]
    now += WAIT_S_MAX
    assert not calls.waits(link(1).key_hash)
    calls.settled([link(1)])
    assert calls.note([link(1)])[0].calls == 1


def test_of_very_many_items_the_oldest_are_forgotten() -> None:
    calls = FruitlessCalls()
    calls.note([link(n) for n in range(KEYS_MAX + 1)])
    assert [one.calls for one in calls.note([link(0), link(KEYS_MAX)])] == [1, 2]


def test_the_second_look_is_not_taken_for_one_that_a_wrong_clock_put_off() -> None:
    assert settle.LATE_RECHECK_S < recheck.PUT_OFF_S_MAX

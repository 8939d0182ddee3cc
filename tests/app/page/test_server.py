"""The page's server: what it answers, to whom, and how it ends."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from tests.app.page.conftest import TOKEN, Served, new_shown, serving
from tests.fixtures.shown import Shown
from tests.fixtures.waiting import wait_until

from twinrow.app.serve.listen import Address, parse_address
from twinrow.app.serve.page.server import FILES, serve
from twinrow.app.serve.token import new_token
from twinrow.clock import Stop
from twinrow.errors import ConfigError, TwinrowError
from twinrow.local_servers.servers import MySQLServer
from twinrow.state.counted import Rates

ANSWER_S_MAX = 10.0
EVENT_BYTES_MAX = 1 << 20


@pytest.fixture
def served(shown: Shown) -> Iterator[Served]:
    shown.add(["reviews", "orders"])
    shown.park("orders", 3)
    with serving(shown) as found:
        wait_until(lambda: found.source.latest().status is not None, what="a first status")
        yield found


@pytest.fixture(scope="module")
def still(page_mysql: MySQLServer) -> Iterator[Served]:
    """The same for tests that change nothing: a fresh database takes its second."""
    with new_shown(page_mysql) as shown:
        shown.add(["reviews", "orders"])
        shown.park("orders", 3)
        with serving(shown) as found:
            wait_until(lambda: found.source.latest().status is not None, what="a first status")
            yield found


@contextmanager
def asking(
    served: Served, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> Iterator[http.client.HTTPResponse]:
    address = served.page.address
    connection = http.client.HTTPConnection(address.host, address.port, timeout=ANSWER_S_MAX)
    try:
        connection.request(method, path, headers=dict(headers or {}))
        yield connection.getresponse()
    finally:
        connection.close()


def ask(
    served: Served, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> tuple[int, dict[str, str], bytes]:
    with asking(served, path, headers, method) as answer:
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def ask_json(served: Served, path: str, headers: Mapping[str, str] | None = None) -> Any:
    status, _, body = ask(served, path, headers)
    assert status == 200, body
    return json.loads(body)


@pytest.mark.parametrize("path", FILES)
def test_every_file_comes_with_the_headers_that_keep_it_to_itself(still: Served, path: str) -> None:
    status, headers, body = ask(still, path)

    assert status == 200
    assert body
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["content-type"] == FILES[path][1]


def test_no_file_takes_anything_from_elsewhere(still: Served) -> None:
    for path in FILES:
        text = ask(still, path)[2].decode()
        for place in ("http://", "https://", "//cdn"):
            assert place not in text.replace("http://www.w3.org/2000/svg", ""), (path, place)
        assert "innerHTML" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(still: Served, method: str) -> None:
    for path in ("/", "/api/status", "/api/item?table=orders&id=1", "/metrics"):
        assert ask(still, path, method=method)[0] == 405


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", "", "[::2]:8642"])
def test_another_site_whose_name_points_here_sees_nothing(still: Served, host: str) -> None:
    for path in ("/", "/api/status", "/metrics"):
        status, headers, body = ask(still, path, {"Host": host})

        assert status == 421
        assert b"orders" not in body
        assert "content-security-policy" in headers


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1:8642", "[::1]:8642", "[::1]"])
def test_every_name_of_this_machine_will_do(still: Served, host: str) -> None:
    assert ask(still, "/api/status", {"Host": host})[0] == 200


def test_on_all_interfaces_any_name_will_do(shown: Shown) -> None:
    shown.add(["reviews"])
    with shown.source() as source, serve("0.0.0.0:0", source, Stop(), TOKEN) as page:
        local = Served(shown, source, page, Stop())
        assert ask(local, "/healthz", {"Host": "twinrow.internal:8642"})[0] == 200


def test_the_status_is_that_of_the_command(still: Served) -> None:
    told = ask_json(still, "/api/status")["status"]["tables"]
    assert told == json.loads(json.dumps(still.shown.status().document()["tables"]))


def test_rates_of_a_process_that_is_gone_are_0(shown: Shown) -> None:
    shown.add(["reviews"])
    shown.count("reviews", rates=Rates(puts_per_s=12.5, read_units_per_s=3.0))
    (one,) = shown.status().tables
    assert (one.puts_per_s, one.deletes_per_s, one.read_units_per_s) == (12.5, 0.0, 3.0)

    shown.add(["ended"], running=False)
    shown.count("ended", rates=Rates(puts_per_s=12.5))
    assert shown.status().tables[1].puts_per_s == 0.0


def test_events_come_once_a_second_and_end_with_the_server(served: Served) -> None:
    with asking(served, "/api/events") as stream:
        assert stream.getheader("content-type", "").startswith("text/event-stream")
        moments = []
        for _ in range(2):
            assert stream.readline() == b"event: status\n"
            moments.append(json.loads(stream.readline(EVENT_BYTES_MAX).removeprefix(b"data: "))["now"])
            assert stream.readline() == b"\n"
        served.stop.set()
        assert stream.readline() == b"event: stopping\n"

        served.page.close()
        assert b"" in iter(stream.readline, b"") or stream.read() == b""

    assert 0.8 < moments[1] - moments[0] < 3
    with pytest.raises(ConnectionRefusedError):
        ask(served, "/healthz")


def test_dead_letters_come_in_pages_without_their_items(served: Served) -> None:
    served.shown.park("orders", 1200)

    found: list[dict[str, Any]] = []
    after: int | None = 0
    pages = 0
    while after is not None:
        page = ask_json(served, f"/api/dead-letters?table=orders&after={after}")
        found += page["dead_letters"]
        after = page["next"]
        pages += 1

    assert len({one["id"] for one in found}) == len(found) == 1203
    assert pages == 3
    assert set(found[0]) == {"id", "key", "reason", "first_at", "last_at", "attempts"}
    assert ask_json(served, "/api/dead-letters?table=reviews") == {"dead_letters": [], "next": None}


def test_a_raw_item_wants_the_token(still: Served) -> None:
    number = ask_json(still, "/api/dead-letters?table=orders")["dead_letters"][0]["id"]
    path = f"/api/item?table=orders&id={number}"

    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
    ):
        status, _, body = ask(still, path, headers)
        assert status == 401
        assert b"secret" not in body
    assert ask(still, f"{path}&token={TOKEN}")[0] == 401

    found = ask_json(still, path, {"Authorization": f"Bearer {TOKEN}"})
    assert found["item"]["secret"] == {"S": "only with the token"}
    assert found["item"]["text"] == {"S": "broken \ud800"}
    assert ask(still, "/api/item?table=reviews&id=1", {"Authorization": f"Bearer {TOKEN}"})[0] == 404


def test_no_document_holds_a_secret(still: Served) -> None:
    paths = (
        "/api/status", "/api/table?table=orders", "/api/history?table=orders", "/api/dead-letters?table=orders",
        "/metrics", "/readyz",
    )  # fmt: skip
    for path in paths:
        body = ask(still, path)[2].decode()
        assert TOKEN not in body
        assert "only with the token" not in body
        assert still.shown.config.mysql.password not in body


def test_schema_and_gaps_are_told(served: Served) -> None:
    served.shown.gap("reviews", "trimmed", mended=True)
    served.shown.owe("reviews", 2, "too large")

    told = ask_json(served, "/api/table?table=reviews")

    assert {one["attribute"]: one["type"] for one in told["columns"]}["rating"] == "DECIMAL(38,9)"
    assert {one["column_name"] for one in told["history"]} >= {"rating", "text"}
    assert [(one["cause"], one["closed_at"] is None) for one in told["gaps"]] == [("trimmed", False)]
    assert [one["reason"] for one in told["refusals"]] == ["too large", "too large"]


def test_what_is_asked_wrongly_is_refused(still: Served) -> None:
    assert ask(still, "/api/table?table=nothing")[0] == 404
    assert ask(still, "/api/history")[0] == 404
    assert ask(still, "/api/dead-letters?table=orders&after=-1")[0] == 400
    assert ask(still, "/api/dead-letters?table=orders&after=" + "9" * 500)[0] == 400
    assert ask(still, "/page.py")[0] == 404
    assert ask(still, "/../server.py")[0] == 404


def test_a_port_in_use_is_said_with_a_remedy(still: Served) -> None:
    with pytest.raises(TwinrowError, match="in use") as refused:
        serve(str(still.page.address), still.source, Stop(), TOKEN)

    assert "name another port" in refused.value.remedy
    assert refused.value.exit_code == 1


def test_an_address_of_another_machine_is_refused(still: Served) -> None:
    with pytest.raises(TwinrowError, match="cannot listen"):
        serve("192.0.2.1:0", still.source, Stop(), TOKEN)


def test_it_ends_while_a_client_does_nothing(served: Served) -> None:
    with socket.create_connection((served.page.address.host, served.page.address.port)):
        served.page.close()
        served.page.close()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8642", Address("127.0.0.1", 8642)),
        ("[::1]:8642", Address("::1", 8642)),
        (":8642", Address("127.0.0.1", 8642)),
        ("8642", Address("127.0.0.1", 8642)),
        ("0.0.0.0:9642", Address("0.0.0.0", 9642)),  # noqa: S104 - only parsed
        ("localhost:0", Address("localhost", 0)),
    ],
)
def test_addresses_are_understood(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "localhost", "127.0.0.1:", "127.0.0.1:x", "::1:8642", "127.0.0.1:70000", "a:-1"])
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match="is no address"):
        parse_address(text)


def test_which_addresses_only_this_machine_reaches() -> None:
    assert all(Address(host, 1).loopback for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(Address(host, 1).loopback for host in ("0.0.0.0", "::", "10.0.0.1", "example.org"))  # noqa: S104


def test_tokens_are_never_the_same() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) >= 32

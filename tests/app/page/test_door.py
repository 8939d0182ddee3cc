"""Off loopback the whole page wants its token; health checks want none and give no reason; TLS by two files."""

from __future__ import annotations

import datetime
import gc
import http.client
import ipaddress
import socket
import ssl
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route
from tests.fixtures.command_line import config_of

from twinrow import config
from twinrow.app.observe.watch import StatusSource
from twinrow.app.serve.listen import Address, Listening, TLSFiles
from twinrow.app.serve.metrics import serve_metrics
from twinrow.app.serve.page.door import COOKIE, OPEN
from twinrow.app.serve.page.server import FILES, serve
from twinrow.app.serve.serving import tls_of
from twinrow.app.wiring import mysql_of
from twinrow.clock import Stop
from twinrow.errors import ConfigError

TOKEN = "the-token-of-this-test"
EVERYWHERE = "0.0.0.0:0"
ANSWER_S_MAX = 20.0
OF_THE_TABLE = [f"/api/{name}?table=reviews" for name in ("history", "table", "dead-letters", "item")]
DOCUMENTS = ["/api/status", "/api/events", *OF_THE_TABLE, "/metrics", "/nowhere"]
LOADED = config.parse(
    config_of(
        "http://127.0.0.1:1", "mysql://u:p@127.0.0.1:1/secret_place", '[[tables]]\nname = "reviews"\ncapture = "scan"\n'
    ),
    environment={},
)
"""Servers that are not there: a reason not to be ready, which names a place."""


def source() -> StatusSource:
    return StatusSource(mysql_of(LOADED), LOADED.tables)


@pytest.fixture(scope="module")
def everywhere() -> Iterator[Listening]:
    with source() as found, serve(EVERYWHERE, found, Stop(), TOKEN) as page:
        yield page


def ask(
    page: Listening, path: str, headers: dict[str, str] | None = None, tls: ssl.SSLContext | None = None
) -> tuple[int, dict[str, str], str]:
    port = page.address.port
    if tls is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S_MAX)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=ANSWER_S_MAX, context=tls)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", [*sorted(FILES.keys() - OPEN), *DOCUMENTS])
def test_without_the_token_nothing_is_shown(everywhere: Listening, path: str) -> None:
    for headers in ({}, bearer("wrong"), {"Cookie": f"{COOKIE}=wrong"}, {"Cookie": f"{COOKIE}={TOKEN}"}):
        code, _, text = ask(everywhere, path, headers)
        assert code == 401
        assert "reviews" not in text
        assert "secret_place" not in text


def test_the_token_or_the_cookie_that_it_gives_opens_it_and_only_the_token_a_raw_item(everywhere: Listening) -> None:
    assert ask(everywhere, "/api/status", bearer(TOKEN))[0] == 200
    assert ask(everywhere, "/api/login", bearer("wrong"))[0] == 401
    code, headers, _ = ask(everywhere, "/api/login", bearer(TOKEN))
    assert code == 204
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=strict"} <= set(attributes)
    assert TOKEN not in cookie
    for path in ("/", "/page.js", "/api/status", "/metrics"):
        assert ask(everywhere, path, {"Cookie": cookie})[0] == 200, path
    item = "/api/item?table=reviews&id=1"
    assert ask(everywhere, item, {"Cookie": cookie})[0] == 401
    assert ask(everywhere, item, bearer(TOKEN))[0] == 503, "MySQL is not there: so far it was let in"


def test_health_checks_want_no_token_and_give_no_reason_off_loopback(everywhere: Listening) -> None:
    assert ask(everywhere, "/healthz")[0] == 200
    code, _, text = ask(everywhere, "/readyz")
    assert (code, "not ready" in text, "secret_place" in text) == (503, True, False)
    with source() as found, serve_metrics(EVERYWHERE, found) as metrics:
        assert "secret_place" not in ask(metrics, "/readyz")[2]
        assert ask(metrics, "/metrics")[0] == 200
    with source() as found, serve("127.0.0.1:0", found, Stop(), TOKEN) as page:
        assert ask(page, "/api/status")[0] == 200, "on loopback only raw items want it"
        assert ask(page, "/readyz")[0] == 503


@pytest.mark.slow
def test_a_person_gives_the_token_once(everywhere: Listening, browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(everywhere.url)
        page.get_by_label("The token of").fill("wrong")
        page.get_by_role("button", name="Show the page").click()
        expect(page.locator("#login-trouble")).to_have_text("That is not the token of the sync that runs.")
        page.get_by_label("The token of").fill(TOKEN)
        page.get_by_role("button", name="Show the page").click()
        expect(page.locator("#banner")).to_contain_text("MySQL does not answer", timeout=ANSWER_S_MAX * 1000)
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{everywhere.url}?token={TOKEN}")
        expect(page.locator("#banner")).to_contain_text("MySQL does not answer", timeout=ANSWER_S_MAX * 1000)
        assert "token" not in page.url


def write_certificate(folder: Path) -> TLSFiles:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key, at = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(tz=datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "twinrow")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(at - datetime.timedelta(days=1))
        .not_valid_after(at + datetime.timedelta(days=1)).add_extension(here, critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    files = TLSFiles(folder / "page.pem", folder / "page.key")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def test_the_page_is_served_by_tls_and_its_cookie_goes_by_tls_only(tmp_path: Path) -> None:
    files = write_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(files.certificate))
    with source() as found, serve(EVERYWHERE, found, Stop(), TOKEN, files) as page:
        assert page.url.startswith("https://127.0.0.1:")
        code, headers, _ = ask(page, "/api/login", bearer(TOKEN), trusting)
        assert (code, "Secure" in headers["set-cookie"]) == (204, True)
        with pytest.raises((http.client.BadStatusLine, ConnectionError)):
            ask(page, "/healthz")


def test_tls_files_that_will_not_do_are_refused_before_anything_listens(tmp_path: Path) -> None:
    files = write_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    other = write_certificate(tmp_path / "other")
    for wrong in (TLSFiles(tmp_path / "none.pem", files.key), TLSFiles(files.certificate, other.key)):
        with source() as found, pytest.raises(ConfigError, match="--serve-cert"):
            serve(EVERYWHERE, found, Stop(), TOKEN, wrong)
    for given in ((EVERYWHERE, None, files.certificate, None), (None, None, files.certificate, files.key)):
        with pytest.raises(ConfigError, match="--serve"):
            tls_of(*given)


@pytest.fixture
def left_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the collector finds that nobody closed."""
    found: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda trouble: found.append(str(trouble.exc_value)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        yield found


def test_no_connection_outlives_the_server(left_open: list[str]) -> None:
    """One that was accepted while the server ended, and one whose client does not read."""

    async def much() -> Any:
        while True:
            yield b"x" * 1_000_000

    def stream(_request: Any) -> StreamingResponse:
        return StreamingResponse(much())

    server = Listening(Starlette(routes=[Route("/", stream)]), Address("127.0.0.1", 0), "test", Stop())
    place = ("127.0.0.1", server.address.port)
    clients = [socket.create_connection(place, timeout=ANSWER_S_MAX)]
    clients[0].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    clients[0].recv(1)
    over = threading.Event()

    def connect() -> None:
        while not over.is_set() and len(clients) < 500:
            try:
                clients.append(socket.create_connection(place, timeout=1))
            except OSError:
                continue

    thread = threading.Thread(target=connect)
    thread.start()
    server.close()
    over.set()
    thread.join()
    del server
    gc.collect()
    for client in clients:
        client.close()
    assert left_open == []

"""The page's server: a few read-only documents, one stream of events, and the files beside this one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twinrow.app.observe.watch import StatusSource
from twinrow.app.serve.listen import Address, Listening, TLSFiles, parse_address
from twinrow.app.serve.metrics import health_routes
from twinrow.app.serve.page import detail
from twinrow.app.serve.page.door import Door, bearer_of
from twinrow.clock import Stop
from twinrow.errors import TwinrowError
from twinrow.mysql import Connection

EVENT_EVERY_S = 1.0
END_SEEN_S = 0.1
VIEWERS_MAX = 64
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
JAVASCRIPT = "text/javascript; charset=utf-8"
FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", JAVASCRIPT),
    "/table.js": ("table.js", JAVASCRIPT),
    "/letters.js": ("letters.js", JAVASCRIPT),
    "/lists.js": ("lists.js", JAVASCRIPT),
    "/plot.js": ("plot.js", JAVASCRIPT),
    "/order.js": ("order.js", JAVASCRIPT),
    "/parts.js": ("parts.js", JAVASCRIPT),
    "/login.js": ("login.js", JAVASCRIPT),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


def serve(address: str, source: StatusSource, stop: Stop, token: str, tls: TLSFiles | None = None) -> Listening:
    """Show the page on `address`; read only. Whoever starts it closes it. Off loopback it wants the token.

    `stop` is the sync's: the page says that it is stopping. Raises ConfigError for an address that is none,
    TwinrowError with a remedy when the port is in use.
    """
    place, ending = parse_address(address), Stop()
    app = make_app(place, source, stop, ending, Door(token, secure=tls is not None))
    return Listening(app, place, "page", ending, tls)


def make_app(address: Address, source: StatusSource, stop: Stop, ending: Stop, door: Door) -> ASGIApp:
    """The application: `ending` closes its event streams."""
    get = partial(Route, methods=["GET"])
    answers = _Answers(source, door)
    events = _Events(source, stop, ending)
    app = Starlette(
        routes=[
            *(get(path, _file(*what)) for path, what in FILES.items()),
            get("/api/status", answers.status),
            get("/api/events", events.answer),
            get("/api/history", answers.history),
            get("/api/table", answers.table),
            get("/api/dead-letters", answers.dead_letters),
            get("/api/item", answers.item),
            get("/api/login", door.login),
            *health_routes(source, reasons=address.loopback),
        ]
    )
    if address.loopback:
        return _Guard(app, LOOPBACK_NAMES | {_host(str(address))}, None)
    return _Guard(app, None, door)


def _host(text: str) -> str:
    """The host of `host:port` or `[::1]:port`, the port left out."""
    return text if text.endswith("]") else text.rpartition(":")[0] or text


class _Guard:
    """Puts the security headers on every answer, and refuses names that are not this machine's.

    A web site whose name is made to point to 127.0.0.1 (DNS rebinding) could otherwise read the page. Where others than
    this machine's users reach it, nobody passes the `door` without the token.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str] | None, door: Door | None) -> None:
        self._app = app
        self._names = names
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        if scope["type"] == "http" and not self._allowed(scope):
            refusal = PlainTextResponse("open this page by the address that `twinrow sync` prints\n", status_code=421)
            await refusal(scope, receive, with_headers)
            return
        if scope["type"] == "http" and self._door is not None and not self._door.is_open(scope):
            await self._door.refusal(scope)(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    def _allowed(self, scope: Scope) -> bool:
        if self._names is None:
            return True
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        return len(hosts) == 1 and _host(hosts[0].lower()) in self._names


class _Events:
    """The stream that every open page listens to: the status, once a second."""

    def __init__(self, source: StatusSource, stop: Stop, ending: Stop) -> None:
        self._source = source
        self._stop = stop
        self._ending = ending
        self._viewers = 0

    async def answer(self, _request: Request) -> Response:
        """A stream of server-sent events; 503 beyond VIEWERS_MAX."""
        if self._viewers >= VIEWERS_MAX:
            return PlainTextResponse("too many pages are open\n", status_code=503)
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[bytes]:
        self._viewers += 1
        loop = asyncio.get_running_loop()
        try:
            while not self._ending:
                due = loop.time() + EVENT_EVERY_S
                name = b"stopping" if self._stop else b"status"
                yield b"event: " + name + b"\ndata: " + self._source.body() + b"\n\n"
                while not self._ending and (left := due - loop.time()) > 0:
                    await asyncio.sleep(min(left, END_SEEN_S))
        finally:
            self._viewers -= 1


class _Answers:
    """The documents that a page asks for; each runs in a thread of the pool."""

    def __init__(self, source: StatusSource, door: Door) -> None:
        self._source = source
        self._door = door

    def status(self, _request: Request) -> Response:
        """The same document as an event's."""
        return Response(self._source.body(), media_type="application/json")

    def history(self, request: Request) -> Response:
        """The last hour of a table, for its plot."""
        return _json(self._source.history(self._table(request)))

    def table(self, request: Request) -> Response:
        """Schema with history, gaps, refused links."""
        table = self._table(request)
        return self._read(lambda session: detail.table_detail(session, table))

    def dead_letters(self, request: Request) -> Response:
        """A page of dead letters: `?table=…&after=ID`."""
        table, after = self._table(request), _number(request, "after")
        return self._read(lambda session: detail.dead_letters(session, table, after))

    def item(self, request: Request) -> Response:
        """The raw item of a dead letter: `?table=…&id=ID`, with the token as `Authorization: Bearer …`."""
        if not self._door.knows(bearer_of(request)):
            raise HTTPException(
                401,
                "raw items are shown with the token of `twinrow sync`: see its first lines, or its --serve-token-file",
            )
        table, number = self._table(request), _number(request, "id")
        return self._read(lambda session: detail.raw_item(session, table, number))

    def _table(self, request: Request) -> str:
        table = request.query_params.get("table", "")
        if table not in self._source.tables:
            raise HTTPException(404, "no such table")
        return table

    def _read(self, work: Callable[[Connection], Any]) -> Response:
        try:
            with self._source.session() as session:
                found = work(session)
        except TwinrowError as trouble:
            raise HTTPException(503, str(trouble)) from trouble
        if found is None:
            raise HTTPException(404, "not there any more")
        return _json(found)


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "0")
    if not text.isdecimal() or len(text) > len(str(2**64)):
        raise HTTPException(400, f"{name} is no number")
    return min(int(text), 2**64 - 1)


def _json(document: Any) -> Response:
    # ASCII: keys and items may hold lone surrogates, which no UTF-8 can
    return Response(json.dumps(document), media_type="application/json")


def _file(name: str, media_type: str) -> Callable[[Request], Response]:
    content = resources.files(__package__).joinpath(name).read_bytes()

    def answer(_request: Request) -> Response:
        return Response(content, headers={"content-type": media_type})

    return answer

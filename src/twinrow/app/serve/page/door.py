"""Access to the page: for everybody with its token, as `Authorization.

Bearer …` or as the cookie that the token gives.
"""

from __future__ import annotations

import hashlib
import hmac
from importlib import resources
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Scope

COOKIE: Final = "twinrow_page"
OPEN: Final = frozenset({"/healthz", "/readyz", "/api/login", "/login.js", "/page.css", "/icon.svg"})
"""Paths that need no token: health checks, which show nothing else, and the form that asks for the token."""
WANTED: Final = {"www-authenticate": 'Bearer realm="twinrow"'}


def bearer_of(request: HTTPConnection) -> str:
    """The token that a request brings; empty where it brings none."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


class Door:
    """Lets in who has the token. The cookie is made from it and is no token: raw items are not shown for it.

    `secure`: the page is served by TLS, so browsers send the cookie over TLS only.
    """

    def __init__(self, token: str, *, secure: bool = False) -> None:
        self._token = token.encode()
        self._secure = secure
        self._cookie = hmac.new(self._token, b"twinrow page", hashlib.sha256).hexdigest()
        self._form = resources.files(__package__).joinpath("login.html").read_text(encoding="utf-8")

    def knows(self, given: str) -> bool:
        """Whether this is the token."""
        return hmac.compare_digest(given.encode(), self._token)

    def is_open(self, scope: Scope) -> bool:
        """Whether a request may pass."""
        request = HTTPConnection(scope)
        if request.url.path in OPEN or self.knows(bearer_of(request)):
            return True
        return hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), self._cookie.encode())

    def refusal(self, scope: Scope) -> Response:
        """The answer to a request that may not pass: the form that asks for the token, or a line."""
        if HTTPConnection(scope).url.path == "/":
            return HTMLResponse(self._form, 401)
        why = "this wants the token of `twinrow sync` (--serve-token-file) as `Authorization: Bearer TOKEN`\n"
        return PlainTextResponse(why, 401, headers=WANTED)

    def login(self, request: Request) -> Response:
        """Give the cookie to who has the token; it ends with the browser, and with the token."""
        if not self.knows(bearer_of(request)):
            raise HTTPException(401, "that is not the token of the sync that runs")
        answer = Response(status_code=204)
        answer.set_cookie(COOKIE, self._cookie, httponly=True, samesite="strict", secure=self._secure)
        return answer

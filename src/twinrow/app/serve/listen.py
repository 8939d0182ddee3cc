"""Web servers of a running command: where they listen, in a thread of their own, with a clean end."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from twinrow.clock import Stop
from twinrow.errors import ConfigError, TwinrowError

HOST_DEFAULT = "127.0.0.1"
BACKLOG_MAX = 128
START_S_MAX = 10.0
GRACE_S = 1
CLOSING_STEPS = 3
"""Turns of the event loop in which a connection that is broken off closes its socket."""
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, never listened on unasked
"""Requests under way may take so long after the end was asked for; event streams end by themselves before."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a name or an IP address, and a port (0: any free port)."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TLSFiles:
    """A certificate (with its chain) and its private key, in PEM."""

    certificate: Path
    key: Path

    def check(self) -> None:
        """Raise ConfigError when the two files cannot be used together."""
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the certificate and its key cannot be used: {error}",
                where=f"--serve-cert {self.certificate} --serve-key {self.key}",
                remedy="name two PEM files that belong together, the key without a passphrase",
            ) from error  # fmt: skip


def parse_address(text: str) -> Address:
    """`127.0.0.1:8642`, `[::1]:8642`, `:8642`, `8642`; without a host only this machine. Raises ConfigError."""
    host, _, port = text.strip().rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    bracketed = host.startswith("[") and host.endswith("]")
    if not port.isdecimal() or int(port) > 65535 or (":" in bare and not bracketed):
        raise ConfigError(f"{text!r} is no address", remedy="write HOST:PORT, for example 127.0.0.1:8642")
    return Address(bare or HOST_DEFAULT, int(port))


class Listening:
    """A server that answers on `address` until `close`, or the end of a `with`."""

    def __init__(self, app: ASGIApp, address: Address, name: str, ending: Stop, tls: TLSFiles | None = None) -> None:
        if tls is not None:
            tls.check()
        self._tls = tls
        self._socket = _bind(address)
        self.address = Address(address.host, self._socket.getsockname()[1])
        self._ending = ending
        config = uvicorn.Config(
            app, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, date_header=False, timeout_graceful_shutdown=GRACE_S,
            ssl_certfile=str(tls.certificate) if tls is not None else None,
            ssl_keyfile=str(tls.key) if tls is not None else None,
        )  # fmt: skip
        # requests may carry keys and a token: nothing of them is logged, and a client that hangs up is no news
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to open in a browser on this machine."""
        anywhere = self.address.host in ANY_ADDRESS
        address = Address(HOST_DEFAULT, self.address.port) if anywhere else self.address
        return f"{'http' if self._tls is None else 'https'}://{address}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End event streams, let requests under way finish, and free the port. Twice is once."""
        self._ending.set()
        self._server.should_exit = True
        self._thread.join(START_S_MAX)
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        """Serve until the end. A connection that uvicorn leaves open is broken off, so that no socket outlives it.

        Uvicorn leaves those that were accepted while it ended, and those whose client does not read its answer.
        """
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            for connection in list(self._server.server_state.connections):
                transport = getattr(connection, "transport", None)
                if transport is not None:
                    transport.abort()
            for _ in range(CLOSING_STEPS):
                await asyncio.sleep(0)


def _bind(address: Address) -> socket.socket:
    """A listening socket: connections wait in it from now on. Raises TwinrowError, ConfigError."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ConfigError(
            f"{address.host!r} is no address of this machine: {error.strerror}", remedy="write an IP address"
        ) from error
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(BACKLOG_MAX)
    except OSError as error:
        listener.close()
        raise TwinrowError(_why(error), where=str(address), remedy=_remedy(error, address)) from error
    return listener


def _why(error: OSError) -> str:
    return "the port is in use" if error.errno == errno.EADDRINUSE else f"cannot listen: {error.strerror}"


def _remedy(error: OSError, address: Address) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"name another port, for example {Address(address.host, address.port + 1)}, or end what listens there"
    return "ports below 1024 want rights" if error.errno == errno.EACCES else "name an address of this machine"

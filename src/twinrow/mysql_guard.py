"""The MySQL driver, guarded: the password goes to a proved server only, a file of this machine to none.

A client of MySQL does what the server asks for: it may ask for the password in clear text, for the password encrypted
with a key that it sends itself, or for any file. Each of these is therefore refused here, unless it is known who asks.
"""

from __future__ import annotations

import io
import ipaddress
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import pymysql
import pymysql.connections
import pymysql.err
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pymysql import _auth

from twinrow.errors import ConfigError, TwinrowError

Reach = Literal["socket", "loopback", "network"]

LOAD_PACKET_BYTES = 1_048_576
FILE_ASKED_FOR = 2068
"""The client library's own code for a LOCAL file that is not given away (CR_LOAD_DATA_LOCAL_INFILE_REJECTED)."""
MALFORMED = 2027
LOST = 2013
NAME_SHOWN_MAX = 80
"""Characters of a name that a server sent: a hostile server may send 16 MB."""
PLAIN = ("mysql_clear_password", "dialog", "mysql_old_password")
"""Ways to log in that give the password away: two in clear text, one as a hash of 62 bits (from before MySQL 4.1)."""
FULL_AUTHENTICATION = 4
FAST_AUTHENTICATION = 3
ASKS_FOR_KEY = {"caching_sha2_password": b"\x02", "sha256_password": b"\x01"}
"""The packet that asks for the server's public key (MySQL, "Caching_sha2_password information")."""
UNREADABLE = (ValueError, TypeError, LookupError, AssertionError, AttributeError, struct.error)
"""The errors that the driver's parser raises on an answer that no MySQL server sends."""


class TLSSettings(Protocol):
    """The part of the settings that says whom to trust."""

    @property
    def ssl_mode(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def unix_socket(self) -> str | None: ...
    @property
    def server_public_key(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Trust:
    """The proof that a server is the intended server: its certificate (`verified`), or its pinned public key."""

    place: str
    verified: bool
    public_key: bytes | None = None


def trust_of(settings: TLSSettings, place: str) -> Trust:
    """The trust that the settings ask for. Raises ConfigError when the public key's file cannot be used."""
    key = None
    if settings.server_public_key is not None:
        try:
            key = Path(settings.server_public_key).read_bytes()
            if not isinstance(load_pem_public_key(key), RSAPublicKey):
                raise ValueError("it is no RSA key")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the file of server_public_key cannot be used: {error}", where="mysql.url",
                remedy="take public_key.pem from the server's data directory",
            ) from error  # fmt: skip
    return Trust(place, settings.ssl_mode.startswith("VERIFY"), key)


def unproved(settings: TLSSettings) -> str:
    """Why nothing proves that the server is the intended server; empty on this machine, or with verified TLS."""
    if settings.unix_socket or settings.ssl_mode.startswith("VERIFY") or _is_loopback(settings.host):
        return ""
    if settings.ssl_mode == "DISABLED":
        weakness = f"the connection to MySQL on {settings.host} is not encrypted (ssl_mode=DISABLED)"
    else:
        weakness = f"the certificate of MySQL on {settings.host} is not verified (ssl_mode={settings.ssl_mode})"
    return f"{weakness}: anybody in between could read the password and the data"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def reach(driver: Any) -> Reach:
    """How far the other end of a driver's connection is, as the socket tells it, whatever name was asked for."""
    if driver._sock.family == socket.AF_UNIX:
        return "socket"
    return "loopback" if _is_loopback(str(driver._sock.getpeername()[0])) else "network"


def tls_of(driver: Any) -> bool:
    """Whether a driver's socket speaks TLS (PyMySQL itself goes on in the clear where the server offers none)."""
    return isinstance(driver._sock, ssl.SSLSocket)


class Driver(pymysql.connections.Connection):
    """PyMySQL that trusts the server only as far as `trust` says.

    LOAD DATA LOCAL is served from `buffer` alone, whatever file name the server asks for.
    """

    buffer: bytes | None = None
    _auth_plugin_name: str
    _force_close: Callable[[], None]
    _read_timeout: float
    _write_timeout: float

    def __init__(self, *, trust: Trust, **settings: Any) -> None:
        self.trust = trust
        self._wanted: str | None = None
        super().__init__(auth_plugin_map=WAYS_TO_LOG_IN, **settings)

    def connect(self, sock: Any = None) -> None:
        """Connect and log in. Raises TwinrowError where the server asks for more than it may have."""
        self._answered(partial(super().connect, sock))

    def wait_at_most(self, seconds: float) -> None:
        """The bound of each read and write from now on."""
        self._read_timeout = self._write_timeout = seconds

    def _get_server_information(self) -> None:
        super()._get_server_information()  # type: ignore[misc]
        if self._auth_plugin_name == "sha256_password":
            # With its first answer PyMySQL would send the password over any TLS, verified or not. An answer for another
            # plugin makes the server ask again, and that request comes to `_Sha2`.
            self._auth_plugin_name = "caching_sha2_password"

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        return self._answered(lambda: super(Driver, self)._read_query_result(unbuffered))  # type: ignore[misc]

    def _answered(self, work: Callable[[], Any]) -> Any:
        """Do something that reads answers.

        An answer that no honest server sends becomes an error of the driver's own.
        """
        try:
            return work()
        except (TwinrowError, pymysql.err.Error, OSError, RuntimeError):
            if self._wanted is None:
                raise
        except UNREADABLE as error:
            if self._wanted is None:
                was_open = self.open
                self._force_close()
                if not was_open:
                    raise pymysql.err.OperationalError(LOST, "Lost connection to MySQL server") from error
                reason = f"its answer cannot be read ({type(error).__name__}): is this a MySQL server?"
                raise pymysql.err.InternalError(MALFORMED, reason) from error
        self._force_close()
        raise TwinrowError(
            f"the server asks for a file of this machine ({self._wanted}); it gets none", where=self.trust.place,
            remedy="this is not your server, or somebody stands between: verify it with ?ssl_ca=FILE in `mysql.url`",
        )  # fmt: skip

    def take_buffer(self, asked_for: Any) -> io.BytesIO:
        """The buffer that LOAD DATA LOCAL was called with. Raises OperationalError when nothing was offered."""
        buffer, self.buffer = self.buffer, None
        if buffer is None:
            self._wanted = ascii(_text(asked_for))[:NAME_SHOWN_MAX]
            raise pymysql.err.OperationalError(FILE_ASKED_FOR, "the server asked for a file that nobody offered")
        return io.BytesIO(buffer)


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _send_buffer(filename: Any, connection: Any) -> None:
    """The LOCAL part of LOAD DATA: send the connection's buffer, never the file that the server names."""
    source = connection.take_buffer(filename)
    while chunk := source.read(LOAD_PACKET_BYTES):
        connection.write_packet(chunk)


if not hasattr(pymysql.connections, "_send_local_file"):
    raise ImportError("this PyMySQL would open any file that the server names: install PyMySQL 1.2.4 or newer")
pymysql.connections._send_local_file = _send_buffer


def _asked(driver: Any, answer: bytes) -> Any:
    """Answer the server during the login; its next packet."""
    driver.write_packet(answer)
    packet = driver._read_packet()
    packet.check_error()
    return packet


class _Plain:
    """A way to log in that gives the password away: only over verified TLS, or to a socket in the file system.

    Not over TCP on this machine: any user may listen on a port whose server is down, and tunnels begin there.
    """

    def __init__(self, plugin: str, driver: Any) -> None:
        self._plugin = plugin
        self._driver = driver

    def authenticate(self, packet: Any) -> Any:
        """Answer the server's request. Raises TwinrowError when it may not have the password."""
        driver = self._driver
        if not (reach(driver) == "socket" or (driver.trust.verified and tls_of(driver))):
            raise TwinrowError(
                f"the server asks for the password in clear text, or nearly so ({self._plugin}); it gets none",
                where=driver.trust.place,
                remedy="add ?ssl_ca=FILE to `mysql.url`, so that TLS is verified, or give the user another plugin",
            )
        return driver._process_auth(self._plugin.encode(), packet)


class _Sha2:
    """`caching_sha2_password` and `sha256_password`.

    Their full form sends the password as it is over TLS (a server takes nothing else there), else encrypted with a
    public key: the pinned key, or the server's own, which anybody on the way from another host can exchange.
    """

    def __init__(self, plugin: str, driver: Any) -> None:
        self._plugin = plugin
        self._driver = driver
        self._salt: bytes = driver.salt

    def authenticate(self, packet: Any) -> Any:
        """Answer the server's request. Raises TwinrowError when it may not have the password."""
        driver = self._driver
        if not driver.password:
            return _asked(driver, b"")
        if packet.is_auth_switch_request():
            self._salt = packet.read_all().removesuffix(b"\0")
            if self._plugin == "sha256_password":
                return self._full()
            packet = _asked(driver, _auth.scramble_caching_sha2(driver.password, self._salt))
            if packet.is_ok_packet():
                return packet
        if not packet.is_extra_auth_data():
            raise ValueError("no answer to a login")
        packet.advance(1)
        wanted = packet.read_uint8()
        if wanted == FAST_AUTHENTICATION:
            answer = driver._read_packet()
            answer.check_error()
            return answer
        if wanted != FULL_AUTHENTICATION:
            raise ValueError("no answer to a login")
        return self._full()

    def _full(self) -> Any:
        """Give the whole password, as safely as it can be."""
        driver, trust, key = self._driver, self._driver.trust, self._driver.trust.public_key
        proved = reach(driver) == "socket" or (trust.verified and tls_of(driver))
        if proved or (key is None and tls_of(driver)):
            return _asked(driver, driver.password + b"\0")
        if tls_of(driver):
            raise TwinrowError(
                "over TLS the server takes the password as it is, server_public_key cannot protect it; it gets none",
                where=trust.place, remedy="add ?ssl_ca=FILE to `mysql.url`, or ssl_mode=DISABLED beside the key",
            )  # fmt: skip
        if key is None and reach(driver) == "network":
            raise TwinrowError(
                f"the server asks for the password ({self._plugin}), encrypted with a key that anybody on the way can "
                "exchange; it gets none",
                where=trust.place,
                remedy="add ?ssl_ca=FILE to `mysql.url`, or ?server_public_key=FILE with the server's public_key.pem",
            )
        if key is None:
            answer = _asked(driver, ASKS_FOR_KEY[self._plugin])
            if not answer.is_extra_auth_data():
                raise ValueError("no public key")
            key = answer._data[1:]
        return _asked(driver, _auth.sha2_rsa_encrypt(driver.password, self._salt, key))


WAYS_TO_LOG_IN: dict[str, Callable[[Any], Any]] = {
    **{name: partial(_Plain, name) for name in PLAIN},
    **{name: partial(_Sha2, name) for name in ASKS_FOR_KEY},
}
"""The handlers for the authentication methods that a server may ask for.

The driver itself knows those that send no password.
"""

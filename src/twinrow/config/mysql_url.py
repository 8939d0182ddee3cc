"""`mysql.url`, taken apart: server, login, TLS; variables are put in after it is parsed, so any password works."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from urllib.parse import unquote, unquote_plus, urlsplit

from twinrow.config.variables import VARIABLE, file_of, variable
from twinrow.errors import ConfigError

CONNECT_TIMEOUT_S_MAX = 3600
TLS_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
URL_OPTIONS = (
    "ssl_mode", "ssl_ca", "ssl_cert", "ssl_key", "connect_timeout_s", "unix_socket", "server_public_key", "auth",
    "secret",
)  # fmt: skip
RDS_IAM: Final = "rds-iam"
SECRET: Final = re.compile(r"arn:aws[a-z-]*:secretsmanager:(?P<region>[a-z0-9-]+):\d{12}:secret:[\w/+=.@!-]+")
RDS_HOST: Final = re.compile(r"\.(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.rds\.amazonaws\.com(?:\.cn)?$")

Bad = Callable[[str], ConfigError]


@dataclass(frozen=True)
class MySQLConfig:
    """Where the copy lives, and how a session logs in. The password is never shown, not by `repr` either.

    `auth`: `rds-iam`, where a token signed for `region` takes the password's place. `secret`: the ARN of the secret
    that holds user and password. `password_file`: the mounted file that the password was read from.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    ssl_mode: str = "PREFERRED"
    ssl_ca: str | None = None
    ssl_cert: str | None = None
    ssl_key: str | None = None
    connect_timeout_s: float = 10.0
    unix_socket: str | None = None
    server_public_key: str | None = None
    auth: str | None = None
    secret: str | None = None
    password_file: str | None = None
    region: str = ""

    @property
    def place(self) -> str:
        """Server and database, for messages."""
        return f"{self.unix_socket or f'{self.host}:{self.port}'}/{self.database}"

    @property
    def database_region(self) -> str:
        """The Region of an RDS database: its host names it, else it is that of `[dynamodb]`."""
        found = RDS_HOST.search(self.host)
        return found["region"] if found is not None else self.region

    @property
    def secret_region(self) -> str:
        """The Region of the secret, as its ARN says."""
        found = SECRET.fullmatch(self.secret or "")
        return found["region"] if found is not None else self.region


def mysql_config(url: str, place: str, variables: Mapping[str, str] | None, region: str = "us-east-1") -> MySQLConfig:
    """The parts of `mysql://user:password@host:port/database?options`; variables are put in after it is parsed.

    A URL that is a mere variable is the variable's value, taken as it is: a password in it may look like a variable.
    With None for `variables` there are none in it. `region` is where a database is whose host does not say it.

    Raises ConfigError, which shows no part of a password.
    """
    whole = VARIABLE.fullmatch(url)
    if whole is not None and variables is not None:
        return mysql_config(variable(whole[1], variables, place, "$.mysql.url"), place, None, region)

    def bad(what: str) -> ConfigError:
        return ConfigError(
            f"`mysql.url` {what}", where=place, remedy="write mysql://USER:${MYSQL_PASSWORD}@HOST:3306/DATABASE"
        )

    def part(text: str, key: str, decoded: Callable[[str], str] = unquote) -> str:
        # variables are looked for before decoding: what is written as %24%7B is none
        if variables is None:
            return decoded(text)
        # the odd ones are names
        return "".join(
            variable(piece, variables, place, f"$.mysql.url {key}") if n % 2 else decoded(piece)
            for n, piece in enumerate(VARIABLE.split(text))
        )

    try:
        parts = urlsplit(url)
    except ValueError:  # its message would show the password
        raise bad(
            "cannot be read: a character in it wants to be written as %XX, or the password as a variable"
        ) from None
    if parts.scheme not in ("mysql", "mariadb", "mysql+pymysql"):
        raise bad(f"has the scheme {parts.scheme!r}, not mysql")
    login, at, server = parts.netloc.rpartition("@")
    given = [pair.partition("=") for pair in parts.query.split("&") if pair]
    options = {
        # a + is a character of an ARN
        unquote_plus(name).replace("-", "_"): part(value, name, unquote if name == "secret" else unquote_plus)
        for name, _, value in given
    }
    if not at and "secret" not in options:  # what follows may be the rest of a password: nothing of it is shown
        raise bad("names no user before an @ (in a password #, / and ? are written as %23, %2F and %3F)")
    for name in options:
        if name not in URL_OPTIONS:
            raise bad(f"has the unknown option {name!r} (known: {', '.join(URL_OPTIONS)})")
    user, _, password = login.partition(":")
    of_bytes = partial(unquote, errors="surrogateescape")
    mounted = VARIABLE.fullmatch(password)
    password_file = file_of(mounted[1], variables) if mounted is not None and variables is not None else None
    host, port, database = _place(parts.path, server, part, bad)
    if not user and "secret" not in options:
        raise bad("names no user")
    if "@" in parts.path:  # then the server is a piece of the password, too
        raise bad("has a / before an @ (in a user or password / is written as %2F and @ as %40)")
    made = MySQLConfig(
        host=host, port=port, user=part(user, "user"), password=part(password, "password", of_bytes), database=database,
        ssl_mode=_tls_mode(options, bad), ssl_ca=options.get("ssl_ca"), ssl_cert=options.get("ssl_cert"),
        ssl_key=options.get("ssl_key"), connect_timeout_s=_connect_timeout_s(options, bad),
        unix_socket=options.get("unix_socket"), server_public_key=options.get("server_public_key"),
        auth=options.get("auth"), secret=options.get("secret"), password_file=password_file, region=region,
    )  # fmt: skip
    _check_login(made, bad)
    return made


def _place(path: str, server: str, part: Callable[[str, str], str], bad: Bad) -> tuple[str, int, str]:
    """Host, port and database."""
    host, port = _host_and_port(server)
    if ":" in VARIABLE.sub("", host) and not host.endswith("]"):
        raise bad("has an IPv6 address that is not in brackets (write [::1]:3306)")
    port_text = part(port, "port") or "3306"
    database = part(path.removeprefix("/"), "database")
    if not (port_text.isascii() and port_text.isdecimal() and len(port_text) < 6) or not 0 < int(port_text) < 65536:
        raise bad(f"has the port {port_text!r}")
    if not database:
        raise bad("names no database")
    return part(host, "host").strip("[]") or "127.0.0.1", int(port_text), database


def _host_and_port(server: str) -> tuple[str, str]:
    """The two parts of a server, of which the port may be missing: a colon within brackets belongs to the host."""
    if server.endswith("]") or ":" not in server:
        return server, ""
    host, _, port = server.rpartition(":")
    return host, port


def _check_login(made: MySQLConfig, bad: Bad) -> None:
    """Raise for ways to log in that are not known, or that would give a password away."""
    if made.auth is None and made.secret is None:
        return
    if made.auth not in (None, RDS_IAM):
        raise bad(f"has auth={made.auth} (known: {RDS_IAM})")
    if made.auth is not None and made.secret is not None:
        raise bad("has auth and secret at once: a token needs no secret")
    if made.password:
        raise bad("has a password beside auth or secret, which give it")
    if made.secret is not None and not SECRET.fullmatch(made.secret):
        raise bad("has a secret that is no ARN (write secret=arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME)")
    if made.auth is not None and (made.unix_socket or not made.ssl_mode.startswith("VERIFY")):
        raise bad(f"has auth={made.auth} without verified TLS, over which alone a token may go (add ssl_ca=FILE)")


def _tls_mode(options: Mapping[str, str], bad: Bad) -> str:
    mode = options.get("ssl_mode", "VERIFY_CA" if "ssl_ca" in options else "PREFERRED").upper()
    if mode not in TLS_MODES:
        raise bad(f"has ssl_mode {mode!r} (it takes {', '.join(TLS_MODES)})")
    if mode.startswith("VERIFY") and "ssl_ca" not in options:
        raise bad(f"asks for {mode} without ssl_ca=FILE")
    return mode


def _connect_timeout_s(options: Mapping[str, str], bad: Bad) -> float:
    try:
        seconds = float(options.get("connect_timeout_s", "10"))
    except ValueError:
        raise bad("has a connect_timeout_s that is no number") from None
    if not 1 <= seconds <= CONNECT_TIMEOUT_S_MAX:
        raise bad(f"has a connect_timeout_s that is not between 1 and {CONNECT_TIMEOUT_S_MAX}")
    return seconds

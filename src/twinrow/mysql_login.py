"""Whom a session logs in as, and with which password: the configuration's, a mounted file's, AWS's.

A password that was changed while the process runs is taken without a restart: where the server refuses a login, file or
secret is read again, and a token is made anew.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from twinrow import clock
from twinrow.errors import ConfigError, Transient
from twinrow.mounted import mounted

LOGIN_REFUSED: Final = frozenset({1045, 1698})
READ_AGAIN_S_MIN = 2.0
"""Thirty tables that are refused at once ask for the secret once, and a wrong password costs no flood of requests."""


class LoginSettings(Protocol):
    """The part of the settings that says how to log in (config.MySQLConfig has it)."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def user(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def auth(self) -> str | None: ...
    @property
    def secret(self) -> str | None: ...
    @property
    def password_file(self) -> str | None: ...
    @property
    def database_region(self) -> str: ...
    @property
    def secret_region(self) -> str: ...


class Logins(Protocol):
    """Gives each new session its login."""

    def take(self) -> Login:
        """The login for a session. Raises Transient or ConfigError where it cannot be had."""

    def instead_of(self, refused: Login) -> Login | None:
        """Another login, after the server has refused that login; None where there is no other. Raises as `take`."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password, which is not shown."""

    user: str
    password: str = field(repr=False)


class Fixed:
    """The login that stands in the configuration or the environment."""

    def __init__(self, login: Login) -> None:
        self._login = login

    def take(self) -> Login:
        """Always the same."""
        return self._login

    def instead_of(self, refused: Login) -> Login | None:
        """There is no other."""
        del refused
        return None


class RDSToken:
    """A token for each session, signed with the AWS credentials of this process."""

    def __init__(self, settings: LoginSettings) -> None:
        self._settings = settings

    def take(self) -> Login:
        """A token that is a moment old."""
        from twinrow.aws_services import rds_token

        asked = self._settings
        return Login(asked.user, rds_token(asked.host, asked.port, asked.user, asked.database_region))

    def instead_of(self, refused: Login) -> Login | None:
        """Another token: the credentials behind the refused token may just have run out."""
        del refused
        return self.take()


class Kept:
    """A login that is read from somewhere, kept, and read again once the server refuses it. Any thread may ask."""

    def __init__(self, read: Callable[[], Login]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._login: Login | None = None
        self._read_at = 0.0

    def take(self) -> Login:
        """The login that was read last."""
        with self._lock:
            return self._login or self._read_now()

    def instead_of(self, refused: Login) -> Login | None:
        """The login that another thread has read meanwhile, or that is read now; None where it is still the same."""
        with self._lock:
            if self._login == refused and clock.monotonic() - self._read_at >= READ_AGAIN_S_MIN:
                try:
                    self._read_now()
                except ConfigError as error:  # it was readable before: whoever took the right away may give it back
                    raise Transient(
                        error.what, where=error.where, remedy=error.remedy, commands=error.commands
                    ) from error
            return None if self._login == refused else self._login

    def _read_now(self) -> Login:
        self._login = self._read()
        self._read_at = clock.monotonic()
        return self._login


def logins_of(settings: LoginSettings) -> Logins:
    """How sessions log in with these settings; nothing is read yet."""
    fixed = Login(settings.user, settings.password)
    if settings.auth is not None:
        return RDSToken(settings)
    if settings.secret is not None:
        arn, region = settings.secret, settings.secret_region
        return Kept(lambda: _of_secret(arn, region, fixed.user))
    if settings.password_file is not None:
        path = settings.password_file
        return Kept(lambda: Login(fixed.user, mounted(path, "mysql.url")))
    return Fixed(fixed)


def _of_secret(arn: str, region: str, user: str) -> Login:
    """User and password of a secret: JSON as RDS keeps it, whose user counts; else the text is the password."""
    from twinrow.aws_services import secret_text

    text = secret_text(arn, region)
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    parts = document if isinstance(document, dict) else {"password": text}
    found, password = parts.get("username", user), parts.get("password")
    if not (isinstance(found, str) and found and isinstance(password, str) and password):
        raise ConfigError(
            "the secret has no user, or no password", where=arn,
            remedy='store {"username": …, "password": …} in it, or name the user in `mysql.url`',
        )  # fmt: skip
    return Login(found, password)

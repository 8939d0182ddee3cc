"""A port that accepts and says nothing, as a firewall or a hanging server does."""

from __future__ import annotations

import socket
import time

import pytest

from twinrow.app.wiring import mysql_of
from twinrow.config import parse
from twinrow.errors import Transient

LONGEST_S = 15.0
"""Far below the time-out of a statement, and room for a machine under load above the second that is asked for."""


def test_a_port_that_says_nothing_is_told_within_the_time_to_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"mysql://user:secret@127.0.0.1:{silent.getsockname()[1]}/copy?connect_timeout_s=1"
        mysql = mysql_of(parse(f'[mysql]\nurl = "{url}"\n[[tables]]\nname = "reviews"\ncapture = "scan"\n'))
        began = time.monotonic()
        with pytest.raises(Transient, match="does not answer"):
            mysql.connect()
        assert time.monotonic() - began < LONGEST_S

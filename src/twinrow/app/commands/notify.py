"""`twinrow notify`: whether notifications arrive."""

from __future__ import annotations

from typing import Annotated

import typer

from twinrow.app.options import ConfigOption, load_config
from twinrow.app.terminal import complain, out
from twinrow.errors import ConfigError, TwinrowError


def notify(
    config: ConfigOption = None,
    test: Annotated[bool, typer.Option("--test", help="Send a message that says that it is a test.")] = False,
) -> None:
    """Send a test message to each place of `[notify]`.

    A running sync tells there of a table that stopped, dead letters, gaps, a lag above lag_alert and a verify that
    found differences: once when it begins, once when it is over. Exit code 1 when a place did not take the message.

    \b
    Example:
      twinrow notify --test
    """
    from twinrow.app.notify.channels import channels_of
    from twinrow.app.notify.message import TEST

    loaded = load_config(config)
    if not test:
        raise ConfigError("`twinrow notify` sends nothing by itself", remedy="say --test")
    if loaded.notify is None:
        raise ConfigError("there is no [notify]", where=loaded.path, remedy="write webhook or sns_topic into it")
    failed = False
    for channel in channels_of(loaded.notify):
        try:
            channel.send(TEST)
            out(f"{channel.name}: sent")
        except TwinrowError as error:
            failed = True
            complain(error)
    raise typer.Exit(1 if failed else 0)

"""Options that several commands share, and how they find their configuration."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from twinrow.app import typed
from twinrow.app.terminal import say
from twinrow.capture_kind import KINDS
from twinrow.config import Config
from twinrow.errors import ConfigError


def table_names(context: typer.Context, incomplete: str) -> list[str]:
    """For the shell's completion: the configured tables that begin so; none where no configuration can be read."""
    before = context.parent.params if context.parent is not None else {}
    path = Path(context.params.get("config") or before.get("config") or typed.CONFIG_DEFAULT)
    from twinrow.config.documents import names_in

    try:
        names = names_in(path)
    except (OSError, ValueError, ConfigError):
        return []
    return [name for name in names if name.startswith(incomplete)]


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The configuration file.  [default: twinrow.toml]", show_default=False),
]
TablesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TABLE...", help="Tables of the configuration; all when none is named.", show_default=False,
        autocompletion=table_names,
    ),
]  # fmt: skip
TableArgument = Annotated[
    str,
    typer.Argument(
        metavar="TABLE", help="A DynamoDB table of the configuration.", show_default=False, autocompletion=table_names
    ),
]  # fmt: skip
JsonOption = Annotated[bool, typer.Option("--json", help="A JSON document on stdout.")]
CaptureOption = Annotated[str | None, typer.Option("--capture", metavar="CAPTURE", help=f"{', '.join(KINDS)}.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(frozen=True, slots=True)
class Said:
    """The options before the command: `twinrow -c FILE --verbose sync`."""

    config: Path | None = None
    verbose: bool = False
    json_logs: bool = False


class _Before:
    """The command line of this process."""

    said = Said()


def note(said: Said) -> None:
    """Remember the options that stand before the command."""
    _Before.said = said


def said() -> Said:
    """The options that stand before the command."""
    return _Before.said


def config_path(given: Path | None) -> Path:
    """The file named after the command, else before it, else twinrow.toml."""
    path = given or said().config or typed.CONFIG_DEFAULT
    typed.note(path)
    return path


def following(path: Path) -> str:
    """How the next command begins: with the file, where it is not the default."""
    return "twinrow" if path == Path(typed.CONFIG_DEFAULT) else f"twinrow -c {shlex.quote(str(path))}"


def check_capture(capture: str | None) -> None:
    """Raise ConfigError for a `--capture` that does not exist."""
    if capture is not None and capture not in KINDS:
        raise ConfigError(f"--capture {capture} is none of {', '.join(KINDS)}")


ServeOption = Annotated[
    str | None, typer.Option("--serve", metavar="HOST:PORT", help="Show the page there, for example 127.0.0.1:8642.")
]
ServeTokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--serve-token-file",
        metavar="FILE",
        help="The token for raw items on the page, and off loopback for the whole page: read from FILE, or "
        "written into it for its owner alone. Without it the token is printed, at a terminal only.",
        show_default=False,
    ),
]
ServeCertOption = Annotated[
    Path | None,
    typer.Option("--serve-cert", metavar="FILE", help="Serve the page by TLS: its certificate with the chain, in PEM."),
]
ServeKeyOption = Annotated[
    Path | None, typer.Option("--serve-key", metavar="FILE", help="The private key of --serve-cert, in PEM.")
]
MetricsOption = Annotated[
    str | None, typer.Option("--metrics", metavar="HOST:PORT", help="Answer Prometheus and health checks there.")
]
AcceptDeletesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-deletes",
        metavar="TABLE=N",
        help="Let the next pass over TABLE delete up to N rows whose items are gone, though they are most of the copy.",
        show_default=False,
    ),
]


RekeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rekey", metavar="TABLE", show_default=False,
        help="Hash the values of this table anew with the secret of today: a reconcile reads its items once.",
    ),
]  # fmt: skip


def accepted_deletes(given: list[str] | None, config: Config) -> dict[str, int]:
    """The deletes that `--accept-deletes TABLE=N` allows, by table. Raises ConfigError."""
    found: dict[str, int] = {}
    for text in given or ():
        table, _, count = text.rpartition("=")
        if not table or not (count.isascii() and count.isdigit()):
            raise ConfigError(f"--accept-deletes {text} is not TABLE=N", remedy="write --accept-deletes reviews=1234")
        config.chosen([table])  # an unknown table is an error
        found[table] = int(count)
    return found


def load_config(given: Path | None, *, new_tables: bool = False) -> Config:
    """Read the configuration; warnings go to stderr. Raises ConfigError, TwinrowError.

    Its patterns stand for the tables that have a copy, of MySQL alone; `new_tables`: for all that DynamoDB has.
    """
    from twinrow.app.wiring import read_config

    config, warnings = read_config(config_path(given))
    if config.patterns:
        from twinrow.app import discovery

        discover = discovery.with_tables_there if new_tables else discovery.with_tables_copied
        config, more = discover(config)
        warnings = [*warnings, *more]
    for warning in warnings:
        say(f"twinrow: warning: {warning}")
    return config

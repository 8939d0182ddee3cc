"""The page and the metrics of a running sync: both look at one status, which is read once a second for all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from twinrow.app.logs import Log
from twinrow.app.observe.watch import StatusSource
from twinrow.app.serve.listen import Listening, TLSFiles
from twinrow.app.serve.token import new_token, others_can_read, token_of
from twinrow.clock import Stop
from twinrow.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where to listen, as `--serve` and `--metrics` say it; None: not at all.

    `token_file` keeps the page's token; without such a file it is printed, at a terminal only, or wherever
    `show_token` says that nothing secret is behind it. `tls`: the page is served by TLS.
    """

    page: str | None = None
    metrics: str | None = None
    token_file: Path | None = None
    tls: TLSFiles | None = None
    show_token: bool = False

    def __bool__(self) -> bool:
        return self.page is not None or self.metrics is not None


def tls_of(page: str | None, token_file: Path | None, certificate: Path | None, key: Path | None) -> TLSFiles | None:
    """The files of `--serve-cert` and `--serve-key`. Raises ConfigError where an option lacks the others."""
    if (certificate is None) != (key is None):
        raise ConfigError("--serve-cert and --serve-key belong together", remedy="give both, or neither")
    given = {"--serve-token-file is the token": token_file, "--serve-cert is the certificate": certificate}
    for what, path in given.items():
        if path is not None and page is None:
            raise ConfigError(f"{what} of --serve, which is not given", remedy="add --serve HOST:PORT")
    return TLSFiles(certificate, key) if certificate is not None and key is not None else None


@contextmanager
def serving(addresses: Addresses, source: StatusSource, stop: Stop, log: Log) -> Iterator[None]:
    """Listen until the end of the `with`. Raises ConfigError, TwinrowError when an address cannot be had."""
    with ExitStack() as stack:
        if addresses.page is not None:
            from twinrow.app.serve.page.server import serve

            token = token_of(addresses.token_file) if addresses.token_file is not None else new_token()
            page = stack.enter_context(serve(addresses.page, source, stop, token, addresses.tls))
            _tell(log, page, token, addresses)
        if addresses.metrics is not None:
            from twinrow.app.serve.metrics import serve_metrics

            metrics = stack.enter_context(serve_metrics(addresses.metrics, source))
            log.event("info", "serving", "", f"Prometheus: {metrics.url}metrics")
        yield


def _tell(log: Log, page: Listening, token: str, addresses: Addresses) -> None:
    """Say where the page is. The token is shown to a person at a terminal, never to a log that is kept."""
    token_file, loopback = addresses.token_file, page.address.loopback
    shown = "raw items are" if loopback else "it is"
    if token_file is not None:
        how = f"{shown} shown with the token in {token_file}"
    elif addresses.show_token or (not log.as_json and sys.stderr.isatty()):
        how = f"{shown} shown with {page.url}?token={token}"
    else:
        wants = "raw items want" if loopback else "it wants"
        how = f"{wants} a token, which no log holds: name a file for it with --serve-token-file FILE"
    log.event("info", "serving", "", f"the page: {page.url}  ({how})")
    if token_file is not None and others_can_read(token_file):
        log.event(
            "warning", "serving", "", f"every user of this machine can read {token_file} (chmod 600 {token_file})"
        )
    if not loopback and addresses.tls is None:
        log.event(
            "warning", "serving", "",
            f"the page on {page.address} has no TLS: whoever is on the way can read keys, reasons and the token "
            "(add --serve-cert FILE --serve-key FILE, or listen on 127.0.0.1 behind a proxy with TLS)",
        )  # fmt: skip

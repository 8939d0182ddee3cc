"""The page and the metrics of a running sync: both look at one status, which is read once a second for all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from twinrow.app.logs import Log
from twinrow.app.observe.watch import StatusSource
from twinrow.app.serve.listen import Address
from twinrow.app.serve.token import new_token, others_can_read, token_of
from twinrow.clock import Stop


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where to listen, as `--serve` and `--metrics` say it; None: not at all.

    `token_file` keeps the page's token; without one it is printed, at a terminal only.
    """

    page: str | None = None
    metrics: str | None = None
    token_file: Path | None = None

    def __bool__(self) -> bool:
        return self.page is not None or self.metrics is not None


@contextmanager
def serving(addresses: Addresses, source: StatusSource, stop: Stop, log: Log) -> Iterator[None]:
    """Listen until the end of the `with`. Raises ConfigError, TwinrowError when an address cannot be had."""
    with ExitStack() as stack:
        if addresses.page is not None:
            from twinrow.app.serve.page.server import serve

            token = token_of(addresses.token_file) if addresses.token_file is not None else new_token()
            page = stack.enter_context(serve(addresses.page, source, stop, token))
            _tell(log, page.url, page.address, token, addresses.token_file)
        if addresses.metrics is not None:
            from twinrow.app.serve.metrics import serve_metrics

            metrics = stack.enter_context(serve_metrics(addresses.metrics, source))
            log.event("info", "serving", "", f"Prometheus: {metrics.url}metrics")
        yield


def _tell(log: Log, url: str, address: Address, token: str, token_file: Path | None) -> None:
    """Say where the page is. The token is shown to a person at a terminal, never to a log that is kept."""
    if token_file is not None:
        how = f"raw items are shown with the token in {token_file}"
    elif not log.as_json and sys.stderr.isatty():
        how = f"raw items are shown with {url}?token={token}"
    else:
        how = "raw items want a token, which no log holds: name a file for it with --serve-token-file FILE"
    log.event("info", "serving", "", f"the page: {url}  ({how})")
    if token_file is not None and others_can_read(token_file):
        log.event(
            "warning", "serving", "", f"every user of this machine can read {token_file} (chmod 600 {token_file})"
        )
    if not address.loopback:
        log.event(
            "warning", "serving", "",
            f"the page on {address} has no TLS: whoever is on the way can read keys, reasons and the token "
            "(listen on 127.0.0.1, and put a proxy with TLS before it)",
        )  # fmt: skip

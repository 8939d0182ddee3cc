"""The page and the metrics of a running sync: both look at one status, which is read once a second for all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from twinrow.app.logs import Log
from twinrow.app.watch import StatusSource
from twinrow.clock import Stop


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where to listen, as `--serve` and `--metrics` say it; None: not at all."""

    page: str | None = None
    metrics: str | None = None

    def __bool__(self) -> bool:
        return self.page is not None or self.metrics is not None


@contextmanager
def serving(addresses: Addresses, source: StatusSource, stop: Stop, log: Log) -> Iterator[None]:
    """Listen until the end of the `with`. Raises ConfigError, TwinrowError when an address cannot be had."""
    with ExitStack() as stack:
        if addresses.page is not None:
            from twinrow.app.page.server import new_token, serve

            token = new_token()
            page = stack.enter_context(serve(addresses.page, source, stop, token))
            log.event(
                "info", "serving", "", f"the page: {page.url}  (raw items are shown with {page.url}?token={token})"
            )
        if addresses.metrics is not None:
            from twinrow.app.metrics import serve_metrics

            metrics = stack.enter_context(serve_metrics(addresses.metrics, source))
            log.event("info", "serving", "", f"Prometheus: {metrics.url}metrics")
        yield

"""What goes on beside a sync that follows its tables: notifications and proofs, where they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from twinrow.app.logs import Log
from twinrow.app.observe.watch import StatusSource
from twinrow.config import Config, TableConfig

if TYPE_CHECKING:
    from twinrow.app.notify.notifier import Notifier
    from twinrow.app.prover import Prover
    from twinrow.config.notify import NotifyPlaces
    from twinrow.workers.run import TableRun


class SideWork:
    """Tells and proves until the end of the `with`, as the last configuration asks for.

    Nothing is imported for what is not asked for.
    """

    def __init__(self, source: StatusSource, runs: Callable[[], Mapping[str, TableRun]], log: Log) -> None:
        self._source = source
        self._runs = runs
        self._log = log
        self._places: NotifyPlaces | None = None
        self._notifier: Notifier | None = None
        self._notifying = ExitStack()
        self._prover: Prover | None = None
        self._proving = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._proving.close()
        self._notifying.close()

    def follow(self, config: Config, chosen: Sequence[TableConfig]) -> None:
        """From now on this configuration counts, and these of its tables."""
        self._notify(config, {table.name: table.lag_alert_s for table in chosen})
        self._prove(config, {table.name: table.verify_s for table in chosen if table.verify_s is not None})

    def _notify(self, config: Config, limits: Mapping[str, float | None]) -> None:
        if self._notifier is not None and config.notify == self._places:
            self._notifier.limits = limits
            return
        self._notifying.close()
        self._places, self._notifier = config.notify, None
        if config.notify is not None:
            from twinrow.app.notify.channels import channels_of
            from twinrow.app.notify.notifier import Notifier

            notifier = Notifier(channels_of(config.notify), self._source, limits, self._log)
            self._notifier = self._notifying.enter_context(notifier)

    def _prove(self, config: Config, every_s: Mapping[str, float]) -> None:
        if self._prover is not None:
            self._prover.follow(config, every_s)
        elif every_s:
            from twinrow.app.prover import Prover

            self._prover = self._proving.enter_context(Prover(config, every_s, self._source, self._runs, self._log))

"""What goes on beside a sync that follows its tables: notifications and proofs, where they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from twinrow.app.logs import Log
from twinrow.app.observe.watch import StatusSource
from twinrow.config import Config, TableConfig

if TYPE_CHECKING:
    from twinrow.workers.run import TableRun


@contextmanager
def beside(
    config: Config, chosen: Sequence[TableConfig], source: StatusSource, runs: Callable[[], Mapping[str, TableRun]],
    log: Log,
) -> Iterator[None]:  # fmt: skip
    """Tell and prove until the end of the `with`; nothing is imported for what is not asked for."""
    with ExitStack() as stack:
        if config.notify is not None:
            from twinrow.app.notify.channels import channels_of
            from twinrow.app.notify.notifier import Notifier

            limits = {table.name: table.lag_alert_s for table in chosen}
            stack.enter_context(Notifier(channels_of(config.notify), source, limits, log))
        every_s = {table.name: table.verify_s for table in chosen if table.verify_s is not None}
        if every_s:
            from twinrow.app.prover import Prover

            stack.enter_context(Prover(config, every_s, source, runs, log))
        yield

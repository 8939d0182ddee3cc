"""Stream capture: every change, from the table's stream, in the order of each item's writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twinrow.capture.shard_tree import RETENTION_S
from twinrow.capture_kind import Traits
from twinrow.errors import StartRefused

if TYPE_CHECKING:
    from twinrow.sync.copy import Copy
    from twinrow.sync.kind import Source, SourceNeeds
    from twinrow.sync.settings import Settings
    from twinrow.table_description import TableDescription


class Stream:
    """The kind `stream`."""

    traits: Final = Traits(
        origin="STREAM", tells_every_change=True, tells_deletes=True, consistent_scan=True, retention_s=RETENTION_S
    )

    def refuse(self, settings: Settings, description: TableDescription) -> None:
        """Raise StartRefused where the stream is off."""
        if description.stream_arn is None:
            raise StartRefused(
                "has no stream", where=f"table {settings.table}", remedy="twinrow check --fix turns it on"
            )

    def begin(self, copy: Copy, description: TableDescription) -> None:
        """The shards and their positions: what is written from now on is in what is followed."""
        from twinrow.sync.follow import enter_stream

        if description.stream_arn is not None:
            enter_stream(copy, description.stream_arn)

    def source(self, needs: SourceNeeds) -> Source:
        """The shards, from their durable positions on."""
        from twinrow.sync.follow import Follow

        return Follow(needs.copy, needs.description)


KIND: Final = Stream()

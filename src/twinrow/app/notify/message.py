"""What a notification says: kinds and numbers, never a key or a value of an item (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from twinrow.app.many import alike, named, without_name
from twinrow.app.observe.alarms import Alarm
from twinrow.app.typed import as_typed

TEST = "Twinrow: this is a test (twinrow notify --test). Troubles of tables come here, and their ends."


def lines(alarms: Iterable[Alarm], *, over: bool) -> list[tuple[str, list[Alarm]]]:
    """A line for each trouble, however many tables have it, and the alarms that it tells."""
    groups: dict[tuple[str, str], list[Alarm]] = {}
    for alarm in alarms:
        groups.setdefault((alarm.kind, alike(alarm.text, alarm.table)), []).append(alarm)
    found = []
    for same in groups.values():
        first, tables = same[0], [alarm.table for alarm in same]
        command = first.command if len(tables) == 1 else without_name(first.command, first.table)
        more = f" -> {as_typed(command)}" if command else ""
        found.append((f"Twinrow {'ok' if over else 'trouble'}: {named(tables)}: {first.text}{more}", same))
    return found

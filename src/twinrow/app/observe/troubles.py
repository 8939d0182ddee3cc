"""Troubles and notes of a table, each with the commands that mend it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from twinrow.app.check.clock_skew import skewed
from twinrow.app.columns.mixed import MixedColumn, sentence
from twinrow.app.observe.standing import TABLE_GONE, TOLD_S_MAX, is_silent, standing_of
from twinrow.app.typed import as_typed
from twinrow.capture.lambda_mapping import is_on
from twinrow.config import TableConfig
from twinrow.state.counted import from_json
from twinrow.state.deferred import EVERY, Deferred
from twinrow.state.overview import Counts
from twinrow.state.tables import Registered

WAITS = "a sync waits and tries again"
SCHEDULED_S_MAX = 900.0
"""The scheduled run comes each minute, and takes a minute at most: after this, its schedule is off or it fails."""
RETENTION_LEFT_S_MIN = 6 * 3600.0
"""DynamoDB keeps changes for 24 hours: with less than this left, somebody should look before they are trimmed."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A trouble (`bad`), or a note that is only worth knowing, and the commands that mend it, if any."""

    bad: bool
    text: str
    commands: tuple[str, ...] = ()


def troubles_of(
    table: TableConfig, known: Registered | None, counts: Counts, at: float, mixed: tuple[MixedColumn, ...] = ()
) -> tuple[Trouble, ...]:
    """The troubles of a table at the moment `at`, the worst first."""
    found = [*_of_the_run(table, known, counts, at), *_of_the_copy(table, known, counts, at)]
    found += [Trouble(False, sentence(entry), (f"twinrow schema {table.name}",)) for entry in mixed]
    typed = [replace(trouble, commands=tuple(map(as_typed, trouble.commands))) for trouble in found]
    return tuple(sorted(typed, key=lambda trouble: not trouble.bad))


def retention_left_s(known: Registered | None, at: float) -> float | None:
    """Seconds until changes not read yet are trimmed; it runs on while nobody reads. None where nothing is trimmed."""
    if known is None or known.retention_left_s is None:
        return None
    silent_s = at - known.read_at
    return known.retention_left_s - (silent_s if silent_s > TOLD_S_MAX else 0.0)


def _of_the_run(table: TableConfig, known: Registered | None, counts: Counts, at: float) -> Iterator[Trouble]:
    sync, check = f"twinrow sync {table.name}", f"twinrow check {table.name}"
    reason = known.why if known else counts.refusal
    if known is not None and known.phase == "BROKEN":
        # a BROKEN table is not tried again by itself: what mends it is done first, then a sync is started
        first = (
            command for command in reason.commands if "--accept-" in command or not command.startswith("twinrow sync")
        )
        yield Trouble(True, reason.text or "stopped", (*first, sync))
    elif reason:
        yield Trouble(True, reason.text, reason.commands or (check,))
    standing = standing_of(known, counts, at)
    if standing.phase == TABLE_GONE:
        return
    if standing.waits:
        why = f": {counts.waits}" if counts.waits != reason.text else ""
        yield Trouble(True, f"{WAITS}{why}", () if reason else (check,))
    elif known is None or (known.phase == "NEW" and not standing.stopped):
        yield Trouble(False, "not copied yet", () if counts.holder else (sync,))
    elif not counts.holder and table.traits.runs_by_invocations and not standing.stopped:
        yield from _of_invocations(counts, at)
    elif not counts.holder:
        last = f", last read {span(at - known.read_at)} ago" if known.read_at else ""
        if standing.stopped and not reason:
            last += ": its last run did not end in good order, so how the copy stands is not known"
            yield Trouble(True, f"no sync is running{last}", (sync,))
        else:
            yield Trouble(False, f"no sync is running{last}", (sync,))
    elif is_silent(known, at):
        text = f"the running sync has read nothing for {span(at - known.read_at)}: it waits for DynamoDB or MySQL"
        yield Trouble(True, text, (check,))
    if known is not None and counts.holder:
        for text in skewed(from_json(known.counters)):
            yield Trouble(True, text, (check,))
    left = retention_left_s(known, at)
    if left is not None and left < RETENTION_LEFT_S_MIN:
        what = f"changes not read yet are trimmed in {span(left)}" if left > 0 else "changes not read yet were trimmed"
        yield Trouble(True, what, (check if counts.holder or standing.waits else sync,))


def handed_over_no_more(counts: Counts) -> bool:
    """Whether Lambda has said that no change arrives: the mapping is off or gone."""
    return counts.events is not None and not is_on(counts.events.mapping_state)


def _of_invocations(counts: Counts, at: float) -> Iterator[Trouble]:
    """A table that AWS Lambda serves: nothing runs between two invocations."""
    known = counts.events
    if known is None:
        yield Trouble(False, "no event and no scheduled run of AWS Lambda has come yet")
        return
    event = f"{span(at - known.event_at)} ago" if known.event_at else "never"
    run = f"{span(at - known.scheduled_at)} ago" if known.scheduled_at else "never"
    late = known.scheduled_at is None or at - known.scheduled_at > SCHEDULED_S_MAX
    yield Trouble(late, f"the last event came {event}, the last scheduled run {run}")
    if handed_over_no_more(counts):
        since = f" since {span(at - known.mapping_at)}" if known.mapping_at else ""
        text = f"no change arrives: the event source mapping is {known.mapping_state}{since}; enable it in AWS Lambda"
        yield Trouble(True, text)


def _of_the_copy(table: TableConfig, known: Registered | None, counts: Counts, at: float) -> Iterator[Trouble]:
    name = table.name
    if counts.dead_letters:
        text = f"{many(counts.dead_letters, 'item')} that no row can hold"
        yield Trouble(True, text, (f"twinrow dead-letters list {name}", f"twinrow dead-letters retry {name}"))
    if counts.not_taken:
        text = f"{many(counts.not_taken, 'row')} not taken by MySQL, tried again by itself: {counts.not_taken_for}"
        yield Trouble(True, text)
    if counts.gaps:
        yield Trouble(True, _gaps(counts, at), () if counts.holder or counts.waits else (f"twinrow sync {name}",))
    if counts.refused:
        text = f"{many(counts.refused, 'item')} cannot be linked: DynamoDB refuses the write"
        yield Trouble(True, text, (f"twinrow verify {name}",))
    counted = from_json(known.counters) if known else None
    if counted is not None and counted.not_understood:
        what = many(counted.not_understood, "change")
        yield Trouble(False, f"{what} not understood, the items were read again; the last one: {counted.last_doubt}")
    for entry in counts.put_off:
        yield _put_off(entry)
    verified = json.loads(known.verified) if known and known.verified else {}
    differences = sum(verified.get(kind, 0) for kind in ("missing", "extra", "different", "unlinked", "unsettled"))
    if differences:
        text = f"the last verify found {many(differences, 'difference')}, {span(at - verified['at'])} ago"
        yield Trouble(True, text, (f"twinrow repair {name} --execute", f"twinrow verify {name}"))
    if table.traits.unseen and table.reconcile_s is None:
        text = f"{table.traits.unseen} are not seen: reconcile_every is off"
        yield Trouble(False, text, (f"twinrow repair {name} --execute",) if known else ())


def _gaps(counts: Counts, at: float) -> str:
    if counts.fill:
        from twinrow.app.observe import filling

        progress = filling.progress_in(counts.fill)
        if progress is not None:
            return filling.sentence(counts.gaps, progress, at)
    text = f"{many(counts.gaps, 'gap')} in what was read; a running sync mends that by reconciling"
    return f"{text}, not by exports: {counts.gaps_why}" if counts.gaps_why else text


def _put_off(entry: Deferred) -> Trouble:
    """Values that SQL does not see as they are yet."""
    if entry.attribute == EVERY:
        return Trouble(False, "rows written by an earlier version are looked through for values that wait in extra")
    rows = "1 row shows" if entry.rows == 1 else f"{entry.rows:,} rows show" if entry.rows else "rows show"
    text = (
        f"{rows} `{entry.attribute}` rounded or as NULL since {span(entry.age_s)} (exact in extra) until its column "
        f"holds the values: {entry.why}"
    )
    return Trouble(True, text, entry.commands)


def many(count: int, what: str) -> str:
    """A count with its noun: `1 gap`, `2,000 gaps`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def span(seconds: float) -> str:
    """A span of time as a person says it: `4 s`, `12 min`, `3 h`, `5 d`."""
    if seconds < 120:
        return f"{max(0, round(seconds))} s"
    if seconds < 7200:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h" if seconds < 172_800 else f"{round(seconds / 86_400)} d"

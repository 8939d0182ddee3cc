"""A split that was changed: what the copy that is there has to do for it, and what only DynamoDB can tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from twinrow.entities.condition import Condition
from twinrow.entities.doubts import implies
from twinrow.entities.split import Entity, Split, attributes_of


@dataclass(frozen=True, slots=True)
class Changed:
    """The work that a changed split needs. No work: all fields are empty or False.

    `renamed`: (entity, old table, new table) of entities that keep their rows under another table name.
    `added`, `removed`: names of entities that have tables now, or had them. `rows_move`: rows may belong to another
    table, or to none; a pass over the rows tells. `parts`: entities whose parts' columns must be made anew.
    `reasons`: why items without a row may need one now, so that DynamoDB must be read (a gap and a reconcile).
    """

    renamed: tuple[tuple[str, str, str], ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    rows_move: bool = False
    parts: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether there is anything to do."""
        return self != Changed()


def unsplit(into: str) -> Split:
    """Return the split of a table that has none: every item has its row in one table."""
    return Split(into, "#", "keep", (), ())


def changed(before: Split, after: Split, lacking: Collection[str] = ()) -> Changed:
    """Compare two splits of one table. `lacking` are attributes that the rows do not hold.

    In doubt rows move and DynamoDB is read: a pass in vain costs time, a row that is missing breaks the promise.
    """
    old = {entity.name: entity for entity in before.entities if entity.into is not None}
    new = {entity.name: entity for entity in after.entities if entity.into is not None}
    both = [name for name in new if name in old]
    renamed = [(name, str(old[name].into), str(new[name].into)) for name in both if old[name].into != new[name].into]
    if before.into != after.into:
        renamed.append(("", before.into, after.into))
    return Changed(
        renamed=tuple(renamed),
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        rows_move=_rules(before) != _rules(after),
        parts=tuple(name for name in both if _parts(before, old[name]) != _parts(after, new[name])),
        reasons=tuple(dict.fromkeys(_reasons(before, after, lacking))),
    )


def _rules(split: Split) -> object:
    """All that decides where an item goes, but for the names of tables."""
    return (
        split.separator, split.unmatched, split.where, split.by_value,
        tuple((entity.name, entity.into is None, entity.when, entity.where) for entity in split.entities),
    )  # fmt: skip


def _parts(split: Split, entity: Entity) -> object:
    return split.separator, entity.parts, entity.when, entity.extract


def _reasons(before: Split, after: Split, lacking: Collection[str]) -> Iterator[str]:
    """Why an item that has no row may get one, or why a rule cannot be tried on a row."""
    same_separator = before.separator == after.separator
    if _rules(before) != _rules(after):
        for attribute in sorted(attributes_of(after) & {*lacking}):
            yield f"attribute {attribute!r} decides, and the rows do not hold it"
    if before.where and not (same_separator and after.where and tighter(after.where, before.where, after.separator)):
        yield "`where` of the table may take items that it left out"
    for entity in before.entities:
        if entity.into is None and not (same_separator and _still_ignored(entity, before, after)):
            yield f"items that entity {entity.name!r} ignored may be wanted"
        elif entity.where and not (same_separator and _still_filtered(entity, before, after)):
            yield f"`where` of entity {entity.name!r} may take items that it left out"
    if before.unmatched != "keep" and _rules(before) != _rules(after):
        yield "items that matched no entity may be wanted"


def tighter(after: Condition, before: Condition, separator: str) -> bool:
    """Whether all that matches `after` surely matched `before`."""
    return all(any(implies(strong, other, separator) for other in before) for strong in after)


def _still_ignored(entity: Entity, before: Split, after: Split) -> bool:
    """Whether every item that went to an ignored entity surely goes to one now."""
    able = [
        candidate
        for candidate in after.entities
        if candidate.into is None and tighter(entity.when, candidate.when, after.separator)
    ]
    return any(_no_new_rival(entity, candidate, before, after) for candidate in able)


def _still_filtered(entity: Entity, before: Split, after: Split) -> bool:
    """Whether every item that an entity's `where` left out is surely left out now."""
    now = after.entity(entity.name)
    if now is None or now.into is None or now.when != entity.when or not now.where:
        return False
    return tighter(now.where, entity.where, after.separator) and _no_new_rival(entity, now, before, after)


def _no_new_rival(was: Entity, now: Entity, before: Split, after: Split) -> bool:
    """Whether each entity with rows before `now` stood before `was`, too, with the same rule: it did not match then."""
    earlier = {(entity.name, entity.when) for entity in before.entities[: before.entities.index(was)]}
    rivals = after.entities[: after.entities.index(now)]
    return all(entity.into is None or (entity.name, entity.when) in earlier for entity in rivals)

"""An update of an item as data, with two renderings: PartiQL's UPDATE and UpdateItem's parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from twinrow.change import AttributeValue, Item
from twinrow.dynamodb_wire import Statement
from twinrow.state.outbox import ANY_IMAGE, PendingLink
from twinrow.table_description import name_in_dynamodb

PLACEHOLDERS = ("#", ":")
"""A name that begins so is taken for a placeholder of the expression even inside its quotes (DynamoDB Local 3)."""


@dataclass(frozen=True, slots=True)
class ItemUpdate:
    """Set and remove attributes of the item with this key, only if it exists and has the values of `only_if`.

    `wants_old`: the answer is to bring the image before the update. Raises ValueError where there is nothing to do, or
    an attribute is both set and removed. An update of the key itself is refused by DynamoDB.
    """

    key: Item
    sets: Mapping[str, AttributeValue]
    removes: frozenset[str] = frozenset()
    only_if: Mapping[str, AttributeValue] | None = None
    wants_old: bool = True

    def __post_init__(self) -> None:
        if not (self.sets or self.removes) or self.sets.keys() & self.removes:
            raise ValueError("an update sets or removes attributes, each in one way")


@dataclass(frozen=True, slots=True)
class LinkRules:
    """Which attributes the links of one table write, and what they write for a cleared mark.

    `link_attribute` and `mark_attribute` are None where the table has none. `done` takes the place of a cleared mark
    (None: it is removed). `own` names Twinrow's own attributes, which count in no comparison of images.
    """

    link_attribute: str | None
    mark_attribute: str | None
    done: AttributeValue | None
    own: frozenset[str]

    def unquotable(self, key: Item) -> str | None:
        """The first name in a link write that PartiQL cannot quote: such a table's links go by UpdateItem."""
        names = (name for name in (self.link_attribute, self.mark_attribute) if name is not None)
        return next((name for name in (*names, *key) if not is_quotable(name)), None)

    def update_of(self, link: PendingLink) -> ItemUpdate:
        """The update that a pending link asks for: the row's id is set, and the mark that was seen is cleared.

        The image before it is asked for where it decides whether the link is settled.
        """
        sets: dict[str, AttributeValue] = {}
        removes: list[str] = []
        only_if: dict[str, AttributeValue] = {}
        if link.row_id is not None and self.link_attribute is not None:
            sets[self.link_attribute] = {"N": str(link.row_id)}
        if link.mark is not None and self.mark_attribute is not None:
            only_if[self.mark_attribute] = link.mark
            if self.done is None:
                removes.append(self.mark_attribute)
            else:
                sets[self.mark_attribute] = self.done
        return ItemUpdate(link.key, sets, frozenset(removes), only_if, wants_old=link.digest != ANY_IMAGE)


def is_quotable(name: str) -> bool:
    """Whether PartiQL can name it: doubled quotes work; control characters, the empty name and placeholders do not."""
    return bool(name) and name.isprintable() and not name.startswith(PLACEHOLDERS)


def partiql(table: str, update: ItemUpdate) -> Statement:
    """The update as one PartiQL statement; an UPDATE never creates an item."""
    conditions = [*update.key.items(), *(update.only_if or {}).items()]
    writes = [f"SET {_quoted(name)}=?" for name in update.sets]
    writes += [f"REMOVE {_quoted(name)}" for name in sorted(update.removes)]
    where = " AND ".join(f"{_quoted(name)}=?" for name, _ in conditions)
    returning = " RETURNING ALL OLD *" if update.wants_old else ""
    text = f"UPDATE {_quoted(name_in_dynamodb(table))} {' '.join(writes)} WHERE {where}{returning}"
    return Statement(text, (*update.sets.values(), *(value for _, value in conditions)))


def update_item(update: ItemUpdate) -> dict[str, Any]:
    """The update as UpdateItem's parameters, less table and key; `attribute_exists` keeps it from creating an item."""
    only_if = update.only_if or {}
    aliases = _aliases((*update.key, *update.sets, *sorted(update.removes), *only_if))
    conditions = [f"attribute_exists({aliases[name]})" for name in update.key]
    conditions += [f"{aliases[name]} = :if{number}" for number, name in enumerate(only_if)]
    values = {f":set{number}": value for number, value in enumerate(update.sets.values())}
    values |= {f":if{number}": value for number, value in enumerate(only_if.values())}
    parts = []
    if update.sets:
        parts.append("SET " + ", ".join(f"{aliases[name]} = :set{number}" for number, name in enumerate(update.sets)))
    if update.removes:
        parts.append("REMOVE " + ", ".join(aliases[name] for name in sorted(update.removes)))
    asked: dict[str, Any] = {
        "UpdateExpression": " ".join(parts), "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": {alias: name for name, alias in aliases.items()},
    }  # fmt: skip
    if values:  # an empty map is refused
        asked["ExpressionAttributeValues"] = values
    return asked


def _aliases(names: Iterable[str]) -> dict[str, str]:
    """A placeholder for each distinct name: one name under two placeholders would be two paths that overlap."""
    return {name: f"#n{number}" for number, name in enumerate(dict.fromkeys(names))}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

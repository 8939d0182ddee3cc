"""The holes in the keys of a sample: which attribute holds the same text, what the part is called, which JOIN works."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from twinrow.change import Item
from twinrow.entities.columns import snake_case
from twinrow.entities.draft import quoted
from twinrow.entities.part import Part, PartType, read
from twinrow.entities.shape import Shape, Token
from twinrow.entities.template import Hole, Template, template_source
from twinrow.schema.naming import NAME_CHARACTERS_MAX, fold

SAME_MIN: Final = 0.95
"""An attribute that holds a hole's text in so many items is the hole's column."""
JOIN_MIN: Final = 0.5
"""A JOIN that finds fewer partners in the sample is not proposed."""
TEXT_PARTS_MAX: Final = 6
"""See `twinrow.entities.split`: a row has no room for more."""
TAILS_MAX: Final = 2
"""Text parts that are reserved for the rest of each key."""
_SUFFIX: Final[dict[PartType, str]] = {"date": "date", "datetime": "at"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key attribute and the separator of its texts; None where it has none."""

    name: str
    separator: str | None

    def tokens(self, text: str) -> list[str]:
        """The tokens of a text."""
        return text.split(self.separator) if self.separator else [text]

    def joined(self, tokens: Sequence[str]) -> str:
        """The text of tokens."""
        return (self.separator or "").join(tokens)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Items of a sample that become one entity: `rows` are their places in it; `value` is the discriminator's."""

    value: str | None
    rows: tuple[int, ...]
    shapes: tuple[tuple[Shape, ...], ...]
    share: float


@dataclass(frozen=True, slots=True)
class Field:
    """A hole of a key: its place, its texts by row, and what it becomes.

    `attribute` holds the same texts; then `wanted` is False, no part is needed. `to_end`: the hole takes the separators
    behind it, too. `note` is shown to the person.
    """

    key: str
    shape: Shape
    place: int
    texts: dict[int, str]
    base: str
    name: str
    type: PartType
    attribute: str | None = None
    wanted: bool = True
    to_end: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Join:
    """Two columns that hold the same texts. `attributes` are those of (entity, column) that want an index."""

    child: tuple[str, str]
    parent: tuple[str, str]
    share: float
    attributes: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        (child, column), (parent, other) = self.child, self.parent
        return f"JOIN {child}.{column} = {parent}.{other}: {self.share:.0%} of the sample's {child} find their {parent}"


def fields_of(cluster: Cluster, items: Sequence[Item], keys: Sequence[Key]) -> tuple[Field, ...]:
    """Return the holes of a cluster's keys, each key read by the shape that most of its items have."""
    found: list[Field] = []
    for number, key in enumerate(keys):
        shape = usual_shape(cluster, number)
        if not any(token.hole for token in shape) or not any(token.text for token in shape):
            continue
        rows = [n for n, pair in zip(cluster.rows, cluster.shapes, strict=True) if pair[number] == shape]
        texts = {n: items[n][key.name]["S"] for n in rows}
        found += _fields(key, shape, texts)
    names = frozenset(key.name for key in keys)
    return tuple(_compared(field, items, names) for field in found)


def _fields(key: Key, shape: Shape, texts: dict[int, str]) -> list[Field]:
    found: list[Field] = []
    before = key.name
    tokens = {n: key.tokens(text) for n, text in texts.items()}
    tail = _time_tail(shape, tokens, key)
    for place, token in enumerate(shape):
        if not token.hole:
            before = token.text or before
            continue
        if tail is not None and place >= tail:
            times = {n: key.joined(pieces_of_text[tail:]) for n, pieces_of_text in tokens.items()}
            return [*found, replace(_field(key.name, shape, tail, times, before), to_end=True)]
        pieces = {n: pieces_of_text[place][len(token.text) :] for n, pieces_of_text in tokens.items()}
        found.append(_field(key.name, shape, place, pieces, token.text or before))
    return found


def _time_tail(shape: Shape, tokens: dict[int, list[str]], key: Key) -> int | None:
    """Where the holes at a key's end begin that are one time, cut by the separator `:`; None where there are none."""
    place = len(shape)
    while place and shape[place - 1] == Token("", hole=True):
        place -= 1
    if len(shape) - place < 2:
        return None
    times = [key.joined(pieces_of_text[place:]) for pieces_of_text in tokens.values()]
    return place if all(read("datetime", text) is not None for text in times) else None


def _field(key: str, shape: Shape, place: int, texts: dict[int, str], before: str) -> Field:
    kind = type_of(list(texts.values()))
    words = snake_case(before) or "key"
    own_name = shape[place].text != ""
    base = words if own_name else f"{words}_{_SUFFIX.get(kind, 'id')}"
    base = base[: NAME_CHARACTERS_MAX - 8]
    return Field(key, shape, place, texts, base, base, kind)


def type_of(texts: Sequence[str]) -> PartType:
    """Return the type that all texts read as: date, time, integer without leading zeros; else text."""
    if not texts:
        return "text"
    if all(read("date", text) is not None for text in texts):
        return "date"
    if all(len(text) > len("2026-01-15") and read("datetime", text) is not None for text in texts):
        return "datetime"
    if all(read("int", text) is not None and str(read("int", text)) == text for text in texts):
        return "int"
    return "text"


def _compared(field: Field, items: Sequence[Item], keys: frozenset[str]) -> Field:
    """The field with the attribute that holds the same texts, if there is such an attribute."""
    exact: Counter[str] = Counter()
    folded: Counter[str] = Counter()
    for n, text in field.texts.items():
        for name, value in items[n].items():
            other = value.get("S", value.get("N")) if name not in keys else None
            if isinstance(other, str) and other.casefold() == text.casefold():
                folded[name] += 1
                exact[name] += other == text
    least = SAME_MIN * max(1, len(field.texts))
    best = max(sorted(folded), key=lambda name: (exact[name], folded[name]), default=None)
    if best is None or folded[best] < least:
        return field
    if field.type == "int" and any("S" in items[n].get(best, ()) for n in field.texts):
        # The column of the attribute holds texts: a JOIN with a number would use no index.
        field = replace(field, type="text")
    if exact[best] >= least:
        return replace(field, attribute=best, wanted=False)
    note = f"{quoted(field.key)} holds {quoted(best)} in another case: join by the attribute's column, not by the key"
    return replace(field, attribute=best, wanted=False, note=note)


def named(
    fields: Sequence[Sequence[Field]], clusters: Sequence[Cluster], items: Sequence[Item], by_value: Sequence[bool]
) -> list[tuple[Field, ...]]:
    """Return the fields of each cluster with names and types: one name, one text; what is joined has one type.

    Where a discriminator tells the entity (`by_value`), a key whose holes all have attributes needs no parts; else
    the template decides and every hole of it has a name.
    """
    decided = []
    for own, cluster, by_attributes in zip(fields, clusters, by_value, strict=True):
        attributes = {fold(name) for n in cluster.rows for name in items[n]}
        needed = [
            field for field in own if not by_attributes or any(other.wanted for other in own if other.key == field.key)
        ]
        names: dict[str, Field] = {}
        result = [field for field in own if field not in needed]
        for field in needed:
            name = _name(field, names, attributes)
            names[name] = field
            result.append(replace(field, name=name, wanted=True))
        decided.append(result)
    types: dict[str, set[PartType]] = defaultdict(set)
    for own in decided:
        for field in own:
            types[field.base].add(field.type)
    return [
        _within_room([replace(field, type="text") if len(types[field.base]) > 1 else field for field in own])
        for own in decided
    ]


def _name(field: Field, taken: dict[str, Field], attributes: set[str]) -> str:
    base = field.base if fold(field.base) not in attributes else f"{field.base}_key"
    name, n = base, 1
    while (name in taken and taken[name].texts != field.texts) or fold(name) in attributes:
        n += 1
        name = f"{base}_{n}"
    return name


def _within_room(fields: Sequence[Field]) -> tuple[Field, ...]:
    """As many text parts as a row has room for: where there are more, the last part takes the rest of its key."""
    kept: list[Field] = []
    texts: set[str] = set()
    full: set[str] = set()
    for field in fields:
        if field.key in full:
            continue
        if not field.wanted or field.type != "text" or field.name in texts or len(texts) < TEXT_PARTS_MAX - TAILS_MAX:
            kept.append(field)
            texts |= {field.name} if field.wanted and field.type == "text" else set()
            continue
        full.add(field.key)
        if kept and kept[-1].key == field.key:
            kept[-1] = replace(kept[-1], name=f"{kept[-1].base}_tail", type="text", to_end=True)
    return tuple(kept)


def usual_shape(cluster: Cluster, number: int) -> Shape:
    """Return the shape that most items of a cluster have in their first key (0) or second (1)."""
    return Counter(pair[number] for pair in cluster.shapes).most_common(1)[0][0]


def template_of(
    number: int, fields: Sequence[Field], cluster: Cluster, keys: Sequence[Key], separator: str
) -> str | None:
    """Return the template of a key, or None where the key says nothing; `separator` is what a part never holds."""
    key = keys[number]
    shape = usual_shape(cluster, number)
    if not any(token.text for token in shape):
        return None
    own = {field.place: field for field in fields if field.key == key.name}
    literals = [""]
    holes: list[Hole] = []
    for place, token in enumerate(shape):
        literals[-1] += (key.separator or "" if place else "") + token.text
        if token.hole:
            field = own.get(place)
            if field is None:
                # The row has no room for a part of this key.
                return None
            any_text = field.to_end or any(separator in text for text in field.texts.values())
            holes.append(Hole(Part(field.name, field.type), any_text))
            literals.append("")
            if field.to_end:
                break
    return template_source(Template(tuple(literals), tuple(holes)))


def joins(fields: Sequence[Sequence[Field]], names: Sequence[str]) -> list[Join]:
    """Return the JOINs that find partners in the sample: to the entity of which each text names one item."""
    parents: dict[str, list[tuple[str, Field, int]]] = defaultdict(list)
    width = [len({field.base for field in own}) for own in fields]
    for name, own, bases in zip(names, fields, width, strict=True):
        for field in own:
            if _unique(field):
                parents[field.base].append((name, field, bases))
    found: dict[tuple[str, str], Join] = {}
    for name, own, bases in zip(names, fields, width, strict=True):
        for field in own:
            # If two entities have each text once, the entity with fewer fields is the parent.
            able = [
                (_share(field, other), -count, parent, other)
                for parent, other, count in parents[field.base]
                if parent != name and (not _unique(field) or count < bases)
            ]
            if not able:
                continue
            share, _, parent, other = max(able, key=lambda each: each[:2])
            if share >= JOIN_MIN:
                ends = ((name, field), (parent, other))
                index = tuple((title, _column(each)) for title, each in ends if not each.wanted)
                join = Join((name, _column(field)), (parent, _column(other)), share, index)
                found.setdefault(join.child, join)
    return list(found.values())


def _unique(field: Field) -> bool:
    return len(set(field.texts.values())) == len(field.texts)


def _share(child: Field, parent: Field) -> float:
    known = set(parent.texts.values())
    return sum(text in known for text in child.texts.values()) / len(child.texts)


def _column(field: Field) -> str:
    return field.name if field.wanted or field.attribute is None else field.attribute

"""Views for analysts: nested maps as columns, lists and sets as rows. SQL text only, made from a sample of JSON cells.

Everything goes through JSON_TABLE, which MySQL 8 and MariaDB 10.6 have. The table stays the truth: a view shows what
the sample showed, and every JSON column itself is in the view too. MariaDB's JSON_TABLE turns what is no number into 0
and clamps what is too large (measured, 10.11), so there numbers are read as text, and converted only where the text is
a number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from twinrow.change import SEALED_KEY
from twinrow.flavour import COLLATION, Flavour
from twinrow.schema.naming import column_name, quote
from twinrow.schema.table import Column, TableSchema

FLAT_SUFFIX: Final = "_flat"
KEYS_A_MAP_MAX: Final = 200
"""A map with more keys than this is data, not structure (ids as keys): it stays one JSON column."""
LEVELS_MAX: Final = 8
MAPS_A_VIEW_MAX: Final = 50
"""Each map column is one JSON_TABLE; both servers refuse more than 61 tables in a join (error 1116)."""
COLUMNS_A_VIEW_MAX: Final = 1_000
EXACT_INTEGER_MAX: Final = 2**53
"""Up to here every integer is a double."""

_NUMBER: Final = "^-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$"
_DECIMAL: Final = "^-?[0-9]{1,38}([.][0-9]+)?([eE]-[0-9]{1,3})?$"
_NOT_VISIBLE: Final = "".join(map(chr, range(0x21))) + "\x7f"
_NESTED_KINDS: Final = ("M", "L", "SS", "NS", "BS")


@dataclass(slots=True)
class _Shape:
    """The values at one place of a JSON document, over all documents sampled."""

    number: bool = False
    big: bool = False
    boolean: bool = False
    text: bool = False
    deeper: bool = False
    keys: dict[str, _Shape] = field(default_factory=dict)
    items: _Shape | None = None

    @property
    def scalar(self) -> bool:
        return self.number or self.boolean or self.text

    def observe(self, value: object, levels: int = LEVELS_MAX) -> None:
        """Take note of one value (as `json.loads` gives it)."""
        if isinstance(value, bool):
            self.boolean = True
        elif isinstance(value, int | float):
            self.number = True
            self.big = self.big or (isinstance(value, int) and abs(value) > EXACT_INTEGER_MAX)
        elif isinstance(value, str):
            self.text = True
        elif isinstance(value, list):
            self.items = self.items or _Shape()
            if levels:
                for member in value:
                    self.items.observe(member, levels - 1)
            else:
                self.items.deeper = True
        elif isinstance(value, dict):
            for name, member in value.items():
                inner = self.keys.setdefault(name, _Shape())
                if levels:
                    inner.observe(member, levels - 1)
                else:
                    inner.deeper = True

    @property
    def is_structure(self) -> bool:
        """Whether its keys become columns."""
        return 0 < len(self.keys) <= KEYS_A_MAP_MAX

    def sql_type(self) -> str:
        """NUMBER, DECIMAL, BOOLEAN, TEXT or JSON: the type under which the place is shown."""
        if self.keys or self.items is not None or self.deeper:
            return "JSON"
        if self.number and not (self.boolean or self.text):
            return "DECIMAL" if self.big else "NUMBER"
        return "BOOLEAN" if self.boolean and not (self.number or self.text) else "TEXT"


@dataclass(frozen=True, slots=True)
class _Place:
    """A column of a view: where in the document it is, and as what it is shown."""

    name: str
    path: str
    type: str


@dataclass(frozen=True, slots=True)
class View:
    """A view: its name, and the CREATE OR REPLACE statement that makes it, without a semicolon."""

    name: str
    sql: str


def views(
    schema: TableSchema,
    samples: Mapping[str, Iterable[object]],
    flavour: Flavour,
    taken: Collection[str] = (),
    *,
    definer: bool = False,
) -> list[View]:
    """A view of the whole table, and a view for each list or set (also inside maps).

    `samples`: by attribute, JSON cells as `json.loads` gives them, as many as the caller wants looked at. `taken` are
    names of other tables and views that no view may have. Soft-deleted rows are in no view. `definer`: readers need no
    right on the table itself, since the view has the rights of whoever made it.
    """
    shapes = {column.attribute: _shape_of(column, samples) for column in schema.columns if _is_json(column)}
    names = [schema.into, *taken]
    flat_name = column_name(schema.into + FLAT_SUFFIX, names)
    names.append(flat_name)
    found = [(flat_name, _flat(schema, shapes, flat_name, flavour))]
    for column in schema.columns:
        if column.attribute not in shapes:
            continue
        for words, path, shape in _lists(shapes[column.attribute], [column.attribute], "$"):
            name = column_name("_".join([schema.into, *words]), names)
            names.append(name)
            found.append((name, _rows(schema, column, path, shape, name, flavour)))
    rights = "DEFINER" if definer else "INVOKER"
    return [View(name, f"CREATE OR REPLACE SQL SECURITY {rights} {text}") for name, text in found]


def _is_json(column: Column) -> bool:
    return column.type.name == "JSON"


def _shape_of(column: Column, samples: Mapping[str, Iterable[object]]) -> _Shape:
    shape = _Shape()
    for value in samples.get(column.attribute, ()):
        shape.observe(value)
    if column.kind in _NESTED_KINDS and column.kind != "M" and shape.items is None:
        shape.items = _Shape()
    if column.kind == "NS" and shape.items is not None:
        shape.items.number = True
    return shape


def _step(path: str, key: str) -> str | None:
    """The JSON path extended by a key, or None for a key that no path can name without escapes.

    A key that begins with a hyphen is a syntax error to MariaDB 10.11 even in quotes (measured).
    """
    if key.startswith("-") or '"' in key or "\\" in key or any(character < " " for character in key):
        return None
    return f'{path}."{key}"'


def _leaves(shape: _Shape, words: list[str], path: str) -> Iterator[tuple[list[str], str, str]]:
    """(names on the way, path, type) of everything below a map that one column can show."""
    for key in sorted(shape.keys):
        inner, further = shape.keys[key], _step(path, key)
        if further is None:
            continue
        way = [*words, key]
        if inner.is_structure and inner.items is None:
            if inner.scalar:
                yield way, further, "JSON"
            yield from _leaves(inner, way, further)
        else:
            yield way, further, inner.sql_type()


def _lists(shape: _Shape, words: list[str], path: str) -> Iterator[tuple[list[str], str, _Shape]]:
    """(names on the way, path, shape of the elements) of every list, also inside maps; lists in lists stay JSON."""
    if shape.items is not None:
        yield words, f"{path}[*]", shape.items
    if shape.is_structure:
        for key in sorted(shape.keys):
            further = _step(path, key)
            if further is not None:
                yield from _lists(shape.keys[key], [*words, key], further)


def _flat(schema: TableSchema, shapes: Mapping[str, _Shape], name: str, flavour: Flavour) -> str:
    taken = ["row_id", *(column.column for column in schema.columns)]
    selected = ["t.`row_id`", *_shown(schema.columns, taken)]
    joins: list[str] = []
    room = COLUMNS_A_VIEW_MAX - len(selected)
    for column in schema.columns:
        shape = shapes.get(column.attribute)
        if shape is None or not shape.is_structure or len(joins) >= MAPS_A_VIEW_MAX:
            continue
        places = _named(_leaves(shape, [column.attribute], "$"), taken, room)
        if not places:
            continue
        room -= len(places)
        alias = f"j{len(joins) + 1}"
        selected += [_selected(alias, place, flavour) for place in places]
        joins.append(f"LEFT JOIN {_json_table(column, '$', places, flavour)} AS {alias} ON TRUE")
    return _view(name, selected, [f"FROM {quote(schema.into)} AS t", *joins])


def _rows(schema: TableSchema, column: Column, path: str, shape: _Shape, name: str, flavour: Flavour) -> str:
    keys = [column for column in schema.columns if column.key]
    taken = ["row_id", *(key.column for key in keys)]
    position = column_name("position", taken)
    taken.append(position)
    found: list[tuple[list[str], str, str]] = []
    if shape.scalar or not shape.is_structure:
        found.append((["value"], "$", shape.sql_type()))
    if shape.is_structure:
        found += _leaves(shape, [], "$")
    places = _named(iter(found), taken, COLUMNS_A_VIEW_MAX - len(taken))
    selected = ["t.`row_id`", *_shown(keys, taken), f"j.{quote(position)}"]
    selected += [_selected("j", place, flavour) for place in places]
    table = _json_table(column, path, places, flavour, position)
    return _view(name, selected, [f"FROM {quote(schema.into)} AS t", f"JOIN {table} AS j"])


def _shown(columns: Iterable[Column], taken: list[str]) -> Iterator[str]:
    """Columns as a view selects them; `taken` grows by the names that they are given."""
    for column in columns:
        if column.column == SEALED_KEY:
            continue
        visible = _visible(column.column)
        if visible == column.column:
            yield f"t.{quote(column.column)}"
        else:
            name = column_name(visible, taken)
            taken.append(name)
            yield f"t.{quote(column.column)} AS {quote(name)}"


def _visible(name: str) -> str:
    """A name without leading blanks and control characters: both servers take them off a view's column (note 1466)."""
    rest = name.lstrip(_NOT_VISIBLE)
    return "_" * (len(name) - len(rest)) + rest


def _named(found: Iterator[tuple[list[str], str, str]], taken: list[str], room: int) -> list[_Place]:
    """Places with names unequal to all in `taken`, which grows; at most `room` of them."""
    places: list[_Place] = []
    for words, path, sql_type in found:
        if len(places) >= room:
            break
        name = column_name(_visible("_".join(words)) or "_", taken)
        taken.append(name)
        places.append(_Place(name, path, sql_type))
    return places


def _json_table(
    column: Column, root: str, places: Iterable[_Place], flavour: Flavour, position: str | None = None
) -> str:
    lines = [f"{quote(position)} FOR ORDINALITY"] if position is not None else []
    lines += [f"{quote(place.name)} {_read_as(place.type, flavour)} PATH {_literal(place.path)}" for place in places]
    return f"JSON_TABLE(t.{quote(column.column)}, {_literal(root)} COLUMNS ({', '.join(lines)}))"


def _literal(path: str) -> str:
    """A path as an SQL string; it holds no backslash, so every sql_mode reads it alike."""
    return "'" + path.replace("'", "''") + "'"


def _read_as(sql_type: str, flavour: Flavour) -> str:
    native = {"NUMBER": "DOUBLE", "DECIMAL": "DECIMAL(65,27)", "BOOLEAN": "TINYINT", "JSON": "JSON"}
    if sql_type == "JSON" or (flavour == "mysql" and sql_type in native):
        return native[sql_type]
    return f"LONGTEXT CHARACTER SET utf8mb4 COLLATE {COLLATION[flavour]}"


def _selected(alias: str, place: _Place, flavour: Flavour) -> str:
    cell = f"{alias}.{quote(place.name)}"
    if flavour == "mysql" or place.type in ("JSON", "TEXT"):
        return cell
    converted = {
        "NUMBER": f"CASE WHEN {cell} REGEXP '{_NUMBER}' THEN CAST({cell} AS DOUBLE) END",
        "DECIMAL": f"CASE WHEN {cell} REGEXP '{_DECIMAL}' THEN CAST({cell} AS DECIMAL(65,27)) END",
        "BOOLEAN": f"CASE WHEN {cell} IN ('1', 'true') THEN 1 WHEN {cell} IN ('0', 'false') THEN 0 END",
    }
    return f"{converted[place.type]} AS {quote(place.name)}"


def _view(name: str, selected: list[str], source: list[str]) -> str:
    lines = [f"VIEW {quote(name)} AS SELECT"]
    lines.append("  " + ",\n  ".join(selected))
    lines += source
    lines.append("WHERE t.`_twinrow_deleted_at` IS NULL")
    return "\n".join(lines)

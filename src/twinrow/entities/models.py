"""Splits read from a model that the application's authors wrote: NoSQL Workbench, dynamodb-onetable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from twinrow.change import Item
from twinrow.config.entities import SEPARATOR_DEFAULT
from twinrow.entities.columns import snake_case
from twinrow.entities.discriminator import KNOWN
from twinrow.entities.draft import Draft, Proposal, Rule, quoted
from twinrow.entities.holes import Cluster, Key
from twinrow.entities.propose import compose, pairs_of, rest_table, separator_of
from twinrow.entities.shape import find_separator
from twinrow.entities.template import parse_template
from twinrow.errors import ConfigError

TYPE_FIELD: Final = "_type"
"""The name of the attribute in dynamodb-onetable unless `typeField` says otherwise."""
GUARD: Final = "_Unique"
REMEDY: Final = "give a NoSQL Workbench model or the JSON of a dynamodb-onetable schema"

Json = Mapping[str, Any]


def read_model(text: str, table: str, place: str) -> Proposal:
    """Return the split of a table that a model says; `place` names the file. Raises ConfigError."""
    try:
        model = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError(f"is no JSON: {error}", where=place, remedy=REMEDY) from error
    if not isinstance(model, dict):
        raise ConfigError("is no model: not a JSON object", where=place, remedy=REMEDY)
    try:
        if "DataModel" in model:
            return _workbench(model, table, place)
        if "models" in model:
            return _onetable(model, table, place)
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"is not shaped like a model: {error!r}", where=place, remedy=REMEDY) from error
    raise ConfigError("is no model that is known: neither `DataModel` nor `models`", where=place, remedy=REMEDY)


# ---- NoSQL Workbench: each facet names an entity and has rows of it


def _workbench(model: Json, table: str, place: str) -> Proposal:
    tables = {table_model["TableName"]: table_model for table_model in model["DataModel"]}
    if table not in tables:
        raise ConfigError(f"has no table {table!r}", where=place, remedy=f"it has: {', '.join(tables)}")
    chosen = tables[table]
    names = [
        chosen["KeyAttributes"][kind]["AttributeName"]
        for kind in ("PartitionKey", "SortKey")
        if kind in chosen["KeyAttributes"]
    ]
    facets = {facet["FacetName"]: list(facet.get("TableData") or ()) for facet in chosen.get("TableFacets") or ()}
    empty = [name for name, rows in facets.items() if not rows]
    facets = {name: rows for name, rows in facets.items() if rows}
    if not facets:
        raise ConfigError(
            f"table {table!r} has no facet with rows, so its entities are not known", where=place,
            remedy="add rows to the facets in NoSQL Workbench, or leave the model out",
        )  # fmt: skip
    items: list[Item] = [row for rows in facets.values() for row in rows]
    keys = [
        Key(name, find_separator([item[name]["S"] for item in items if "S" in item.get(name, ())])) for name in names
    ]
    drafts, notes = _of_facets(facets, items, keys)
    notes += [f"facet {quoted(name)} has no rows in the model: no entity" for name in empty]
    return Proposal(rest_table(table), separator_of(keys), drafts, ("of a NoSQL Workbench model", *notes))


def _of_facets(
    facets: Mapping[str, list[Item]], items: Sequence[Item], keys: Sequence[Key]
) -> tuple[tuple[Draft, ...], list[str]]:
    discriminator = _exact_discriminator(facets, {key.name for key in keys})
    pairs = pairs_of(items, keys)
    clusters: list[Cluster] = []
    titles: list[str] = []
    for name, numbers in _numbered(facets):
        whole = None if discriminator is None else items[numbers[0]][discriminator]["S"]
        groups = [numbers] if whole is not None else _by_shape(numbers, pairs)
        for group in groups:
            share = len(group) / len(items)
            clusters.append(Cluster(whole, tuple(group), tuple(pairs[n] for n in group), share))
            titles.append(snake_case(name) or "items")
    drafts, joined = compose(clusters, titles, [False] * len(clusters), items, keys, discriminator)
    notes = [] if discriminator is None else [f"{quoted(discriminator)} tells the entity"]
    return _merged(drafts), [*notes, *dict.fromkeys(map(str, joined))]


def _numbered(facets: Mapping[str, list[Item]]) -> Iterator[tuple[str, list[int]]]:
    begin = 0
    for name, rows in facets.items():
        yield name, list(range(begin, begin + len(rows)))
        begin += len(rows)


def _by_shape(numbers: Sequence[int], pairs: Sequence[object]) -> list[list[int]]:
    groups: dict[object, list[int]] = {}
    for n in numbers:
        groups.setdefault(pairs[n], []).append(n)
    return list(groups.values())


def _exact_discriminator(facets: Mapping[str, list[Item]], keys: set[str]) -> str | None:
    """The attribute that has one text in all rows of a facet, and another in each facet."""
    able = []
    names = {name for rows in facets.values() for row in rows for name in row} - keys
    for name in sorted(names, key=lambda name: (name not in KNOWN, name)):
        texts = [{row.get(name, {}).get("S") for row in rows} for rows in facets.values()]
        if all(len(found) == 1 and None not in found for found in texts) and len(set.union(*texts)) == len(facets) > 1:
            able.append(name)
    return able[0] if able else None


def _merged(drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """One draft for each name: a facet whose rows have several shapes matches any of them."""
    merged: dict[str, Draft] = {}
    for draft in drafts:
        before = merged.get(draft.name)
        merged[draft.name] = draft if before is None else Draft(
            draft.name, tuple(_different([*before.when, *draft.when])), {**draft.extract, **before.extract},
            tuple(dict.fromkeys([*before.index, *draft.index])), before.ignore, (*before.notes, *draft.notes),
        )  # fmt: skip
    return tuple(merged.values())


def _different(rules: Sequence[Rule]) -> list[Rule]:
    found: list[Rule] = []
    for rule in rules:
        if rule not in found:
            found.append(rule)
    return found


# ---- dynamodb-onetable: a model is an entity, `value` is a template


def _onetable(model: Json, table: str, place: str) -> Proposal:
    params = model.get("params") or {}
    type_field = params.get("typeField") or TYPE_FIELD
    separator = params.get("separator") or SEPARATOR_DEFAULT
    primary = model["indexes"]["primary"]
    keys = [primary[part] for part in ("hash", "sort") if primary.get(part)]
    if not model["models"]:
        raise ConfigError("has no models", where=place, remedy=REMEDY)
    index = _joined(model["models"], keys)
    taken = {rest_table(table)}
    drafts = []
    for name, fields in model["models"].items():
        title = _free(snake_case(name) or "items", taken)
        extract = {}
        for key in keys:
            template = _extracted(_value(fields, key), fields)
            if template is not None:
                extract[key] = template
        wanted = name.replace("{", "{{").replace("}", "}}")
        notes = (f"{title}: the model {quoted(name)}",)
        drafts.append(Draft(title, ({type_field: wanted},), extract, tuple(index.get(name, ())), False, notes))
    if any(field.get("unique") for fields in model["models"].values() for field in fields.values()):
        notes = ("guards of the models' unique fields; without `ignore` they would be rows, too",)
        drafts.append(Draft(_free("unique", taken), ({type_field: GUARD},), {}, (), True, notes))
    return Proposal(rest_table(table), separator, tuple(drafts), ("of a dynamodb-onetable schema",))


def _free(name: str, taken: set[str]) -> str:
    free, n = name, 1
    while free in taken:
        n += 1
        free = f"{name}_{n}"
    taken.add(free)
    return free


def _attribute(name: str, field: Json) -> str:
    """The attribute of a field: `map` renames it, and packs it into a map where it has a point."""
    return str(field.get("map") or name).partition(".")[0]


def _value(fields: Mapping[str, Json], key: str) -> str:
    """The value template of a key attribute, "" where it has none."""
    return next((str(field.get("value") or "") for name, field in fields.items() if _attribute(name, field) == key), "")


def _pieces(value: str) -> list[tuple[str, str]]:
    """(literal, field behind it) of `account#${id}`; the last has no field. `${id:16:0}` pads and is the field `id`."""
    found = []
    rest = value
    while "${" in rest:
        literal, _, rest = rest.partition("${")
        inside, _, rest = rest.partition("}")
        found.append((literal, inside.partition(":")[0]))
    return [*found, (rest, "")]


def _stored(name: str, fields: Mapping[str, Json]) -> bool:
    """Whether a field stands in an attribute of its own, and not only in the key (`encode`)."""
    field = fields.get(name.partition(".")[0])
    return field is not None and not field.get("encode")


def _extracted(value: str, fields: Mapping[str, Json]) -> str | None:
    """The template that takes out of a key what no attribute holds; None where there is nothing to take."""
    pieces = _pieces(value)
    if all(_stored(name, fields) for _, name in pieces if name):
        return None
    source = ""
    attributes = {_attribute(name, field) for name, field in fields.items() if not field.get("encode")}
    for literal, name in pieces:
        source += literal.replace("{", "{{").replace("}", "}}")
        if name:
            part = snake_case(name) or "key"
            source += f"{{{part if part not in attributes else f'{part}_key'}}}"
    try:
        parse_template(source)
    except ValueError:
        # Two fields without a text between them: nothing shows where the first ends, so the key stays whole.
        return None
    return source


def _joined(models: Mapping[str, Mapping[str, Json]], keys: Sequence[str]) -> dict[str, list[str]]:
    """By model, the attributes that others name behind the same literal of the hash key: an index makes the JOIN."""
    named: dict[str, tuple[str, str]] = {}
    for model, fields in models.items():
        pieces = _pieces(_value(fields, keys[0]))
        if len(pieces) == 2 and _stored(pieces[0][1], fields) and pieces[0][0]:
            field = pieces[0][1]
            named[model] = (pieces[0][0], _attribute(field, fields[field.partition(".")[0]]))
    counts = Counter(literal for literal, _ in named.values())
    return {model: [attribute] for model, (literal, attribute) in named.items() if counts[literal] > 1}

"""The split that `init` proposes for a table, from a sample of its items: nobody has to write the rules by hand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from twinrow.change import Item
from twinrow.config.entities import SEPARATOR_DEFAULT
from twinrow.entities.columns import snake_case
from twinrow.entities.discriminator import find_discriminator, values_in_keys
from twinrow.entities.doubts import hidden
from twinrow.entities.draft import Draft, Proposal, quoted
from twinrow.entities.holes import Cluster, Field, Join, Key, fields_of, joins, named, template_of
from twinrow.entities.settings import read_keys
from twinrow.entities.shape import Beside, Shape, find_separator, shapes
from twinrow.entities.split import Around, read_split
from twinrow.schema.naming import NAME_CHARACTERS_MAX, OWN_PREFIX

SHARE_MIN: Final = 0.01
ITEMS_MIN: Final = 20
"""A cluster below both stays in the rest: it may be an accident of the sample."""
LEFT_LISTED_MAX: Final = 10
COLUMNS_LISTED_MAX: Final = 12
MACHINERY: Final = frozenset({"_Unique", "_Schema"})
"""Types of items that dynamodb-onetable keeps for itself."""
MACHINERY_HEADS: Final = ("DRM_GEN_", "_unique#", "_schema:")
"""With what the keys of such items begin: TypeDORM's and OneTable's."""

Shapes = tuple[Shape, ...]


def propose(items: Sequence[Item], keys: Sequence[str], table: str, own: Collection[str] = ()) -> Proposal | None:
    """Return the split proposed for a table, or None where its items look like one entity.

    `keys` are the key attributes, the hash key first; `own` are Twinrow's attributes, the mark and the link.
    """
    if not items:
        return None
    with_separators = [Key(key, find_separator(_texts(items, key))) for key in keys]
    values = values_in_keys(items, [_tokens(item, with_separators) for item in items], {*keys, *own})
    pairs = pairs_of(items, with_separators, own, values)
    discriminator = find_discriminator(items, pairs, {*keys, *own, *values})
    clusters = _clusters(items, pairs, discriminator)
    kept, left = _sorted(clusters, len(items))
    ignored = [_is_machinery(cluster, keys, items) for cluster in kept]
    if len(kept) - sum(ignored) < 2 and discriminator is None:
        return None
    into = rest_table(table)
    names = _names(kept, {into.casefold()})
    drafts, joined = compose(kept, names, ignored, items, with_separators, discriminator)
    drafts = _without_hidden(drafts, separator_of(with_separators), into)
    useful = {draft.name for draft in drafts}
    joined = [join for join in joined if {join.child[0], join.parent[0]} <= useful]
    notes = [f"of a sample of {len(items):,} items"]
    if discriminator is not None:
        notes.append(f"{quoted(discriminator)} tells the entity")
    notes += [*map(str, joined), *_left_notes(left, len(items), keys, items)]
    return Proposal(into, separator_of(with_separators), drafts, tuple(notes))


def _without_hidden(drafts: Sequence[Draft], separator: str, into: str) -> tuple[Draft, ...]:
    """The drafts except those whose items all match an earlier draft: different shapes may end as the same template."""
    entities = [
        {"name": draft.name, "ignore": draft.ignore, "when": [
            {name: wanted if isinstance(wanted, str) else {"exists": wanted} for name, wanted in rule.items()}
            for rule in draft.when
        ]}
        for draft in drafts
    ]  # fmt: skip
    split = read_split(read_keys({"separator": separator, "entities": entities}, "proposal"), Around(into), "proposal")
    names = {found.entity for found in hidden(split)}
    return tuple(draft for draft in drafts if draft.name not in names)


def separator_of(keys: Sequence[Key]) -> str:
    """Return what a part never holds: the separator of the first key that has a separator."""
    return next((key.separator for key in keys if key.separator), SEPARATOR_DEFAULT)


def rest_table(table: str) -> str:
    """Return the name of the rest table that is proposed for a DynamoDB table."""
    return f"{snake_case(table) or 'table'}_rest"[-NAME_CHARACTERS_MAX:].lstrip("_")


def pairs_of(
    items: Sequence[Item], keys: Sequence[Key], own: Collection[str] = (), values: Collection[str] = ()
) -> list[Shapes]:
    """Return the shapes of each item's keys; `values` are attributes whose texts in a key are values."""
    names = {key.name for key in keys}
    beside = [
        Beside(
            frozenset(item) - names - {*own},
            frozenset(text for name in values if (text := _text(item, name)) is not None),
        )
        for item in items
    ]
    by_key = [shapes([_text(item, key.name) for item in items], beside, key.separator) for key in keys]
    return list(zip(*by_key, strict=True))


def _tokens(item: Item, keys: Sequence[Key]) -> frozenset[str]:
    return frozenset(token for key in keys for token in key.tokens(_text(item, key.name) or ""))


def compose(
    clusters: Sequence[Cluster], names: Sequence[str], ignored: Sequence[bool], items: Sequence[Item],
    keys: Sequence[Key], discriminator: str | None,
) -> tuple[tuple[Draft, ...], list[Join]]:  # fmt: skip
    """Return an entity for each cluster, and the JOINs between them."""
    key_names = [key.name for key in keys]
    separator = separator_of(keys)
    fields = [fields_of(cluster, items, keys) for cluster in clusters]
    decided = named(fields, clusters, items, [cluster.value is not None for cluster in clusters])
    joined = joins([() if away else own for own, away in zip(decided, ignored, strict=True)], names)
    drafts = []
    for n, cluster in enumerate(clusters):
        templates = {
            key.name: template_of(number, decided[n], cluster, keys, separator) for number, key in enumerate(keys)
        }
        when, extract = _rules(cluster, decided[n], templates, discriminator)
        comment = _comment(names[n], cluster, items, key_names, decided[n], ignored[n])
        index = tuple(dict.fromkeys(column for join in joined for name, column in join.attributes if name == names[n]))
        drafts.append(Draft(names[n], (when,), {} if ignored[n] else extract, index, ignored[n], tuple(comment)))
    return tuple(drafts), joined


def _text(item: Item, key: str) -> str | None:
    text = item.get(key, {}).get("S")
    return text if isinstance(text, str) else None


def _texts(items: Sequence[Item], key: str) -> list[str]:
    return [text for item in items if (text := _text(item, key)) is not None]


def _clusters(items: Sequence[Item], pairs: Sequence[Shapes], discriminator: str | None) -> list[Cluster]:
    rows: dict[tuple[str | None, Shapes | None], list[int]] = defaultdict(list)
    for n, item in enumerate(items):
        value = _text(item, discriminator) if discriminator is not None else None
        rows[(value, None) if value is not None else (None, pairs[n])].append(n)
    return [
        Cluster(value, tuple(numbers), tuple(pairs[n] for n in numbers), len(numbers) / len(items))
        for (value, _), numbers in rows.items()
    ]


def _sorted(clusters: Sequence[Cluster], count: int) -> tuple[list[Cluster], list[Cluster]]:
    """The clusters that become entities, in the order in which they must stand, and those that stay in the rest.

    A value of the discriminator is an entity, however rare it is in the sample.
    """
    kept: list[Cluster] = []
    left: list[Cluster] = []
    for cluster in clusters:
        small = len(cluster.rows) < ITEMS_MIN and len(cluster.rows) < SHARE_MIN * count
        (kept if cluster.value is not None or (_fixed(cluster) and not small) else left).append(cluster)
    # A rule with more fixed text comes first: `USER#{id}` with the sort key `COUNT` before any other sort key.
    kept.sort(key=lambda cluster: (cluster.value is None, -_fixed(cluster), -len(cluster.rows)))
    return kept, left


def _fixed(cluster: Cluster) -> int:
    """How much of the keys is fixed text: two for a token, one for a name before a value."""
    if cluster.value is not None:
        return 0
    return sum((1 if token.hole else 2) for shape in cluster.shapes[0] for token in shape if token.text)


def _is_machinery(cluster: Cluster, keys: Sequence[str], items: Sequence[Item]) -> bool:
    """Whether the items are what a library keeps for itself: guards that make a text unique, schemas."""
    if cluster.value is not None:
        return cluster.value in MACHINERY
    first = items[cluster.rows[0]]
    text = _text(first, keys[0]) or ""
    bare = all(len(items[n]) == len(keys) for n in cluster.rows)
    same = len(keys) == 2 and all(items[n].get(keys[0]) == items[n].get(keys[1]) for n in cluster.rows)
    return text.startswith(MACHINERY_HEADS) or (bare and same)


def _names(clusters: Sequence[Cluster], taken: set[str]) -> list[str]:
    names = []
    for cluster in clusters:
        words = [cluster.value] if cluster.value is not None else _words(cluster.shapes[0])
        base = "_".join(dict.fromkeys(snake_case(word) for word in words if snake_case(word))) or "items"
        base = base[: NAME_CHARACTERS_MAX - 4].rstrip("_")
        base = base if not base.startswith(OWN_PREFIX.strip("_")) else f"app_{base}"
        name, n = base, 1
        while name in taken:
            n += 1
            name = f"{base}_{n}"
        taken.add(name)
        names.append(name)
    return names


def _words(pair: Shapes) -> list[str]:
    """The fixed texts of the keys; the names before values (`city_`) are left to the columns."""
    return [token.text for shape in pair for token in shape if token.text and not token.hole]


def _rules(
    cluster: Cluster, fields: Sequence[Field], templates: Mapping[str, str | None], discriminator: str | None
) -> tuple[dict[str, str | bool], dict[str, str]]:
    """`when` and `extract`. With a discriminator the keys decide nothing, so that an odd key finds its table, too."""
    if cluster.value is not None and discriminator is not None:
        parts: dict[str, str] = {}
        known: set[str] = set()
        for key, template in templates.items():
            names = {field.name for field in fields if field.key == key and field.wanted}
            if template is not None and names - known:
                parts[key] = template
                known |= names
        return {discriminator: cluster.value.replace("{", "{{").replace("}", "}}")}, parts
    when: dict[str, str | bool] = {key: template for key, template in templates.items() if template is not None}
    if discriminator is not None:
        when[discriminator] = False
    return when, {}


def _comment(
    name: str, cluster: Cluster, items: Sequence[Item], keys: Sequence[str], fields: Sequence[Field], ignored: bool
) -> list[str]:
    first = items[cluster.rows[0]]
    columns = Counter(attribute for n in cluster.rows for attribute in items[n] if attribute not in keys)
    listed = [attribute for attribute, _ in columns.most_common(COLUMNS_LISTED_MAX)]
    more = f" and {len(columns) - len(listed)} more" if len(columns) > len(listed) else ""
    share = f"{cluster.share:.0%}" if cluster.share >= SHARE_MIN else "under 1%"
    lines = [f"{name}: {len(cluster.rows):,} items ({share}), for example {_example(first, keys)}"]
    if ignored:
        own = cluster.value is not None or (_text(first, keys[0]) or "").startswith(MACHINERY_HEADS)
        what = "a library's own items" if own else "keys only, both the same, as guards are"
        lines.append(f"{what}; without `ignore` they would be rows, too")
        return lines
    lines.append(f"columns: {', '.join(map(quoted, listed)) or 'the keys only'}{more}")
    lines += [field.note for field in fields if field.note]
    return lines


def _example(item: Item, keys: Sequence[str]) -> str:
    return ", ".join(
        f"{quoted(key)} = {quoted(str(next(iter(item[key].values()), '')))}" for key in keys if key in item
    )


def _left_notes(left: Sequence[Cluster], count: int, keys: Sequence[str], items: Sequence[Item]) -> list[str]:
    largest = sorted(left, key=lambda cluster: -len(cluster.rows))
    lines = [
        f"in the rest: {len(cluster.rows):,} of {count:,} items like {_example(items[cluster.rows[0]], keys)}"
        for cluster in largest[:LEFT_LISTED_MAX]
    ]
    if len(largest) > LEFT_LISTED_MAX:
        lines.append(f"in the rest: {len(largest) - LEFT_LISTED_MAX} further kinds of items")
    return lines

"""Every refusal of a split names entity and key; what is doubtful is warned of, and only where it is sure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from tests.entities.reading import LAW, WITH_ANSWERS, items_of, split_of, table_of
from tests.entities.test_route import items, rules

from twinrow.change import Item
from twinrow.entities.columns import PartColumn, PartIndex, indexes, part_columns, shared_parts, snake_case, value_table
from twinrow.entities.doubts import hidden, without_items
from twinrow.entities.part import Part
from twinrow.entities.route import router
from twinrow.entities.settings import from_json, read_keys, to_json
from twinrow.entities.split import Around, check_keys, read_split
from twinrow.errors import ConfigError
from twinrow.schema.table import Override

_A = '{ name = "a", when = { t = "A" } }'
AROUND = Around(
    "rest", frozenset({"mysql_id"}), (Override("secret", ignore=True), Override("x", column="renamed")), {"other": "t2"}
)


def _entities(*entities: str) -> str:
    return f"entities = [{', '.join(entities)}]"


@pytest.mark.parametrize(
    ("text", "where", "key", "why"),
    [
        (_entities(_A, '{ name = "A", when = { t = "B" } }'), "entity 'A'", "`name`", "two entities"),
        (_entities(_A, '{ name = "b", into = "A", when = { t = "B" } }'), "entity 'b'", "`into`", "entity 'a'"),
        (_entities('{ name = "other", when = { t = "B" } }'), "entity 'other'", "`into`", "table 't2'"),
        (_entities('{ name = "b", into = "Rest", when = { t = "B" } }'), "entity 'b'", "`into`", "the rest table"),
        (_entities('{ name = "_twinrow_b", when = { t = "B" } }'), "entity '_twinrow_b'", "`name`", "Twinrow's own"),
        (_entities('{ name = "b", into = "_TWINROW_b", when = { t = "B" } }'), "entity 'b'", "`into`", "Twinrow's own"),
        (_entities('{ name = "' + "b" * 65 + '", when = { t = "B" } }'), "entity 'bbb", "`name`", "1 to 64"),
        (_entities('{ name = "b", into = "b ", when = { t = "B" } }'), "entity 'b'", "`into`", "no blank"),
        (_entities('{ name = "", when = { t = "B" } }'), "entity ''", "`name`", "1 to 64"),
        (_entities('{ name = "b", when = { PK = "A#{p:date}", SK = "{p:int}" } }'), "entity 'b'", "`when`",
         "part 'p' has two types, date and int"),
        (_entities('{ name = "b", when = { PK = "A#{p}" }, extract = { X = "{p:int}" } }'), "entity 'b'", "`when`",
         "part 'p' has two types"),
        (_entities('{ name = "b", when = { PK = "A#{p}" } }', '{ name = "c", when = { PK = "C#{p:int}" } }'),
         "entity 'c'", "`when`", "is int here and text in entity 'b'"),
        (_entities('{ name = "b", ignore = true, into = "c", when = { t = "B" } }'), "entity 'b'", "`into`",
         "`ignore` and `into` together"),
        (_entities('{ name = "b", ignore = true, index = ["x"], when = { t = "B" } }'), "entity 'b'", "`index`",
         "together"),
        (_entities('{ name = "b" }'), "entity 'b'", "`when`", "is missing"),
        (_entities('{ name = "b", when = {} }'), "entity 'b'", "`when`", "is empty"),
        (_entities('{ name = "b", when = { PK = "A{" } }'), "entity 'b'", "`when.PK`", "without its }"),
        (_entities('{ name = "b", when = { PK = "{a}{b}" } }'), "entity 'b'", "`when.PK`", "nothing ends the first"),
        (_entities('{ name = "b", when = { PK = { from = 1 } } }'), "entity 'b'", "`when.PK`", "are for `where`"),
        (_entities('{ name = "b", when = { t = "B" }, where = { n = { from = 2, to = 1 } } }'), "entity 'b'",
         "`where.n`", "matches nothing"),
        (_entities('{ name = "b", when = { t = "B" }, extract = { G = "x" } }'), "entity 'b'", "`extract.G`",
         "no part"),
        (_entities('{ name = "b", when = { t = "B" }, extract = { G = "{x:y}" } }'), "entity 'b'", "`extract.G`",
         "unknown type"),
        (_entities('{ name = "b", when = { secret = "B" } }'), "entity 'b'", "`when.secret`",
         "`columns.secret.ignore`"),
        (_entities('{ name = "b", when = { t = "B" }, where = { secret = "B" } }'), "entity 'b'", "`where.secret`",
         "`columns.secret.ignore`"),
        (_entities('{ name = "b", when = { t = "B" }, columns = { z = { ignore = true } } }',
                   '{ name = "c", when = { z = "B" } }'), "entity 'c'", "`when.z`", "of entity 'b'"),
        (_entities('{ name = "b", when = { mysql_id = 7 } }'), "entity 'b'", "`when.mysql_id`", "Twinrow's own"),
        (_entities('{ name = "b", when = { t = "B" }, columns = { mysql_id = { ignore = true } } }'), "entity 'b'",
         "`columns.mysql_id`", "Twinrow's own"),
        (_entities('{ name = "b", when = { PK = "A#{renamed}" } }'), "entity 'b'", "`columns.x.column`", "a part"),
        (_entities('{ name = "b", when = { PK = "' + "#".join(f"{{p{n}}}" for n in range(7)) + '" } }'), "entity 'b'",
         "`when`", "7 parts of type text"),
        (_entities('{ name = "b", when = { t = "B" }, wen = 1 }'), "entity 'b'", "wen", "unknown field"),
        (_entities('{ name = "b", when = { PK = 2020-01-01 } }'), "entity 'b'", "`when.PK`", "got `date`"),
        (_entities('{ name = "b", when = { PK = { exist = true } } }'), "entity 'b'", "when.PK",
         "unknown field `exist`"),
        (_entities('{ name = "b", when = [{ t = "x" }, { PK = [[1]] }] }'), "entity 'b'", "when[1].PK", "got `array`"),
        (_entities('{ name = "b", when = { t = "B" }, columns = { z = { ignored = true } } }'), "entity 'b'",
         "columns.z", "unknown field `ignored`"),
        (_entities('{ when = { t = "B" } }'), "an entity without a name", "`name`", "lacks the required field"),
        ('separator = ""\n' + _entities(_A), "tables[0] (t)", "`separator`", "1 to 4"),
        ('unmatched = "ignore"', "tables[0] (t)", "`unmatched`", "neither entities nor a split"),
        ('unmatched = "drop"\n' + _entities(_A), "tables[0] (t)", "`unmatched`", "Invalid enum value"),
        ('where = { PK = "A{" }\n' + _entities(_A), "tables[0] (t)", "`where.PK`", "without its }"),
        ('where = { secret = "B" }', "tables[0] (t)", "`where.secret`", "`columns.secret.ignore`"),
        ('split = { attribute = "t", into = "app" }', "split", "`into`", "must hold {value} once"),
        ('split = { attribute = "t", into = "{value}_{other}" }', "split", "`into`", "must hold {value} once"),
        ('split = { attribute = "t", into = "_twinrow_{value}" }', "split", "`into`", "Twinrow's own"),
        ('split = { attribute = "t", tables_max = 0 }', "tables[0] (t)", "`split.tables_max`", ">= 1"),
        ('split = { attribute = "secret" }', "split", "`attribute`", "`columns.secret.ignore`"),
    ],
)  # fmt: skip
def test_a_refusal_names_entity_and_key(text: str, where: str, key: str, why: str) -> None:
    with pytest.raises(ConfigError) as told:
        split_of(text, AROUND)
    assert told.value.exit_code == 2
    assert where in told.value.where
    assert key in told.value.what
    assert why in told.value.what


def test_rules_may_use_what_is_left_out_where_dynamodb_is_read() -> None:
    keys = read_keys({"entities": [{"name": "b", "when": {"secret": "B"}}]}, "t")
    assert read_split(keys, AROUND, "t", reads_dynamodb=True).entity("b") is not None


@pytest.mark.parametrize(
    ("when", "kinds", "key"),
    [
        ('PK = "A#{x}"', {"PK": "N"}, "`when.PK`"), ('PK = "A"', {"PK": "B"}, "`when.PK`"),
        ("PK = 7", {"PK": "S"}, "`when.PK`"), ('PK = ["A", 7]', {"PK": "S"}, "`when.PK`"),
        ("PK = true", {"PK": "N"}, "`when.PK`"), ("PK = 7", {"PK": "B"}, "`when.PK`"),
    ],
)  # fmt: skip
def test_what_can_never_match_the_type_of_a_key(when: str, kinds: dict[str, str], key: str) -> None:
    split = split_of(_entities(f'{{ name = "b", when = {{ {when} }} }}'))
    with pytest.raises(ConfigError) as told:
        check_keys(split, kinds, "tables[0] (t)")
    assert "entity 'b'" in told.value.where
    assert key in told.value.what


def test_other_rules_than_when_are_checked_against_the_key_too() -> None:
    for text, where in (
        (_entities('{ name = "b", when = { t = "B" }, extract = { PK = "{x}" } }'), "entity 'b'"),
        (_entities('{ name = "b", when = { t = "B" }, where = { PK = "x" } }'), "entity 'b'"),
        ('split = { attribute = "PK" }', "split"),
    ):
        with pytest.raises(ConfigError) as told:
            check_keys(split_of(text), {"PK": "N"}, "tables[0] (t)")
        assert where in told.value.where
    check_keys(split_of(_entities('{ name = "b", when = { PK = 7, SK = "x" } }')), {"PK": "N", "SK": "S"}, "t")


@pytest.mark.parametrize("name", WITH_ANSWERS)
def test_the_keys_are_kept_as_json(name: str) -> None:
    keys = read_keys(table_of(name), name)
    assert from_json(to_json(keys)) == keys
    with pytest.raises(ValueError, match="not the keys of a split"):
        from_json('{"entities": 7}')


# ---- doubts


@pytest.mark.parametrize(
    ("earlier", "later", "is_hidden"),
    [
        ('t = "A"', 't = "A", PK = "A#{x}"', True), ('t = "A"', 't = "A"', True), ('t = "A"', 't = "B"', False),
        ('t = ["A", "B"]', 't = "B"', True), ('t = "B"', 't = ["A", "B"]', False), ("n = [1, 2]", "n = 1.0", True),
        ('PK = "{x*}"', 'PK = "A#{y}#{z}"', True), ('PK = "{x}"', 'PK = "A#{y}"', False),
        ('PK = "{x}"', 'PK = "A{y}"', True), ('PK = "A#{x}"', 'PK = "A#1"', True),
        ('PK = "A#1"', 'PK = "A#{x}"', False),
        ('PK = "A#{x}"', 'PK = "A#{y*}"', False), ('PK = "A#{x*}"', 'PK = "A#{y}"', True),
        ('SK = "v{n}_{kind}"', 'SK = "v0_{kind}"', True), ('SK = "v0_{kind}"', 'SK = "v{n}_{kind}"', False),
        ('PK = "U#{u}", SK = "U#{u}"', 'PK = "U#{u}", SK = "U#{v}"', False),
        ('PK = "U#{u}", SK = "U#{u}"', 'PK = "U#{u}", SK = "U#{u}", t = "A"', True),
        ('PK = "U#{u}"', 'PK = "U#{u}", SK = "U#{u}"', True), ("t = { exists = true }", 't = "A"', True),
        ("t = { exists = false }", 't = "A"', False), ('t = "A"', "t = { exists = true }", False),
        ("d = true", 'd = true, t = "A"', True), ("d = [true, false]", "d = false", True),
        ('t = "{x}"', "t = 7", False),
    ],
)  # fmt: skip
def test_a_hidden_entity_is_told_where_that_is_sure(earlier: str, later: str, *, is_hidden: bool) -> None:
    split = split_of(_entities(f'{{ name = "a", when = {{ {earlier} }} }}', f'{{ name = "b", when = {{ {later} }} }}'))
    assert [one.entity for one in hidden(split)] == (["b"] if is_hidden else [])


def test_a_separator_that_comes_about_where_a_hole_meets_a_text_hides_nothing() -> None:
    rules = '{ name = "a", when = { PK = "{x}" } }', '{ name = "b", when = { PK = "xa{y}" } }'
    split = split_of(f'separator = "ab"\n{_entities(*rules)}')
    assert hidden(split) == ()
    assert router(split)({"PK": {"S": "xabc"}})[0].entity == "b"


def test_an_entity_that_several_hide_together_is_told() -> None:
    split = split_of(_entities(_A, '{ name = "b", when = { t = "B" } }', '{ name = "c", when = { t = ["A", "B"] } }'))
    (told,) = hidden(split)
    assert str(told) == "entity 'c': it has no items: all that match it match a or b first"


@LAW
@given(rules, items)
def test_no_item_ever_goes_to_an_entity_that_is_told_as_hidden(whens: list[Any], item: Item) -> None:
    raw = {"entities": [{"name": f"e{n}", "when": when} for n, when in enumerate(whens)]}
    split = read_split(read_keys(raw, "t"), Around("rest"), "t")
    assert router(split)(item)[0].entity not in {one.entity for one in hidden(split)}


def test_entities_without_an_item_in_a_sample_are_told() -> None:
    split = split_of(_entities(_A, '{ name = "b", when = { t = "B" } }'))
    assert without_items(split, router(split), [{"t": {"S": "B"}}, {}]) == ("a",)


@pytest.mark.parametrize("name", WITH_ANSWERS)
def test_the_splits_of_the_data_sets_raise_no_doubt(name: str) -> None:
    split = read_split(read_keys(table_of(name), name), Around("rest"), name)
    assert hidden(split) == ()
    assert without_items(split, router(split), items_of(name)) == ()


# ---- names, columns, indexes


def test_parts_that_entities_share_are_indexed_in_each() -> None:
    split = split_of(_entities(
        '{ name = "orders", when = { PK = "C#{customer_id}", SK = "O#{day:date}" }, '
        'index = ["day", "total", "customer_id"] }',
        '{ name = "customers", when = { PK = "C#{customer_id}", SK = "C" } }',
        '{ name = "guards", ignore = true, when = { PK = "C#{day}" } }',
    ))  # fmt: skip
    assert shared_parts(split) == {"customer_id"}
    orders, customers, _ = split.entities
    parts = part_columns(orders.parts)
    shared = PartIndex("_twinrow_index_customer_id", "customer_id", True)
    day = PartIndex("_twinrow_index_day", "day", False)
    assert indexes(split, orders, parts, {}) == ((shared, day), ("total",))
    total = PartIndex("_twinrow_index_total_1", "total_1", False)
    assert indexes(split, orders, parts, {"total": "total_1"}) == ((shared, day, total), ())
    assert indexes(split, customers, part_columns(customers.parts), {})[0] == (shared,)


def test_a_part_gets_a_name_that_mysql_can_have() -> None:
    id_, row_id = Part("ID"), Part("row_id", "int")
    assert part_columns([id_]) == (PartColumn(id_, "ID"),)
    (of_id, of_row_id) = part_columns([id_, row_id], {"id"})
    assert of_id.column.startswith("ID_")
    assert of_row_id.column.startswith("row_id_")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("OrderLine", "order_line"), ("order-line", "order_line"), ("ORDER_LINE", "order_line"), ("_Unique", "unique"),
        ("HTTPServer2", "http_server2"), ("orderItem", "order_item"), ("a", "a"), ("$task-manager", "task_manager"),
        ("Été Chaud", "été_chaud"), ("🦆", ""), ("", ""), ("A1B", "a1_b"), ("com.acme.Order", "com_acme_order"),
    ],
)  # fmt: skip
def test_snake_case(text: str, name: str) -> None:
    assert snake_case(text) == name


def test_tables_of_a_split_never_share_a_name() -> None:
    told = split_of('split = { attribute = "_type", into = "app_{value}" }').by_value
    assert told is not None
    values = ["OrderLine", "order_line", "ORDER_LINE", "🦆", "🦢", "x" * 80, "x" * 81, "_Unique", "unique"]
    taken: list[str] = ["APP_UNIQUE"]
    for value in values:
        taken.append(value_table(told, value, taken))
    assert taken[1] == "app_order_line"
    assert len({one.casefold() for one in taken}) == len(values) + 1
    assert all(len(one) <= 64 for one in taken)
    assert value_table(told, "order_line", taken[:2]) == taken[2]


def test_a_table_of_a_split_never_looks_like_one_of_twinrows_own() -> None:
    told = split_of('split = { attribute = "_type", into = "_{value}" }').by_value
    assert told is not None
    assert value_table(told, "TwinrowMeta", ()).startswith("twinrow_meta_")

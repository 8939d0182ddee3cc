"""One DynamoDB table, several MySQL tables: counts, ids, parts and moves, as the copy shows them."""

from __future__ import annotations

from typing import Any, Protocol

import pytest
from tests.entities.reading import WITH_ANSWERS, keys_of
from tests.fixtures.copying import PENDING_INDEX
from tests.fixtures.databases import Database
from tests.fixtures.splitting import DataSet, SplitCopying, data_set

from twinrow.change import Item

MARK = {"migrated": {"S": "false"}}
SHOP = """
[[tables.entities]]
name = "customers"
when = { _type = "Customer", PK = "C#{customer_id}" }
[[tables.entities]]
name = "orders"
when = { _type = "Order", PK = "C#{customer_id}", SK = "O#{ordered_on:date}#{order_id}" }
[[tables.entities]]
name = "guards"
ignore = true
when = { _type = "_Unique" }
"""
TABLES = ("customers", "orders", "the_rest")


class MakeSplit(Protocol):
    def __call__(self, split_toml: str, keys: tuple[str, ...] = ..., **options: Any) -> SplitCopying: ...


@pytest.fixture
def make_split(database: Database, dynamodb: Any, dynamodb_client: Any, make_table: Any, tmp_path: Any) -> MakeSplit:
    """A function that creates a table to be copied by a split."""

    def make(split_toml: str, keys: tuple[str, ...] = ("PK", "SK"), **options: Any) -> SplitCopying:
        wanted = {"capture": "stream", "into": "the_rest", **options}
        key: dict[str, Any] = {"hash": f"{keys[0]}:S", "range": f"{keys[1]}:S" if len(keys) > 1 else None}
        if wanted["capture"] == "pending-index":
            wanted["pending_index"] = PENDING_INDEX
            key["index"] = ("migrated-index", "migrated:S", "ALL")
        table = make_table(**key, stream="NEW_AND_OLD_IMAGES")
        return SplitCopying(
            database, dynamodb_client, dynamodb.endpoint_url, tmp_path, {table: wanted}, split_toml=split_toml
        )

    return make


def copied(make_split: MakeSplit, known: DataSet, **options: Any) -> SplitCopying:
    copying = make_split(known.split_toml, keys_of(known.name), **options)
    copying.put(known.items)
    copying.once_well()
    return copying


def entry(kind: str, pk: str, sk: str, **texts: str) -> Item:
    return {name: {"S": text} for name, text in {"_type": kind, "PK": pk, "SK": sk, **texts}.items()}


def shop(*, marked: bool = False) -> list[Item]:
    """Three customers, an order each, a guard each, and an item of no known kind."""
    found = []
    for n in range(3):
        found += [
            entry("Customer", f"C#{n}", "C", name=f"c{n}"),
            entry("Order", f"C#{n}", f"O#2026-01-0{n + 1}#{n}", total=str(n)),
            entry("_Unique", f"U#{n}", "U"),
        ]
    found.append(entry("Odd", "X", "X"))
    return [{**item, **(MARK if marked else {})} for item in found]


def key_of(item: Item) -> Item:
    return {name: item[name] for name in ("PK", "SK")}


@pytest.mark.parametrize("name", WITH_ANSWERS)
def test_each_entity_has_the_rows_that_its_rule_gives(make_split: MakeSplit, name: str) -> None:
    known = data_set(name)
    copying = copied(make_split, known)
    tables = [*known.rows, "the_rest"]
    assert copying.counts(tables) == {**known.rows, "the_rest": 0}
    assert len(copying.ids(tables)) == len(known.items) - known.ignored
    verdict = copying.verify()
    assert verdict.in_step, verdict
    assert (verdict.items, verdict.rows) == (len(known.items) - known.ignored, sum(known.rows.values()))


@pytest.mark.parametrize("capture", ["pending-index", "stream", "scan"])
def test_items_carry_ids_that_are_distinct_over_all_tables_and_parts_join(make_split: MakeSplit, capture: str) -> None:
    copying = make_split(SHOP, capture=capture, link=True)
    copying.put(shop(marked=capture == "pending-index"))
    copying.once_well()
    assert copying.counts(TABLES) == {"customers": 3, "orders": 3, "the_rest": 1}
    copying.once_well()  # with a stream, the links that came back
    verdict = copying.verify()
    assert verdict.in_step, verdict
    carried = {int(item["mysql_id"]["N"]) for item in copying.items() if "mysql_id" in item}
    assert carried == set(copying.ids(TABLES).values())
    assert all("mysql_id" not in item for item in copying.items() if item["_type"] == {"S": "_Unique"})
    assert all("migrated" not in item for item in copying.items()), "the mark of an ignored item is cleared, too"
    join = "SELECT name, ordered_on, total FROM orders JOIN customers USING (customer_id) ORDER BY name"
    found = [tuple(map(str, row)) for row in copying.database.query(join)]
    assert found == [(f"c{n}", f"2026-01-0{n + 1}", str(n)) for n in range(3)]
    explain = "EXPLAIN FORMAT=TRADITIONAL " if copying.database.flavour == "mysql" else "EXPLAIN "
    index = "_twinrow_index_customer_id"
    assert any(index in map(str, row) for row in copying.database.query(f"{explain}{join} LIMIT 1")) or any(
        index in map(str, row) for row in copying.database.query("SHOW INDEX FROM orders")
    )


def test_an_item_of_another_kind_takes_its_row_to_another_table_under_its_id(make_split: MakeSplit) -> None:
    copying = make_split(SHOP, link=True)
    copying.put(shop())
    copying.once_well()
    copying.once_well()
    before, order, customer = copying.ids(TABLES), shop()[1], shop()[3]

    def kind(item: Item, value: str | None) -> None:
        action = {"Value": {"S": value}, "Action": "PUT"} if value is not None else {"Action": "DELETE"}
        copying.client.update_item(TableName=copying.table, Key=key_of(item), AttributeUpdates={"_type": action})

    kind(order, "Customer")
    kind(customer, None)
    ran = copying.once_well()
    assert copying.counts(TABLES) == {"customers": 3, "orders": 2, "the_rest": 2}
    assert copying.ids(TABLES) == before
    assert not {"UpdateItem", "BatchExecuteStatement"} & ran.requests.keys(), "a move writes nothing to DynamoDB"
    kind(order, "_Unique")  # from now on it has no row
    copying.once_well()
    assert copying.counts(TABLES) == {"customers": 2, "orders": 2, "the_rest": 2}
    kind(order, "Order")
    copying.client.delete_item(TableName=copying.table, Key=key_of(customer))
    copying.once_well()
    assert copying.counts(TABLES) == {"customers": 2, "orders": 3, "the_rest": 1}
    left = copying.ids(TABLES)
    assert left.items() < before.items()
    assert len(left) == len(before) - 1
    assert copying.verify().in_step


def test_with_soft_deletes_the_table_that_was_left_keeps_a_ghost(make_split: MakeSplit) -> None:
    copying = make_split(SHOP, deletes="soft")
    order = shop()[1]
    copying.put([order])
    copying.once_well()
    before = copying.ids(TABLES)
    for kind, counts in (("Customer", (1, 0)), ("Order", (0, 1)), ("Customer", (1, 0))):
        copying.put([{**order, "_type": {"S": kind}}])
        copying.once_well()
        assert tuple(copying.counts(TABLES[:2]).values()) == counts
        assert copying.ids(TABLES) == before
    assert copying.rows("_twinrow_deleted_at IS NOT NULL", table="orders") == [(1,)]
    verdict = copying.verify()
    assert verdict.in_step
    assert (verdict.rows, verdict.kept) == (1, 1)


def test_what_matches_nothing_is_a_letter_where_that_is_asked_for(make_split: MakeSplit) -> None:
    copying = make_split(SHOP, unmatched="dead-letter")
    copying.put(shop())
    copying.once_well()
    assert copying.counts(TABLES) == {"customers": 3, "orders": 3, "the_rest": 0}
    letters = copying.database.query("SELECT reason FROM _twinrow_dead_letter")
    assert letters == [("matches no entity",)]
    copying.put([{**shop()[-1], "_type": {"S": "Customer"}, "PK": {"S": "X"}, "SK": {"S": "X"}}])
    copying.once_well()
    assert copying.state("_twinrow_dead_letter") == 1, "its key is no customer's"
    copying.client.delete_item(TableName=copying.table, Key=key_of(shop()[-1]))
    copying.once_well()
    assert copying.state("_twinrow_dead_letter") == 0
    assert copying.verify().in_step


def test_each_value_has_a_table_also_one_that_comes_later(make_split: MakeSplit) -> None:
    copying = make_split('[tables.split]\nattribute = "_type"\ninto = "s_{value}"\ntables_max = 4\n')
    copying.put(shop())
    copying.once_well()
    assert copying.counts(["s_customer", "s_order", "s_unique", "s_odd", "the_rest"]) == {
        "s_customer": 3, "s_order": 3, "s_unique": 3, "s_odd": 1, "the_rest": 0,
    }  # fmt: skip
    with copying.running():
        copying.put([entry("LateComer", "L", "L")])
    copying.once_well()
    assert copying.counts(["the_rest"]) == {"the_rest": 1}, "there is no room for a fifth"
    assert copying.verify().in_step


def test_a_row_that_a_hand_has_moved_is_told_and_moved_back(make_split: MakeSplit) -> None:
    copying = make_split(SHOP, link=True)
    copying.put(shop())
    copying.once_well()
    copying.once_well()
    before = copying.ids(TABLES)
    columns = "row_id, PK, SK, _twinrow_key, _twinrow_extra"
    copying.database.query(f"INSERT INTO customers ({columns}) SELECT {columns} FROM orders WHERE total = '1'")
    copying.database.query("DELETE FROM orders WHERE total = '1'")
    copying.database.query("UPDATE orders SET order_id = 'x' WHERE total = '2'")
    verdict = copying.verify()
    assert (verdict.misplaced, verdict.different, verdict.extra, verdict.missing) == (1, 1, 0, 0), verdict
    repaired = copying.repair(execute=True)
    assert repaired.left is not None
    assert repaired.left.in_step, repaired.left
    assert copying.ids(TABLES) == before
    assert copying.verify().in_step
    copying.database.query(f"INSERT INTO customers ({columns}) SELECT {columns} FROM orders WHERE total = '1'")
    assert copying.verify().extra == 1, "a key with rows in two tables"
    copying.repair(execute=True)
    assert copying.ids(TABLES) == before
    assert copying.verify().in_step


def test_rules_that_come_later_move_the_rows_that_are_there_and_read_nothing(make_split: MakeSplit) -> None:
    """From no split to entities, to other rules, and to an entity that is ignored: every row keeps its id."""
    copying = make_split("", link=True)
    copying.put(shop())
    copying.once_well()
    copying.once_well()
    before = copying.ids(["the_rest"])
    assert len(before) == 10
    copying.split_toml = SHOP.replace("ignore = true\n", "")
    ran = copying.once_well()
    tables = [*TABLES, "guards"]
    assert copying.counts(tables) == {"customers": 3, "orders": 3, "the_rest": 1, "guards": 3}
    assert copying.ids(tables) == before
    assert not {"Scan", "Query", "BatchGetItem", "BatchExecuteStatement", "UpdateItem"} & ran.requests.keys()
    assert copying.verify().in_step
    copying.split_toml = (
        SHOP.replace('_type = "Order", ', "") + '[[tables.entities]]\nname = "odds"\nwhen = { _type = "Odd" }\n'
    )
    copying.once_well()
    tables = [*TABLES, "odds"]
    assert copying.counts(tables) == {"customers": 3, "orders": 3, "the_rest": 0, "odds": 1}
    assert copying.ids(tables).items() < before.items()
    assert copying.verify().in_step
    copying.put([entry("Customer", "C#9", "C", name="c9")])
    copying.once_well()
    assert copying.counts(["customers"]) == {"customers": 4}
    assert max(copying.ids(TABLES).values()) > max(before.values()), "no id is given twice"
    copying.split_toml = SHOP.replace("{customer_id}", "{customer}")
    error = copying.once().outcome.error
    assert error is not None
    assert "parts of entity 'customers'" in str(error)

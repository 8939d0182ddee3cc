"""The app of `twinrow demo --single-table`: a shop that keeps five kinds of items, and guards, in one table."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from twinrow import clock
from twinrow.app.demo.app import ACTIVE_S_MAX, PRODUCTS, put_all
from twinrow.change import Item
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.errors import Transient, TwinrowError

CUSTOMERS: Final = 400
ORDERS_EACH: Final = 3
LINES_EACH: Final = 4
WRITES_PER_S: Final = 50
CITIES: Final = ("İzmir", "Lyon", "Köln", "Porto", "Gdańsk")
FIRST_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
PENNIES: Final = 100

TABLE = """\
[[tables]]
name = "{table}"
capture = "stream"
into = "{table}_rest"
read_capacity_max = 100000
write_capacity_max = 100000

[[tables.entities]]
name = "customers"
into = "{prefix}customers"
when = {{ _type = "Customer", PK = "CUSTOMER#{{customer_id}}" }}

[[tables.entities]]
name = "orders"
into = "{prefix}orders"
when = {{ _type = "Order", PK = "CUSTOMER#{{customer_id}}", SK = "ORDER#{{ordered_on:date}}#{{order_id}}" }}

[[tables.entities]]
name = "cancelled_orders"
into = "{prefix}cancelled_orders"
when = {{ _type = "CancelledOrder", PK = "CUSTOMER#{{customer_id}}", SK = "ORDER#{{ordered_on:date}}#{{order_id}}" }}

[[tables.entities]]
name = "order_lines"
into = "{prefix}order_lines"
when = {{ _type = "OrderLine", PK = "ORDER#{{order_id}}", SK = "LINE#{{line:int}}" }}

[[tables.entities]]
name = "products"
into = "{prefix}products"
when = {{ _type = "Product", PK = "PRODUCT#{{product_id}}" }}

[[tables.entities]]
name = "guards"
ignore = true
when = {{ PK = "EMAIL#{{email}}" }}
"""
"""The part of the configuration; `{prefix}` keeps the tables apart from those of others on a server that is given."""


def create_table(dynamodb: DynamoDB, table: str, stop: Stop) -> None:
    """The shop's only table, with a stream."""
    dynamodb.call(
        "create_table", where=f"table {table}", TableName=table, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )  # fmt: skip
    until = clock.monotonic() + ACTIVE_S_MAX
    while dynamodb.describe(table).status != "ACTIVE":
        if clock.monotonic() > until or stop.wait(0.1):
            raise TwinrowError("does not become ACTIVE", where=f"table {table}")


def items() -> list[Item]:
    """All that the shop has before the sync begins, the same in every demo."""
    rng = random.Random(2026)  # noqa: S311 - made-up data
    found: list[Item] = [
        _item(f"PRODUCT#{number}", "PRODUCT", "Product", name=name) for number, name in enumerate(PRODUCTS)
    ]
    for customer in range(CUSTOMERS):
        email = f"user{customer}@example.com"
        found.append(
            _item(
                f"CUSTOMER#{customer}", "PROFILE", "Customer",
                name=f"user{customer:03}", email=email, city=rng.choice(CITIES),
            )
        )  # fmt: skip
        found.append({"PK": {"S": f"EMAIL#{email}"}, "SK": {"S": f"EMAIL#{email}"}})
        for number in range(ORDERS_EACH):
            found += order(rng, customer, customer * ORDERS_EACH + number)
    found.append(_item("SETTINGS", "SETTINGS", "Settings", currency="EUR"))
    return found


def order(rng: random.Random, customer: int, number: int) -> Iterator[Item]:
    """An order and its lines."""
    yield _item(f"CUSTOMER#{customer}", _order_key(number), "Order", status="paid")
    for line in range(1, LINES_EACH + 1):
        product = rng.randrange(len(PRODUCTS))
        made = _item(f"ORDER#{number}", f"LINE#{line}", "OrderLine", product_id=str(product))
        made["price"] = {"N": f"{rng.randrange(250, 990) / PENNIES:g}"}
        made["quantity"] = {"N": str(rng.randrange(1, 5))}
        yield made


def _item(partition: str, sort: str, kind: str, **texts: str) -> Item:
    keys: Item = {"PK": {"S": partition}, "SK": {"S": sort}, "_type": {"S": kind}}
    return keys | {name: {"S": text} for name, text in texts.items()}


def _order_key(number: int) -> str:
    return f"ORDER#{FIRST_DAY + timedelta(days=number % 300):%Y-%m-%d}#{number}"


def fill(dynamodb: DynamoDB, table: str, stop: Stop) -> int:
    """Write the items that are there before; how many they are. Raises TwinrowError when stopped."""
    every = items()
    put_all(dynamodb, table, every, stop)
    return len(every)


class Shop:
    """The live app: new orders come, orders are cancelled and taken up again, which changes their kind."""

    def __init__(self, dynamodb: DynamoDB, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._rng = random.Random(11)  # noqa: S311 - made-up data
        self._over = Stop()
        self._next = CUSTOMERS * ORDERS_EACH
        self.ordered = self.moved = self.deleted = 0
        self.failed = ""
        self._thread = threading.Thread(target=self._run, name="demo-shop", daemon=True)

    @property
    def writes(self) -> int:
        """All changes so far."""
        return self.ordered + self.moved + self.deleted

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write no more; returns when the last write is through."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        began, done = clock.monotonic(), 0
        while not self._over:
            try:
                self._write()
            except Transient as trouble:
                self.failed = str(trouble)
            except TwinrowError as error:
                self.failed = str(error)
                return
            done += 1
            self._over.wait(began + done / WRITES_PER_S - clock.monotonic())

    def _write(self) -> None:
        chance, where = self._rng.random(), f"table {self._table}"
        if chance < 0.3:
            customer = self._rng.randrange(CUSTOMERS)
            for made in order(self._rng, customer, self._next):
                self._dynamodb.call("put_item", where=where, TableName=self._table, Item=made)
            self._next += 1
            self.ordered += 1
            return
        number = self._rng.randrange(CUSTOMERS * ORDERS_EACH)
        if chance < 0.9:
            key = {"PK": {"S": f"CUSTOMER#{number // ORDERS_EACH}"}, "SK": {"S": _order_key(number)}}
            kind = self._rng.choice(("CancelledOrder", "Order"))
            self._dynamodb.call(
                "update_item", where=where, TableName=self._table, Key=key, UpdateExpression="SET #t = :t",
                ExpressionAttributeNames={"#t": "_type"}, ExpressionAttributeValues={":t": {"S": kind}},
            )  # fmt: skip
            self.moved += 1
            return
        key = {"PK": {"S": f"ORDER#{number}"}, "SK": {"S": f"LINE#{LINES_EACH}"}}
        self._dynamodb.call("delete_item", where=where, TableName=self._table, Key=key)
        self.deleted += 1

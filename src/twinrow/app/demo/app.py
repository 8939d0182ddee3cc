"""The app of the demo: a reviews table, 10,000 reviews from before, and a writer that adds, changes and deletes."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from twinrow import clock
from twinrow.change import Item
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.errors import Transient, TwinrowError
from twinrow.retry import back_off_s

ITEMS_BEFORE = 10_000
PUTS_A_CALL = 25
"""BatchWriteItem takes at most 25 (AWS API reference, BatchWriteItem)."""
CALLS_AT_ONCE = 4
WRITE_TRIES_MAX = 10
ACTIVE_S_MAX = 30.0
WRITES_PER_S = 100
FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
PRODUCTS = ("espresso", "flat white", "cold brew", "matcha", "oolong", "chai", "hot chocolate", "yuzu soda")
TAGS = ("fruity", "nutty", "floral", "smoky", "sweet", "bold", "smooth", "bright", "décaf", "iced")
WORDS = ("lovely", "balanced", "a bit flat", "güzel", "would buy again", "too sweet for me", "très bon", "as described")
MARKED = {"S": "false"}


def create_table(dynamodb: DynamoDB, table: str, stop: Stop) -> None:
    """The reviews table as an app has it before it knows of Twinrow: keyed by user and time, no index."""
    dynamodb.call(
        "create_table", where=f"table {table}", TableName=table, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("username", "reviewed_at")],
        KeySchema=[
            {"AttributeName": "username", "KeyType": "HASH"}, {"AttributeName": "reviewed_at", "KeyType": "RANGE"},
        ],
    )  # fmt: skip
    until = clock.monotonic() + ACTIVE_S_MAX
    while dynamodb.describe(table).status != "ACTIVE":
        if clock.monotonic() > until or stop.wait(0.1):
            raise TwinrowError("does not become ACTIVE", where=f"table {table}")


def review(rng: random.Random, number: int) -> Item:
    """Review number `number`: distinct keys, flavour maps, tags, decimals, texts in several scripts."""
    at = FIRST_DAY + timedelta(minutes=number)
    product = rng.randrange(len(PRODUCTS))
    # Products differ, so that the analyst's averages have something to tell.
    rating = min(10, max(1, round(rng.gauss(5 + product * 0.6, 1.5)))) / 2
    item: Item = {
        "username": {"S": f"user{number % 997:03}"},
        "reviewed_at": {"S": at.strftime("%Y-%m-%dT%H:%M:%SZ")},
        "product": {"S": PRODUCTS[product]},
        "rating": {"N": f"{rating:g}"},
        "price": {"N": f"{rng.randrange(250, 990) / 100:.2f}".rstrip("0").rstrip(".")},
        "helpful": {"N": str(rng.randrange(40))},
        "verified": {"BOOL": rng.random() < 0.8},
        "flavour": {"M": {name: {"N": str(rng.randrange(11))} for name in ("sweet", "sour", "bitter")}},
        "tags": {"SS": sorted(rng.sample(TAGS, 3))},
    }
    if rng.random() < 0.6:
        item["text"] = {"S": f"{rng.choice(WORDS)}, {rng.choice(WORDS)}"}
    return item


def fill(dynamodb: DynamoDB, table: str, stop: Stop) -> None:
    """Write the items that were there before. Raises TwinrowError when stopped."""
    rng = random.Random(2025)  # noqa: S311 - made-up data, the same in every demo
    put_all(dynamodb, table, [review(rng, number) for number in range(ITEMS_BEFORE)], stop)


def put_all(dynamodb: DynamoDB, table: str, items: Sequence[Item], stop: Stop) -> None:
    """Write items by many calls at once. Raises TwinrowError when stopped."""
    parts = [items[first : first + PUTS_A_CALL] for first in range(0, len(items), PUTS_A_CALL)]

    def put(part: Sequence[Item]) -> None:
        left = [{"PutRequest": {"Item": item}} for item in part]
        for tried in range(1, WRITE_TRIES_MAX + 1):
            if stop:
                raise TwinrowError("stopped")
            answer = dynamodb.call("batch_write_item", where=f"table {table}", RequestItems={table: left})
            left = (answer.get("UnprocessedItems") or {}).get(table, [])
            if not left:
                return
            stop.wait(back_off_s(tried))
        raise TwinrowError("DynamoDB leaves writes unprocessed", where=f"table {table}")

    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        list(pool.map(put, parts))


class Writer:
    """The live app: WRITES_PER_S writes, each marked; reviews come, are changed, and are deleted by mark."""

    def __init__(self, dynamodb: DynamoDB, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._rng = random.Random(7)  # noqa: S311 - made-up data
        self._over = Stop()
        self._next = ITEMS_BEFORE
        self._alive: list[int] = list(range(ITEMS_BEFORE))
        self.added = 0
        self.changed = 0
        self.deleted = 0
        self.failed = ""
        self._thread = threading.Thread(target=self._run, name="demo-app", daemon=True)

    @property
    def writes(self) -> int:
        """All writes so far."""
        return self.added + self.changed + self.deleted

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write no more; returns when the last write is through."""
        self._over.set()
        self._thread.join()

    def last_key(self) -> Item:
        """The key of the newest review."""
        return _key(self._next - 1)

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
        chance = self._rng.random()
        if chance < 0.5:
            item = review(self._rng, self._next) | {"migrated": MARKED}
            self._dynamodb.call("put_item", where=f"table {self._table}", TableName=self._table, Item=item)
            self._alive.append(self._next)
            self._next += 1
            self.added += 1
            return
        at = self._rng.randrange(len(self._alive))
        if chance < 0.85:
            self._update(self._alive[at], "SET #m = :m ADD helpful :more", {":more": {"N": "1"}})
            self.changed += 1
        else:
            number = self._alive[at]
            self._alive[at] = self._alive[-1]
            self._alive.pop()
            self._update(number, "SET #m = :m, deleted = :yes", {":yes": {"BOOL": True}})
            self.deleted += 1

    def _update(self, number: int, expression: str, values: Item) -> None:
        self._dynamodb.call(
            "update_item", where=f"table {self._table}", TableName=self._table, Key=_key(number),
            UpdateExpression=expression, ExpressionAttributeNames={"#m": "migrated"},
            ExpressionAttributeValues={":m": MARKED, **values},
        )  # fmt: skip


def _key(number: int) -> Item:
    at = FIRST_DAY + timedelta(minutes=number)
    return {"username": {"S": f"user{number % 997:03}"}, "reviewed_at": {"S": at.strftime("%Y-%m-%dT%H:%M:%SZ")}}

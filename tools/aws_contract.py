"""Checks on a real DynamoDB what Twinrow was built on and could only be tried on DynamoDB Local: `make aws-contract`.

    python tools/aws_contract.py                                        the account of your AWS credentials
    python tools/aws_contract.py --endpoint-url http://127.0.0.1:8000   a DynamoDB Local (how this tool is tested)

Makes one small table of its own (on demand, two indexes, a stream, a TTL), checks fact after fact, deletes the table
and prints a report. It costs less than a cent. Exit codes: 0 every fact holds or could not be seen in time, 3 a fact
does not hold, 1 an error, 2 no credentials.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import botocore.session

from twinrow.budget import Budget
from twinrow.capture import stream_record
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_error import DynamoDBError
from twinrow.dynamodb_wire import Statement, StatementAnswer, request_item
from twinrow.errors import TwinrowError
from twinrow.link.settle import RETRYABLE, is_too_large

ACTIVE_S_MAX = 300.0
INDEX_S_MAX = 60.0
STREAM_S_MAX = 60.0
TTL_S_MAX = 900.0
LOOK_EVERY_S = 0.5
ALL_INDEX, KEYS_INDEX = "by-mark", "by-mark-keys"
MARK = {"S": "false"}

State = Literal["ok", "DIFFERS", "not seen"]


@dataclass(frozen=True)
class Fact:
    """One fact, how it turned out, and what was seen."""

    name: str
    state: State
    seen: str


class NotSeen(Exception):
    """What was waited for did not come in time; that proves nothing."""


class Differs(Exception):
    """DynamoDB does something else; the message says what was seen."""


def expect(holds: object, seen: object) -> None:
    """Raise Differs with what was seen unless it holds."""
    if not holds:
        raise Differs(str(seen))


class Table:
    """The table of this run, and short ways to write and read it."""

    def __init__(self, dynamodb: DynamoDB, ttl_s: float) -> None:
        self.dynamodb = dynamodb
        self.name = f"twinrow-contract-{uuid.uuid4().hex[:12]}"
        self.ttl_s = ttl_s
        self.stream_arn = ""

    def create(self) -> None:
        """Make the table and wait until it and its indexes are ACTIVE."""
        by_mark = [{"AttributeName": "mark", "KeyType": "HASH"}]
        self.dynamodb.call(
            "create_table", TableName=self.name, BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "user", "AttributeType": "S"}, {"AttributeName": "at", "AttributeType": "N"},
                {"AttributeName": "mark", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "user", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[
                {"IndexName": name, "KeySchema": by_mark, "Projection": {"ProjectionType": projection}}
                for name, projection in ((ALL_INDEX, "ALL"), (KEYS_INDEX, "KEYS_ONLY"))
            ],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )  # fmt: skip
        wait(lambda: self._is_active(), ACTIVE_S_MAX, "the table does not become ACTIVE")
        self.stream_arn = self.dynamodb.describe(self.name).stream_arn or ""
        self.dynamodb.call(
            "update_time_to_live", TableName=self.name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
        )  # fmt: skip

    def _is_active(self) -> bool:
        told = self.dynamodb.describe(self.name)
        return told.status == "ACTIVE" and all(one.status in ("ACTIVE", "") for one in told.indexes)

    def delete(self) -> None:
        """Delete the table; one that was never made is fine."""
        try:
            self.dynamodb.call("delete_table", TableName=self.name)
        except DynamoDBError as error:
            if error.code != "ResourceNotFoundException":
                raise

    def put(self, user: str, at: str = "1", **more: dict[str, Any]) -> dict[str, Any]:
        """Write an item and return it."""
        item = {"user": {"S": user}, "at": {"N": at}, **more}
        self.dynamodb.call("put_item", TableName=self.name, Item=request_item(item))
        return item

    def get(self, user: str, at: str = "1") -> dict[str, Any] | None:
        """Read an item consistently, by the call that Twinrow uses."""
        found = self.dynamodb.get_items(self.name, [{"user": {"S": user}, "at": {"N": at}}], Budget(None), Stop())
        return found[0] if found else None

    def query(self, index: str, mark: dict[str, Any] = MARK) -> dict[str, dict[str, Any]]:
        """The items that an index shows under a mark, by user."""
        page = self.dynamodb.query_page(self.name, index, "mark", mark, None, None)
        return {item["user"]["S"]: item for item in page.items}

    def link(self, *wanted: tuple[str, str, dict[str, Any]]) -> list[StatementAnswer]:
        """The batched link write as Twinrow sends it: (user, row id, mark that was seen) each."""
        text = (
            f'UPDATE "{self.name}" SET "mysql_id"=? REMOVE "mark" WHERE "user"=? AND "at"=? AND "mark"=? '
            "RETURNING ALL OLD *"
        )
        statements = [Statement(text, ({"N": row_id}, {"S": user}, {"N": "1"}, mark)) for user, row_id, mark in wanted]
        return self.dynamodb.execute_statements(self.name, statements)[0]

    def records(self) -> list[stream_record.StreamRecord]:
        """All records of the stream so far, shard after shard, in the order they are given."""
        found: list[stream_record.StreamRecord] = []
        for shard in self.dynamodb.describe_stream(self.stream_arn).shards:
            first = shard["SequenceNumberRange"]["StartingSequenceNumber"]
            iterator: str | None = self.dynamodb.shard_iterator(
                self.stream_arn, shard["ShardId"], "AT_SEQUENCE_NUMBER", first
            )
            for _ in range(20):
                if iterator is None:
                    break
                page = self.dynamodb.records(iterator)
                found += stream_record.read(page.raw)
                iterator = page.next_iterator
        return found

    def records_of(self, user: str, count: int) -> list[stream_record.StreamRecord]:
        """The records of one item, once there are `count`. Raises NotSeen."""
        found: list[stream_record.StreamRecord] = []

        def there() -> bool:
            found[:] = [one for one in self.records() if one.change.key["user"] == {"S": user}]
            return len(found) >= count

        wait(there, STREAM_S_MAX, f"fewer than {count} stream records")
        return found


def wait(there: Callable[[], object], seconds: float, otherwise: str) -> None:
    """Ask again until it is there. Raises NotSeen."""
    until, pause = time.monotonic() + seconds, threading.Event()
    while not there():
        if time.monotonic() > until:
            raise NotSeen(f"{otherwise} within {seconds:g} s")
        pause.wait(LOOK_EVERY_S)


def batch_returns_the_old_image(table: Table) -> str:
    """A PartiQL UPDATE in a batch with RETURNING ALL OLD * gives the whole image before it, the mark included."""
    item = table.put("old-image", mark=MARK, rating={"N": "4.5"})
    (answer,) = table.link(("old-image", "7", MARK))
    expect(answer.code is None and answer.old == item, f"{answer.code} {answer.old}")
    after = table.get("old-image")
    expect(after == {k: v for k, v in item.items() if k != "mark"} | {"mysql_id": {"N": "7"}}, after)
    return "equal to what was put"


def batch_condition_fails_alone(table: Table) -> str:
    """A statement whose mark is another one fails alone, changes nothing, and the others of its call succeed."""
    table.put("condition-a", mark={"S": "newer"})
    table.put("condition-b", mark=MARK)
    first, second = table.link(("condition-a", "1", MARK), ("condition-b", "2", MARK))
    expect(first.code is not None and second.code is None, f"{first.code}, {second.code}")
    expect(first.code not in RETRYABLE and not is_too_large(first), first.code)
    left = table.get("condition-a")
    expect(left is not None and "mysql_id" not in left and left["mark"] == {"S": "newer"}, left)
    return f"code {first.code}"


def batch_never_creates(table: Table) -> str:
    """A PartiQL UPDATE of a key that is gone fails and creates no item, with a condition on the key alone as well."""
    (answer,) = table.link(("never-there", "1", MARK))
    text = f'UPDATE "{table.name}" SET "mysql_id"=? WHERE "user"=? AND "at"=? RETURNING ALL OLD *'
    bare = Statement(text, ({"N": "1"}, {"S": "never-there"}, {"N": "1"}))
    ((without_mark,), _) = table.dynamodb.execute_statements(table.name, [bare])
    expect(answer.code and without_mark.code, f"{answer.code}, {without_mark.code}")
    expect(table.get("never-there") is None, "an item was created")
    return f"codes {answer.code}, {without_mark.code}"


def batch_refuses_one_key_twice(table: Table) -> str:
    """Two statements for one key fail the whole call with ValidationException, so keys are folded before."""
    table.put("twice", mark=MARK)
    try:
        answers = table.link(("twice", "1", MARK), ("twice", "2", MARK))
    except DynamoDBError as error:
        expect(error.code == "ValidationException", error.code)
        return error.code
    raise Differs(f"answered {[one.code for one in answers]}")


def batch_tells_units(table: Table) -> str:
    """BatchExecuteStatement tells the units that it consumed, from which the budget is paid."""
    table.put("units", mark=MARK)
    text = f'UPDATE "{table.name}" SET "x"=? WHERE "user"=? AND "at"=?'
    statement = Statement(text, ({"N": "1"}, {"S": "units"}, {"N": "1"}))
    _, units = table.dynamodb.execute_statements(table.name, [statement])
    if units == 0 and table.dynamodb.endpoint_url is not None:
        raise NotSeen("this endpoint tells no units")
    expect(units > 0, f"{units} units")
    return f"{units:g} units: the item and its two index entries"


def full_item_is_refused_for_good(table: Table) -> str:
    """A link that would lift an item over 400 KB is refused with a code that Twinrow takes as final."""
    bare = len("user") + len("full") + len("at") + 2 + len("mark") + len("false") + len("body")
    for missing in range(8):
        try:
            table.put("full", mark=MARK, body={"S": "x" * (400 * 1024 - bare - missing)})
        except DynamoDBError:
            continue
        text = f'UPDATE "{table.name}" SET "mysql_id"=? WHERE "user"=? AND "at"=?'
        statement = Statement(text, ({"N": "18446744073709551615"}, {"S": "full"}, {"N": "1"}))
        ((answer,), _) = table.dynamodb.execute_statements(table.name, [statement])
        expect(is_too_large(answer), f"{answer.code}: {answer.message}")
        return f"code {answer.code}"
    raise NotSeen("no item of 400 KB could be put")


def names_are_quoted(table: Table) -> str:
    """Odd attribute names can be quoted in PartiQL: blanks, dots, doubled quotes, reserved words, emoji."""
    table.put("names")
    for name in ("a b", "a.b", 'a"b', "select", "💡", "'"):
        quoted = '"' + name.replace('"', '""') + '"'
        statement = Statement(
            f'UPDATE "{table.name}" SET {quoted}=? WHERE "user"=? AND "at"=?', ({"N": "1"}, {"S": "names"}, {"N": "1"})
        )
        ((answer,), _) = table.dynamodb.execute_statements(table.name, [statement])
        expect(answer.code is None, f"{name!r}: {answer.code} {answer.message}")
        expect(name in (table.get("names") or {}), f"{name!r} was not written")
    return "six names"


def update_item_does_the_same(table: Table) -> str:
    """UpdateItem with ALL_OLD and attribute_exists returns the old image, and creates nothing."""
    item = table.put("update-item", mark=MARK)
    asked: dict[str, Any] = {
        "UpdateExpression": "SET #l = :l REMOVE #m", "ConditionExpression": "attribute_exists(#k) AND #m = :m",
        "ExpressionAttributeNames": {"#l": "mysql_id", "#m": "mark", "#k": "user"},
        "ExpressionAttributeValues": {":l": {"N": "3"}, ":m": MARK},
    }  # fmt: skip
    answer, _ = table.dynamodb.update_item(table.name, {"user": {"S": "update-item"}, "at": {"N": "1"}}, **asked)
    expect(answer.code is None and answer.old == item, f"{answer.code} {answer.old}")
    gone, _ = table.dynamodb.update_item(table.name, {"user": {"S": "nowhere"}, "at": {"N": "1"}}, **asked)
    expect(gone.code == "ConditionalCheckFailedException" and table.get("nowhere") is None, gone.code)
    return f"code {gone.code} for a key that is gone"


def index_is_sparse(table: Table) -> str:
    """An item leaves the index once its mark is removed, and comes into it with a mark."""
    table.put("sparse", mark=MARK)
    wait(lambda: "sparse" in table.query(ALL_INDEX), INDEX_S_MAX, "the item does not come into the index")
    table.link(("sparse", "1", MARK))
    wait(lambda: "sparse" not in table.query(ALL_INDEX), INDEX_S_MAX, "the item does not leave the index")
    return "in, and out again"


def projections_give_what_they_say(table: Table) -> str:
    """An index with projection ALL gives whole items, one with KEYS_ONLY the key and the mark."""
    item = table.put("projection", mark=MARK, m={"M": {"a": {"N": "1"}, "b": {"B": "AAEC"}}})
    wait(lambda: "projection" in table.query(ALL_INDEX), INDEX_S_MAX, "the item does not come into the index")
    wait(lambda: "projection" in table.query(KEYS_INDEX), INDEX_S_MAX, "the item does not come into the index")
    whole, keys = table.query(ALL_INDEX)["projection"], table.query(KEYS_INDEX)["projection"]
    expect(whole == item, whole)
    expect(keys == {name: item[name] for name in ("user", "at", "mark")}, keys)
    return "whole; key and mark"


def numbers_are_normalised(table: Table) -> str:
    """Numbers come back in one fixed notation per value, 38 digits are kept, and a key is its number's value."""
    table.put("numbers", "1.50", n={"N": "1E2"}, big={"N": "9" * 38}, small={"N": "1E-130"})
    item = table.get("numbers", "1.5")
    expect(item is not None, "1.5 is not the key 1.50")
    told = {name: value["N"] for name, value in (item or {}).items() if "N" in value}
    expect(told == {"at": "1.5", "n": "100", "big": "9" * 38, "small": "0." + "0" * 129 + "1"}, told)
    return "1.50 is 1.5, 1E2 is 100"


def stream_keeps_the_order_of_a_key(table: Table) -> str:
    """The records of one item come in the order of its writes, with both images and ascending sequence numbers."""
    for number in range(5):
        table.put("order", n={"N": str(number)})
    records = table.records_of("order", 5)
    told = [(one.change.item or {}).get("n") for one in records]
    expect(told == [{"N": str(number)} for number in range(5)], told)
    sequences = [int(one.sequence) for one in records]
    expect(sequences == sorted(sequences), sequences)
    before = [(one.change.old or {}).get("n") for one in records[1:]]
    expect(before == told[:-1], before)
    return "five writes, five records"


def link_comes_back_as_an_echo(table: Table) -> str:
    """A link write comes back as a MODIFY record whose images differ in Twinrow's attributes only."""
    table.put("echo", mark=MARK, rating={"N": "1"})
    table.link(("echo", "9", MARK))
    change = table.records_of("echo", 2)[-1].change
    old, new = dict(change.old or {}), dict(change.item or {})
    expect(new.pop("mysql_id", None) == {"N": "9"} and old.pop("mark", None) == MARK and old == new, change)
    return "old and new are equal but for mysql_id and mark"


def open_shards_have_no_end(table: Table) -> str:
    """An empty answer of an open shard still gives an iterator, and AFTER_SEQUENCE_NUMBER goes on behind a record."""
    table.put("open-shard")
    wanted = table.records_of("open-shard", 1)[0].sequence
    for shard in table.dynamodb.describe_stream(table.stream_arn).shards:
        if shard["SequenceNumberRange"].get("EndingSequenceNumber"):
            continue
        try:
            after = table.dynamodb.shard_iterator(table.stream_arn, shard["ShardId"], "AFTER_SEQUENCE_NUMBER", wanted)
        except DynamoDBError:
            continue  # the record is in another shard
        page = table.dynamodb.records(after)
        expect(all(int(one.sequence) > int(wanted) for one in stream_record.read(page.raw)), "a record again")
        expect(page.next_iterator is not None, "no next iterator")
        return "an iterator after an empty page"
    raise NotSeen("no open shard takes that sequence number")


def shard_filter(table: Table) -> str:
    """DescribeStream takes a ShardFilter for the children of a shard (not relied on: listings are read whole)."""
    (shard, *_) = table.dynamodb.describe_stream(table.stream_arn).shards
    told = table.dynamodb.call(
        "describe_stream", service="dynamodbstreams", StreamArn=table.stream_arn,
        ShardFilter={"Type": "CHILD_SHARDS", "ShardId": shard["ShardId"]},
    )  # fmt: skip
    children = told["StreamDescription"].get("Shards", [])
    expect(all(one.get("ParentShardId") == shard["ShardId"] for one in children), children)
    return f"{len(children)} children"


def ttl_deletes_are_told_apart(table: Table) -> str:
    """An expiry by TTL comes as a REMOVE record of DynamoDB's own, a delete by the app does not."""
    table.put("by-the-app")
    table.dynamodb.call("delete_item", TableName=table.name, Key={"user": {"S": "by-the-app"}, "at": {"N": "1"}})
    mine = table.records_of("by-the-app", 2)[-1].change
    expect(mine.kind == "DELETE" and not mine.ttl, mine)
    table.put("expired", expires={"N": str(int(time.time()) - 60)})
    wait(lambda: table.get("expired") is None, table.ttl_s, "no expired item was deleted")
    change = table.records_of("expired", 2)[-1].change
    expect(change.kind == "DELETE" and change.ttl, change)
    return "DELETE with DynamoDB's identity"


CHECKS: tuple[Callable[[Table], str], ...] = (
    batch_returns_the_old_image, batch_condition_fails_alone, batch_never_creates, batch_refuses_one_key_twice,
    batch_tells_units, full_item_is_refused_for_good, names_are_quoted, update_item_does_the_same, index_is_sparse,
    projections_give_what_they_say, numbers_are_normalised, stream_keeps_the_order_of_a_key, link_comes_back_as_an_echo,
    open_shards_have_no_end, shard_filter, ttl_deletes_are_told_apart,
)  # fmt: skip


def facts(table: Table) -> Iterator[Fact]:
    """Check fact after fact; an error of one is its result, the others go on."""
    for check in CHECKS:
        name = " ".join((check.__doc__ or "").split())
        try:
            yield Fact(name, "ok", check(table))
        except NotSeen as unseen:
            yield Fact(name, "not seen", str(unseen))
        except Differs as other:
            yield Fact(name, "DIFFERS", str(other))
        except TwinrowError as error:
            yield Fact(name, "DIFFERS", str(error))


def run(dynamodb: DynamoDB, ttl_s: float) -> int:
    """Make the table, check, delete it, report; the exit code."""
    table = Table(dynamodb, ttl_s)
    place = dynamodb.endpoint_url or f"DynamoDB in {dynamodb.region}"
    print(f"table {table.name} on {place} …", flush=True)
    found: list[Fact] = []
    try:
        table.create()
        for fact in facts(table):
            found.append(fact)
            print(f"{fact.state:8}  {fact.name}\n          {fact.seen}", flush=True)
    finally:
        table.delete()
        print(f"table {table.name} deleted", flush=True)
    counts = {state: sum(one.state == state for one in found) for state in ("ok", "DIFFERS", "not seen")}
    print(json.dumps({"place": place, "at": int(time.time()), **counts}))
    return 3 if counts["DIFFERS"] else 0


def main(arguments: list[str]) -> int:
    """Parse, look for credentials, run; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--region", default=None, help="AWS Region; default: as botocore finds it, else us-east-1")
    parser.add_argument("--endpoint-url", default=None, help="another endpoint, for DynamoDB Local")
    parser.add_argument("--ttl-wait-s", type=float, default=TTL_S_MAX, help="how long to wait for an expiry")
    told = parser.parse_args(arguments)
    session = botocore.session.Session()
    if session.get_credentials() is None:
        print(
            "no AWS credentials found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, of an account "
            "in which a table may be made and deleted. Nothing was done.",
            file=sys.stderr,
        )
        return 2
    region = told.region or session.get_config_variable("region") or "us-east-1"
    try:
        return run(DynamoDB(region, told.endpoint_url), told.ttl_wait_s)
    except TwinrowError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The only door to DynamoDB: botocore signs, sends and finds credentials; items stay in wire form (`dynamodb_wire`)."""

from __future__ import annotations

import email.utils
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import botocore.exceptions
import botocore.parsers
import msgspec
from botocore.config import Config as BotoConfig

from twinrow import clock
from twinrow.budget import Budget, Spending
from twinrow.change import Item
from twinrow.clock import DATE_GRAIN_S, ServerClock, Stop
from twinrow.decode import wire_json
from twinrow.dynamodb_access import Access, session_of
from twinrow.dynamodb_error import REMEDIES, DynamoDBError, of_answer
from twinrow.dynamodb_parser import WireParserFactory
from twinrow.dynamodb_wire import (
    ItemsPage,
    RecordsPage,
    Statement,
    StatementAnswer,
    StreamPage,
    page_of,
    request_item,
    statement_answer_of,
    stock_to_wire,
    to_request,
)
from twinrow.errors import NotSent, Throttled, Transient, TwinrowError
from twinrow.failpoint import fail_point
from twinrow.retry import back_off_s
from twinrow.table_description import TableDescription, described, name_in_dynamodb

if TYPE_CHECKING:
    from twinrow.entities.filter_expression import FilterExpression

CONNECT_TIMEOUT_S = 3
READ_TIMEOUT_S = 20
LINK_TIMEOUT_S = 4
NO_SUCH_INDEX = "does not have the specified index"
"""In the message of the ValidationException (DynamoDB Local 3, as AWS words it)."""
NO_GLOBAL_TABLE = frozenset({"GlobalTableNotFoundException", "UnknownOperationException"})
"""The second is DynamoDB Local's, which knows no global tables."""
CONNECTIONS_MAX = 32
GET_ITEMS_MAX = 100
"""BatchGetItem takes at most 100 keys (AWS API reference, BatchGetItem)."""
STATEMENTS_MAX = 25
"""BatchExecuteStatement takes at most 25 statements (AWS API reference, BatchExecuteStatement)."""
UNPROCESSED_TRIES_MAX = 12
DATES_CONFIRMED = 3
"""Answers in a row that must agree before they move the clock that earlier answers set."""
UNANSWERED = "DynamoDB leaves keys of a batch read unanswered"

REFRESH_ERRORS = (
    botocore.exceptions.CredentialRetrievalError, botocore.exceptions.MetadataRetrievalError, RuntimeError,
    json.JSONDecodeError,
)  # fmt: skip
"""When credentials cannot be read anew just then; RuntimeError is botocore's for "refreshed, but still expired".

A `credential_process` that prints half an answer raises JSONDecodeError; DynamoDB's answers are not read by json here.
"""


NAMES_A_TABLE = frozenset({"TableName", "GlobalTableName"})


class DynamoDB:
    """A client for one region or endpoint, shared by threads (botocore clients are thread-safe).

    Tables may be called `SOURCE:NAME`; DynamoDB is asked for NAME. `clock` is DynamoDB's, as its answers tell it.
    `may_be_shared`: another process may open a door of its own that gives the same items.
    """

    may_be_shared = True

    def __init__(self, region: str, endpoint_url: str | None, access: Access | None = None) -> None:
        self.region = region
        self.access = access or Access()
        self.endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[tuple[str, int], Any] = {}
        self._sending = threading.local()
        self.clock = ServerClock("DynamoDB", DATES_CONFIRMED)
        self.requests: dict[str, int] = {}
        self._counting = threading.Lock()

    def _client(self, service: Literal["dynamodb", "dynamodbstreams"], timeout_s: int = READ_TIMEOUT_S) -> Any:
        known = self._clients.get((service, timeout_s))
        if known is not None:  # not kept waiting while another thread makes another client, which takes 20 ms and more
            return known
        with self._lock:
            client = self._clients.get((service, timeout_s))
            if client is None:
                if self._session is None:
                    self._session = session_of(self.access, self.region)
                    self._session.register_component("response_parser_factory", WireParserFactory())
                config = BotoConfig(
                    connect_timeout=min(CONNECT_TIMEOUT_S, timeout_s), read_timeout=timeout_s,
                    max_pool_connections=CONNECTIONS_MAX, retries={"total_max_attempts": 1}, tcp_keepalive=True,
                    parameter_validation=False,
                )  # fmt: skip
                client = self._session.create_client(
                    service, region_name=self.region, endpoint_url=self.endpoint_url, config=config
                )
                # last: an adaptive retry mode of botocore's own waits in this event
                client.meta.events.register_last("before-send", self._before_send)
                self._clients[(service, timeout_s)] = client
            return client

    def _before_send(self, **_request: Any) -> None:
        """botocore has signed a request (each of its own retries anew) and is about to send it. Raises NotSent.

        The signature may be from now: from a process that was paused before it, DynamoDB would take it for 15 minutes.
        """
        may_send: Callable[[], bool] | None = getattr(self._sending, "allowed", None)
        if may_send is not None:
            if not may_send():
                raise NotSent("not sent: another process may hold the table's lease by now")
            fail_point("after-link-signed")

    def count(self, operation: str) -> None:
        """Count a request, sent here or by a process that reads for this process."""
        with self._counting:  # many threads send requests: without it a count could be lost
            self.requests[operation] = self.requests.get(operation, 0) + 1

    def prepare_to_link(self) -> None:
        """Make the client for link writes before the first write is due."""
        self._client("dynamodb", LINK_TIMEOUT_S)

    def call(
        self,
        operation: str,
        *,
        where: str = "",
        service: Literal["dynamodb", "dynamodbstreams"] = "dynamodb",
        timeout_s: int = READ_TIMEOUT_S,
        may_send: Callable[[], bool] | None = None,
        **parameters: Any,
    ) -> dict[str, Any]:
        """Send a request once. Raises Throttled or Transient (try again), or DynamoDBError with a remedy.

        `may_send` is asked once it is signed, before the first byte goes: where that is false, NotSent is raised.
        """
        self.count(operation)
        sent = clock.boot_time()
        self._sending.allowed = may_send
        try:
            request = getattr(self._client(service, timeout_s), operation)  # it asks for credentials, which may fail
            sent = clock.boot_time()
            answer = request(**{key: _sent(key, value) for key, value in parameters.items()})
        except botocore.exceptions.ClientError as error:
            self._note_time(error.response, sent)
            raise of_answer(error.response, where or operation) from error
        except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
            raise TwinrowError(
                "no AWS credentials found", where="DynamoDB", remedy="set them by environment, profile or role"
            ) from error
        except REFRESH_ERRORS as error:
            if isinstance(error, RecursionError | NotImplementedError):
                raise
            raise Transient(
                f"AWS credentials cannot be read: {error}", where="DynamoDB", remedy="check the role or profile"
            ) from error
        except (botocore.exceptions.TokenRetrievalError, botocore.exceptions.SSOError) as error:
            raise DynamoDBError(
                "ExpiredToken", f"AWS credentials cannot be read: {error}", where="DynamoDB",
                remedy=REMEDIES["ExpiredToken"],
            ) from error  # fmt: skip
        except (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError) as error:
            raise Transient(
                f"DynamoDB does not answer: {error}", where=where, remedy="check `endpoint_url`, `region`, the network"
            ) from error
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise TwinrowError(f"DynamoDB request failed: {error}", where=where or operation) from error
        self._note_time(answer, sent)
        if isinstance(answer.get("ResponseMetadata"), dict) and "RequestId" in answer["ResponseMetadata"]:
            return stock_to_wire(answer)  # type: ignore[no-any-return]
        return answer  # type: ignore[no-any-return]

    def _note_time(self, answer: Mapping[str, Any], sent: float) -> None:
        """Learn DynamoDB's time from an answer's `Date` header; an answer without a valid date is ignored."""
        date = ((answer.get("ResponseMetadata") or {}).get("HTTPHeaders") or {}).get("date")
        parsed = email.utils.parsedate_tz(date) if isinstance(date, str) else None
        if parsed is None or parsed[9] is None:
            return
        server_time = float(email.utils.mktime_tz(parsed))
        self.clock.note(server_time, server_time + DATE_GRAIN_S, sent, clock.boot_time())

    def tables(self) -> Iterator[str]:
        """The names of all tables, page after page."""
        start: dict[str, Any] = {}
        while True:
            answer = self.call("list_tables", **start)
            yield from answer.get("TableNames", [])
            if not answer.get("LastEvaluatedTableName"):
                return
            start = {"ExclusiveStartTableName": answer["LastEvaluatedTableName"]}

    def tags(self, table: str) -> dict[str, str]:
        """The table's tags (DescribeTable, ListTagsOfResource). Raises TwinrowError when there is no such table."""
        arn, found, start = self.describe(table).arn, dict[str, str](), dict[str, Any]()
        while True:
            answer = self.call("list_tags_of_resource", where=f"table {table}", ResourceArn=arn, **start)
            found |= {tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])}
            if not answer.get("NextToken"):
                return found
            start = {"NextToken": answer["NextToken"]}

    def describe(self, table: str) -> TableDescription:
        """DescribeTable. Raises TwinrowError when there is no such table."""
        answer = self.call("describe_table", where=f"table {table}", TableName=table)
        return replace(described(answer["Table"]), name=table)

    def real_key(self, key: Item) -> Item:
        """The key as DynamoDB has it; where a table's items are protected, see `protect.door`, as the next two."""
        return key

    def seen_key(self, key: Item) -> Item:
        """A key from elsewhere than this door (an event, a record, an image) as everything behind the door sees it."""
        return key

    def seen_page(self, raw: bytes) -> bytes:
        """Items from elsewhere than this door (an export), a JSON array, as everything behind the door sees them."""
        return raw

    def ttl_attribute(self, table: str) -> str | None:
        """The attribute of DynamoDB's TTL where it is enabled, else None."""
        answer = self.call("describe_time_to_live", where=f"table {table}", TableName=table)
        ttl = answer.get("TimeToLiveDescription", {})
        return ttl.get("AttributeName") if ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else None

    def scan_page(
        self,
        table: str,
        segment: int,
        segments: int,
        start_key: Item | None,
        *,
        limit: int | None = None,
        consistent: bool = False,
        where: FilterExpression | None = None,
    ) -> ItemsPage:
        """A page (at most 1 MB read) of a parallel scan; 0.5 units per 4 KB read, `consistent` 1 unit.

        `where` leaves items out of the answer; they are read and cost the same.
        """
        parameters: dict[str, Any] = {
            "TableName": table, "Segment": segment, "TotalSegments": segments, "ReturnConsumedCapacity": "TOTAL",
        }  # fmt: skip
        if start_key is not None:
            parameters["ExclusiveStartKey"] = request_item(start_key)
        if limit is not None:
            parameters["Limit"] = limit
        if consistent:
            parameters["ConsistentRead"] = True
        if where is not None:
            parameters["FilterExpression"] = where.expression
            parameters["ExpressionAttributeNames"] = where.names
            if where.values:
                parameters["ExpressionAttributeValues"] = where.values
        return page_of(self.call("scan", where=f"table {table}", **parameters))

    def query_page(
        self, table: str, index: str, attribute: str, value: dict[str, Any], start_key: Item | None, limit: int | None
    ) -> ItemsPage:
        """A page of the index's items whose `attribute` equals `value`. Raises DynamoDBError: no such index."""
        parameters: dict[str, Any] = {
            "TableName": table, "IndexName": index, "KeyConditionExpression": "#m = :m",
            "ExpressionAttributeNames": {"#m": attribute}, "ExpressionAttributeValues": {":m": value},
            "ReturnConsumedCapacity": "TOTAL",
        }  # fmt: skip
        if start_key is not None:
            parameters["ExclusiveStartKey"] = request_item(start_key)
        if limit is not None:
            parameters["Limit"] = limit
        try:
            return page_of(self.call("query", where=f"index {index} of table {table}", **parameters))
        except DynamoDBError as error:
            if NO_SUCH_INDEX not in error.what:
                raise
            raise DynamoDBError(
                error.code,
                f"has no index {index!r}",
                where=f"table {table}",
                remedy="twinrow check --fix adds it",
                commands=("twinrow check --fix",),
            ) from error

    def global_table_regions(self, table: str) -> tuple[str, ...]:
        """The Regions of the global table of the old kind (2017.11.29) of that name; none where there is none.

        DescribeTable tells only of replicas of the kind of 2019. Raises DynamoDBError where it may not be asked.
        """
        try:
            answer = self.call("describe_global_table", where=f"table {table}", GlobalTableName=table)
        except DynamoDBError as error:
            if error.code in NO_GLOBAL_TABLE:
                return ()
            raise
        return tuple(
            str(replica.get("RegionName", "")) for replica in answer["GlobalTableDescription"]["ReplicationGroup"]
        )

    def describe_stream(self, arn: str, after_shard: str | None = None) -> StreamPage:
        """A page of a stream's shards. Raises DynamoDBError with code ResourceNotFoundException: no such stream."""
        start: dict[str, Any] = {} if after_shard is None else {"ExclusiveStartShardId": after_shard}
        answer = self.call("describe_stream", service="dynamodbstreams", where=f"stream {arn}", StreamArn=arn, **start)
        stream = answer["StreamDescription"]
        return StreamPage(
            stream.get("StreamStatus", ""), stream.get("Shards", []),
            stream.get("LastEvaluatedShardId") or None,
        )  # fmt: skip

    def shard_iterator(self, arn: str, shard: str, kind: str, sequence: str | None = None) -> str:
        """An iterator, valid for 15 minutes. Raises DynamoDBError (TrimmedDataAccessException, ResourceNotFound…)."""
        start: dict[str, Any] = {} if sequence is None else {"SequenceNumber": sequence}
        answer = self.call(
            "get_shard_iterator", service="dynamodbstreams", where=f"shard {shard}", StreamArn=arn, ShardId=shard,
            ShardIteratorType=kind, **start,
        )  # fmt: skip
        return str(answer["ShardIterator"])

    def records(self, iterator: str, where: str = "") -> RecordsPage:
        """Up to 1,000 records or 1 MB. Raises DynamoDBError: ExpiredIteratorException, TrimmedDataAccessException."""
        answer = self.call("get_records", service="dynamodbstreams", where=where, ShardIterator=iterator)
        found = answer.get("Records", [])
        raw = found if isinstance(found, msgspec.Raw) else wire_json.encoded(found)
        return RecordsPage(raw, answer.get("NextShardIterator") or None)

    def get_items(self, table: str, keys: Sequence[Item], budget: Budget, stop: Stop) -> list[Item]:
        """Consistent read of any number of distinct keys; items that are gone are left out of the answer.

        UnprocessedKeys are asked again with back-off, at most UNPROCESSED_TRIES_MAX times, then Throttled is raised.
        """
        found: list[Item] = []
        for first in range(0, len(keys), GET_ITEMS_MAX):
            asked, tries = list(keys[first : first + GET_ITEMS_MAX]), 0
            while asked:
                answered, asked = self.get_some_items(table, asked, budget, stop)
                found += answered
                if asked:
                    tries += 1
                    if tries >= UNPROCESSED_TRIES_MAX or stop.wait(back_off_s(tries)):
                        raise Throttled(UNANSWERED, where=f"table {table}")
        return found

    def get_some_items(
        self, table: str, keys: Sequence[Item], budget: Budget, stop: Stop
    ) -> tuple[list[Item], list[Item]]:
        """A consistent read of at most GET_ITEMS_MAX keys: the items that are there, and the keys left unanswered.

        DynamoDB leaves keys when it throttles a part, and when the answer would be larger than 16 MB. Raises Throttled.
        """
        budget.wait(stop)
        name = name_in_dynamodb(table)
        try:
            answer = self.call(
                "batch_get_item", where=f"table {table}", ReturnConsumedCapacity="TOTAL",
                RequestItems={name: {"Keys": [request_item(key) for key in keys], "ConsistentRead": True}},
            )  # fmt: skip
        except Throttled:
            budget.throttled()
            raise
        budget.pay(sum(capacity.get("CapacityUnits", 0.0) for capacity in answer.get("ConsumedCapacity") or ()))
        left: list[Item] = (answer.get("UnprocessedKeys") or {}).get(name, {}).get("Keys", [])
        if left:
            budget.throttled()
        return answer.get("Responses", {}).get(name, []), left

    def execute_statements(
        self, table: str, statements: Sequence[Statement], may_send: Callable[[], bool] | None = None
    ) -> tuple[list[StatementAnswer], float]:
        """BatchExecuteStatement of at most 25 statements for different keys; an answer each, and the units consumed.

        `may_send` as in `call`.
        """
        answer = self.call(
            "batch_execute_statement", where=f"table {table}", timeout_s=LINK_TIMEOUT_S, may_send=may_send,
            ReturnConsumedCapacity="TOTAL",
            Statements=[
                {"Statement": statement.text, "Parameters": [to_request(value) for value in statement.parameters]}
                for statement in statements
            ],
        )  # fmt: skip
        consumed = answer.get("ConsumedCapacity")  # DynamoDB Local sends none: a unit each is the least
        units = sum(entry.get("CapacityUnits", 0.0) for entry in consumed) if consumed else float(len(statements))
        return [statement_answer_of(response) for response in answer["Responses"]], units

    def update_item(
        self, table: str, key: Item, may_send: Callable[[], bool] | None = None, **parameters: Any
    ) -> tuple[StatementAnswer, float]:
        """UpdateItem with ReturnValues ALL_OLD; a failed condition or refusal comes back as the answer's code.

        `may_send` as in `call`; the values of the expression are in wire form.
        """
        if "ExpressionAttributeValues" in parameters:
            parameters["ExpressionAttributeValues"] = request_item(parameters["ExpressionAttributeValues"])
        try:
            answer = self.call(
                "update_item", where=f"table {table}", timeout_s=LINK_TIMEOUT_S, TableName=table, Key=request_item(key),
                ReturnValues="ALL_OLD", ReturnConsumedCapacity="TOTAL", may_send=may_send, **parameters,
            )  # fmt: skip
        except DynamoDBError as error:
            return StatementAnswer(error.code, error.what, None), 1.0
        units = float((answer.get("ConsumedCapacity") or {}).get("CapacityUnits", 0.0))
        return StatementAnswer(None, "", answer.get("Attributes")), units


def _sent(key: str, value: Any) -> Any:
    """A parameter of a request as DynamoDB takes it: a table by its own name."""
    return name_in_dynamodb(value) if key in NAMES_A_TABLE else value


def budgeted(work: Callable[[], ItemsPage], budget: Spending, stop: Stop) -> ItemsPage:
    """Run a read within the budget: wait for units, pay what it cost, halve on throttling (which is raised on).

    Raises Transient when the stop comes before the read.
    """
    budget.wait(stop)
    if stop:
        raise Transient("stopping")
    try:
        page = work()
    except Throttled:
        budget.throttled()
        raise
    budget.pay(page.units)
    return page

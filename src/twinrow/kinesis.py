"""The only door to Kinesis Data Streams: botocore signs, sends and finds credentials. Imported by its capture alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import botocore.exceptions
import botocore.parsers
import msgspec
from botocore.config import Config as BotoConfig

from twinrow.dynamodb import CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from twinrow.dynamodb_access import Access, session_of
from twinrow.dynamodb_error import REMEDIES, DynamoDBError, of_answer
from twinrow.errors import Throttled, Transient, TwinrowError

_CONNECTIONS_MAX = 16
RECORDS_A_CALL_MAX = 2_000
"""Five calls a second and shard are to be had, so that this is above what a shard takes in (1,000 records a second)."""
SHARDS_A_CALL_MAX = 1_000
HOUR_S = 3600.0
_RECORDS_SHAPE: Final = "GetRecordsOutput"


class KinesisRecord(msgspec.Struct, gc=False, rename="pascal"):
    """A record as GetRecords gives it, its data decoded from base64."""

    sequence_number: str
    data: bytes


class RecordsAnswer(msgspec.Struct, gc=False, rename="pascal"):
    """The answer of GetRecords; without a next iterator the shard is closed and read to its end."""

    records: tuple[KinesisRecord, ...] = ()
    next_shard_iterator: str | None = None
    millis_behind_latest: int = 0


_decode: Final = msgspec.json.Decoder(RecordsAnswer).decode
"""Made while this module is imported: see `twinrow.decode.compiled`."""


class _RecordsParser:
    """Decodes good answers of GetRecords with msgspec, in a tenth of botocore's time; all else is botocore's."""

    def __init__(self, stock: Any) -> None:
        self._stock = stock

    def parse(self, response: dict[str, Any], shape: Any) -> Any:
        if response["status_code"] >= 300 or shape is None or shape.name != _RECORDS_SHAPE:
            return self._stock.parse(response, shape)
        metadata = {"HTTPStatusCode": response["status_code"], "HTTPHeaders": response["headers"]}
        return {"Answer": _decode(response["body"]), "ResponseMetadata": metadata}


class _ParserFactory(botocore.parsers.ResponseParserFactory):
    def create_parser(self, protocol_name: str) -> Any:
        stock = super().create_parser(protocol_name)
        return _RecordsParser(stock) if protocol_name == "json" else stock


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """The answer of DescribeStreamSummary. `created_at` tells a stream from another of the same name and ARN.

    `record_kib_max`: DynamoDB leaves out changes whose record would be larger, and nothing but a metric says so.
    `scatters`: the records of a partition key are spread over shards. Both as far as the answer says.
    """

    status: str
    created_at: float
    retention_s: float
    record_kib_max: int | None
    shards: int
    scatters: bool


class Kinesis:
    """A client for a Region or endpoint, shared by threads.

    Its requests raise Throttled or Transient (try again), or DynamoDBError with the code that Kinesis gave.
    """

    def __init__(self, region: str, endpoint_url: str | None, access: Access | None = None) -> None:
        self._region, self._endpoint_url, self._access = region, endpoint_url, access or Access()
        self._lock = threading.Lock()
        self._known: Any = None

    def summary(self, arn: str) -> StreamSummary:
        """DescribeStreamSummary. Raises DynamoDBError with code ResourceNotFoundException: no such stream."""
        answer = self._call("describe_stream_summary", f"stream {arn}", StreamARN=arn)["StreamDescriptionSummary"]
        created = answer.get("StreamCreationTimestamp")
        return StreamSummary(
            status=str(answer.get("StreamStatus", "")),
            created_at=created.timestamp() if created is not None else 0.0,
            retention_s=float(answer.get("RetentionPeriodHours", 24)) * HOUR_S,
            record_kib_max=answer.get("MaxRecordSizeInKiB"),
            shards=int(answer.get("OpenShardCount", 0)),
            scatters=answer.get("RecordDistributionStrategy") == "AUTO",
        )

    def shards(self, arn: str, after: str | None) -> tuple[list[dict[str, Any]], bool]:
        """A page of the shards that have records, and whether there are more after it."""
        start = {} if after is None else {"ExclusiveStartShardId": after}
        answer = self._call("list_shards", f"stream {arn}", StreamARN=arn, MaxResults=SHARDS_A_CALL_MAX, **start)
        return answer.get("Shards", []), bool(answer.get("NextToken"))

    def iterator(self, arn: str, shard: str, kind: str, sequence: str | None, at: float | None) -> str:
        """An iterator, valid for five minutes; `at` is for the kind AT_TIMESTAMP."""
        start: dict[str, Any] = {} if sequence is None else {"StartingSequenceNumber": sequence}
        if at is not None:
            start["Timestamp"] = at
        answer = self._call(
            "get_shard_iterator", f"shard {shard}", StreamARN=arn, ShardId=shard, ShardIteratorType=kind, **start
        )
        return str(answer["ShardIterator"])

    def records(self, iterator: str, arn: str, shard: str) -> RecordsAnswer:
        """Up to RECORDS_A_CALL_MAX records or 10 MB. Raises DynamoDBError with code ExpiredIteratorException."""
        answer = self._call(
            "get_records", f"shard {shard}", ShardIterator=iterator, StreamARN=arn, Limit=RECORDS_A_CALL_MAX
        )
        found: RecordsAnswer = answer["Answer"]
        return found

    def _client(self) -> Any:
        with self._lock:
            if self._known is None:
                session = session_of(self._access, self._region)
                session.register_component("response_parser_factory", _ParserFactory())
                config = BotoConfig(
                    connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S,
                    max_pool_connections=_CONNECTIONS_MAX, retries={"total_max_attempts": 1}, tcp_keepalive=True,
                )  # fmt: skip
                self._known = session.create_client(
                    "kinesis", region_name=self._region, endpoint_url=self._endpoint_url, config=config
                )
            return self._known

    def _call(self, operation: str, where: str, **parameters: Any) -> dict[str, Any]:
        return _translated(lambda: getattr(self._client(), operation)(**parameters), where)


def _translated(request: Callable[[], dict[str, Any]], where: str) -> dict[str, Any]:
    """Send a request; what botocore raises, as an error of Twinrow's."""
    try:
        return request()
    except botocore.exceptions.ClientError as error:
        raise _of_answer(error, where) from error
    except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
        raise TwinrowError(
            "no AWS credentials found", where="Kinesis", remedy="set them by environment, profile or role"
        ) from error
    except (botocore.exceptions.CredentialRetrievalError, botocore.exceptions.MetadataRetrievalError) as error:
        raise Transient(
            f"AWS credentials cannot be read: {error}", where="Kinesis", remedy="check the role or profile"
        ) from error
    except (botocore.exceptions.TokenRetrievalError, botocore.exceptions.SSOError) as error:
        raise DynamoDBError(
            "ExpiredToken", f"AWS credentials cannot be read: {error}", where="Kinesis", remedy=REMEDIES["ExpiredToken"]
        ) from error
    except (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError) as error:
        raise Transient(
            f"Kinesis does not answer: {error}", where=where, remedy="check `endpoint_url` in [kinesis], the network"
        ) from error
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise TwinrowError(f"the request to Kinesis failed: {error}", where=where) from error


def _of_answer(error: botocore.exceptions.ClientError, where: str) -> TwinrowError:
    """The error of an answer, in the name of Kinesis."""
    found = of_answer(error.response, where)
    what = found.what.replace("DynamoDB", "Kinesis", 1)
    if isinstance(found, DynamoDBError):
        remedy = "check `stream_arn` in [tables.kinesis]" if found.code == "ResourceNotFoundException" else found.remedy
        return DynamoDBError(found.code, what, where=where, remedy=remedy)
    return (Throttled if isinstance(found, Throttled) else Transient)(what, where=where)

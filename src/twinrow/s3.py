"""The only door to S3: objects are read in pieces, and a body that is cut is taken up where it ended.

botocore does not repeat a request whose body breaks off (botocore issue 3132). A request for the rest names the ETag of
the object, so that pieces of two objects are never put together. The client is made when it is first used.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

import botocore.exceptions
import msgspec
from botocore.config import Config as BotoConfig

from twinrow.clock import Stop
from twinrow.dynamodb_access import Access, session_of
from twinrow.errors import Transient, TwinrowError
from twinrow.retry import back_off_s

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
CONNECTIONS_MAX = 16
"""As many files are read at once at most."""
PIECE_BYTES = 256 * 1024
SMALL_BYTES_MAX = 64 * 1024 * 1024
"""A list of 200,000 files takes 50 MB; whatever is larger is read in pieces."""
CUTS_MAX = 8
"""At most this many cuts in a row, without a byte between them; the table's run tries it again later."""
GONE: Final = frozenset({"NoSuchKey", "404", "NotFound"})
CHANGED: Final = frozenset({"PreconditionFailed", "412"})
PASSING: Final = frozenset(
    {
        "SlowDown",
        "InternalError",
        "ServiceUnavailable",
        "RequestTimeout",
        "Throttling",
        "500",
        "503",
        "OperationAborted",
    }
)
REMEDIES: Final[Mapping[str, str]] = {
    "NoSuchBucket": "name a bucket that is there in `[tables.export] bucket`",
    "AccessDenied": "`twinrow iam-policy` prints the rights that are needed",
    "403": "`twinrow iam-policy` prints the rights that are needed",
    "PermanentRedirect": "the bucket is in another Region; set `[s3] region`",
    "PreconditionFailed": "ask for a new export",
    "NoSuchKey": "ask for a new export",
}


class S3Error(TwinrowError):
    """S3 refuses a request for a reason that does not pass; `code` is S3's."""

    def __init__(self, code: str, what: str, where: str) -> None:
        super().__init__(what, where=where, remedy=REMEDIES.get(code, ""))
        self.code = code


class S3Spec(msgspec.Struct, frozen=True):
    """All that another process needs for the same door."""

    region: str
    endpoint_url: str | None
    access: Access
    owner: str | None


def door_of(spec: S3Spec) -> S3:
    """The door of a spec."""
    return S3(spec.region, spec.endpoint_url, spec.access, owner=spec.owner)


class S3:
    """A client for a Region or endpoint, shared by threads.

    `owner`: the account that must own the bucket, where it is known; a bucket of that name in other hands is refused.
    """

    def __init__(
        self, region: str, endpoint_url: str | None, access: Access | None = None, *, owner: str | None = None
    ) -> None:
        self.spec = S3Spec(region, endpoint_url, access or Access(), owner)
        self._region = region
        self._endpoint_url = endpoint_url
        self._access = access or Access()
        self._owner = {"ExpectedBucketOwner": owner} if owner is not None else {}
        self._lock = threading.Lock()
        self._made: Any = None

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                config = BotoConfig(
                    connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S, tcp_keepalive=True,
                    max_pool_connections=CONNECTIONS_MAX, retries={"total_max_attempts": 1},
                    s3={"addressing_style": "path"} if self._endpoint_url else None,
                )  # fmt: skip
                self._made = session_of(self._access, self._region).create_client(
                    "s3", region_name=self._region, endpoint_url=self._endpoint_url, config=config
                )
            return self._made

    def read(self, bucket: str, key: str) -> bytes:
        """A small object. Raises S3Error (NoSuchKey and others) or Transient."""
        place = f"s3://{bucket}/{key}"
        answer = self._call("get_object", place, Bucket=bucket, Key=key)
        try:
            data: bytes = answer["Body"].read(SMALL_BYTES_MAX + 1)
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise Transient(f"S3's answer breaks off: {error}", where=place) from error
        finally:
            answer["Body"].close()
        if len(data) > SMALL_BYTES_MAX:
            raise S3Error("TooLarge", f"is larger than {SMALL_BYTES_MAX} bytes", place)
        if len(data) < int(answer.get("ContentLength", len(data))):
            raise Transient("S3's answer breaks off", where=place)
        return data

    def read_if_there(self, bucket: str, key: str) -> bytes | None:
        """A small object, or None where there is none of that name. Raises S3Error or Transient."""
        try:
            return self.read(bucket, key)
        except S3Error as error:
            if error.code in GONE:
                return None
            raise

    def pieces(self, bucket: str, key: str, etag: str, stop: Stop) -> Iterator[bytes]:
        """A large object from its beginning, in pieces of PIECE_BYTES at most.

        Raises S3Error, code PreconditionFailed where the object has another ETag by now, and Transient
        where nothing comes any more or `stop` is set.
        """
        place, at, tries = f"s3://{bucket}/{key}", 0, 0
        while True:
            rest = {"Range": f"bytes={at}-"} if at else {}
            length: int | None = None
            try:
                answer = self._call("get_object", place, Bucket=bucket, Key=key, IfMatch=f'"{etag}"', **rest)
                length = at + int(answer["ContentLength"])
                for piece in self._body(answer, place):
                    at, tries = at + len(piece), 0
                    yield piece
                if at >= length:
                    return
                trouble = Transient("S3's answer breaks off", where=place)
            except Transient as error:
                if length is not None and at >= length:  # all is there; only the connection ended badly
                    return
                trouble = error
            tries += 1
            if tries >= CUTS_MAX or stop.wait(back_off_s(tries)):
                raise trouble

    def _body(self, answer: Mapping[str, Any], place: str) -> Iterator[bytes]:
        body = answer["Body"]
        try:
            while piece := body.read(PIECE_BYTES):
                yield piece
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise Transient(f"S3's answer breaks off: {error}", where=place) from error
        finally:
            body.close()

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write a small object. Raises S3Error or Transient."""
        self._call("put_object", f"s3://{bucket}/{key}", Bucket=bucket, Key=key, Body=data)

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object; no error where there is none. Raises S3Error or Transient."""
        self._call("delete_object", f"s3://{bucket}/{key}", Bucket=bucket, Key=key)

    def _call(self, operation: str, place: str, **parameters: Any) -> Any:
        try:
            return getattr(self._client(), operation)(**parameters, **self._owner)
        except botocore.exceptions.ClientError as error:
            answer = error.response.get("Error", {})
            code, message = str(answer.get("Code", "")), str(answer.get("Message", ""))
            if code in PASSING:
                raise Transient(f"S3 says {code}: {message}", where=place) from error
            if code in CHANGED:
                code, message = "PreconditionFailed", "the object was replaced since its manifest was written"
            raise S3Error(code, f"S3 says {code}: {message}", place) from error
        except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
            raise TwinrowError(
                "no AWS credentials found", where="S3", remedy="set them by environment, profile or role"
            ) from error
        except (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError) as error:
            raise Transient(
                f"S3 does not answer: {error}", where=place, remedy="check `[s3] endpoint_url`, `region`, the network"
            ) from error
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise TwinrowError(f"S3 request failed: {error}", where=place) from error


def parts_of(url: str) -> tuple[str, str]:
    """Bucket and key of `s3://BUCKET/KEY`. Raises ValueError."""
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket or not key:
        raise ValueError(f"{url!r} is no address in S3: write s3://BUCKET/KEY")
    return bucket, key

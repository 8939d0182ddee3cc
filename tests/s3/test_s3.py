"""The door to S3: pieces, cuts, ETags, and what is refused."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from tests.fixtures.proxy import TcpProxy
from tests.fixtures.s3 import BUCKET, LocalS3
from tests.fixtures.tables import REGION

from twinrow.clock import Stop
from twinrow.errors import Transient
from twinrow.s3 import PIECE_BYTES, S3, S3Error, parts_of

pytestmark = pytest.mark.slow


@pytest.fixture
def door(local_s3: LocalS3) -> S3:
    return S3(REGION, local_s3.endpoint_url)


@pytest.fixture
def proxy(local_s3: LocalS3) -> Iterator[TcpProxy]:
    made = TcpProxy("127.0.0.1", local_s3.port)
    yield made
    made.close()


def test_an_object_is_read_in_small_pieces(local_s3: LocalS3, door: S3) -> None:
    body = random.Random(1).randbytes(3 * PIECE_BYTES + 17)
    etag = local_s3.put("a/large", body)
    pieces = list(door.pieces(BUCKET, "a/large", etag, Stop()))
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert door.read(BUCKET, "a/large") == body


def test_a_cut_body_is_taken_up_where_it_ended(local_s3: LocalS3, proxy: TcpProxy) -> None:
    body = random.Random(2).randbytes(80 * PIECE_BYTES)  # more than sockets hold
    etag = local_s3.put("a/cut", body)
    door = S3(REGION, f"http://127.0.0.1:{proxy.port}")
    read = bytearray()
    for number, piece in enumerate(door.pieces(BUCKET, "a/cut", etag, Stop())):
        read += piece
        if number in (1, 50):
            proxy.cut()
    assert bytes(read) == body
    assert proxy.cuts >= 2


def test_the_rest_of_another_object_is_not_put_behind_it(local_s3: LocalS3, proxy: TcpProxy) -> None:
    etag = local_s3.put("a/changed", bytes(80 * PIECE_BYTES))
    door = S3(REGION, f"http://127.0.0.1:{proxy.port}")
    pieces = door.pieces(BUCKET, "a/changed", etag, Stop())
    next(pieces)
    local_s3.put("a/changed", b"1" * 80 * PIECE_BYTES)
    proxy.cut()
    with pytest.raises(S3Error, match="was replaced since its manifest was written") as found:
        list(pieces)
    assert found.value.code == "PreconditionFailed"


def test_a_server_that_does_not_answer_is_waited_for_and_then_told(local_s3: LocalS3, proxy: TcpProxy) -> None:
    proxy.mode = "refuse"
    door, stop = S3(REGION, f"http://127.0.0.1:{proxy.port}"), Stop()
    stop.set()
    with pytest.raises(Transient, match="S3 does not answer"):
        list(door.pieces(BUCKET, "a/b", "etag", stop))


@pytest.mark.parametrize(
    ("bucket", "key", "code"), [(BUCKET, "not/there", "NoSuchKey"), ("no-such-bucket-here", "a", "NoSuchBucket")]
)
def test_what_is_not_there_is_refused(door: S3, bucket: str, key: str, code: str) -> None:
    with pytest.raises(S3Error) as found:
        door.read(bucket, key)
    assert found.value.code == code
    assert found.value.remedy
    assert found.value.where == f"s3://{bucket}/{key}"


def test_an_object_may_be_missing_a_bucket_may_not(door: S3) -> None:
    assert door.read_if_there(BUCKET, "not/there") is None
    with pytest.raises(S3Error):
        door.read_if_there("no-such-bucket-here", "a")


def test_a_probe_is_written_and_removed(local_s3: LocalS3, door: S3) -> None:
    door.put(BUCKET, "p/_twinrow_probe", b"probe")
    assert local_s3.keys("p/") == ["p/_twinrow_probe"]
    door.delete(BUCKET, "p/_twinrow_probe")
    assert local_s3.keys("p/") == []


def test_addresses() -> None:
    assert parts_of("s3://bucket/a/b.json") == ("bucket", "a/b.json")
    for wrong in ("bucket/a", "s3://bucket", "s3:///a", "http://bucket/a"):
        with pytest.raises(ValueError, match="no address in S3"):
            parts_of(wrong)

"""AWS credentials of a role or profile that cannot be read anew for a while: waited for, as any trouble that passes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.exceptions
import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, marked, put_all
from tests.fixtures.tables import CREDENTIALS
from tests.fixtures.waiting import wait_until

from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_error import WITHHELD_CODES, DynamoDBError

REFRESHED_EACH_TIME = timedelta(minutes=8)
"""botocore reads credentials anew that end within ten minutes, before each request."""


def valid() -> str:
    """What a `credential_process` prints."""
    until = (datetime.now(UTC) + REFRESHED_EACH_TIME).isoformat()
    return json.dumps({
        "Version": 1, "AccessKeyId": CREDENTIALS["AWS_ACCESS_KEY_ID"], "SessionToken": "t", "Expiration": until,
        "SecretAccessKey": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    })  # fmt: skip


def print_now(printed: Path, text: str) -> None:
    """All at once: nobody reads half of it."""
    whole = printed.with_suffix(".new")
    whole.write_text(text)
    whole.replace(printed)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, local_credentials: None) -> Path:
    """A profile whose credentials are what stands in this file."""
    source, config = tmp_path / "printed.json", tmp_path / "aws-config"
    config.write_text(f"[profile twinrow]\ncredential_process = cat {source}\n")
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "twinrow")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    source.write_text(valid())
    return source


def _row_comes(copying: Copying, n: int, text: str) -> None:
    put_all(copying.client, copying.table, [marked(n, text={"S": text})])
    wait_until(lambda: copying.rows("row_id", f"text = '{text}'"), 30, what="the write is a row")


@pytest.mark.parametrize("trouble", ["the process fails", "they have ended", "half of it is printed"])
@pytest.mark.either_server
def test_a_failed_refresh_is_waited_for(make_copying: MakeCopying, printed: Path, trouble: str) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(0, text={"S": "first"})])
    copying.once_well()
    with copying.running() as running:
        _row_comes(copying, 1, "before")
        if trouble == "the process fails":
            printed.unlink()
        elif trouble == "they have ended":
            print_now(printed, valid().replace(str(datetime.now(UTC).year), "2001"))
        else:
            print_now(printed, valid()[:20])
        wait_until(lambda: any("credentials cannot be read" in why for _, why in running.waits), 30, what="it waits")
        print_now(printed, valid())
        _row_comes(copying, 2, "after")
    assert running.ran is not None
    assert running.ran.outcome.error is None
    assert copying.database.query("SELECT phase FROM _twinrow_table") == [("LIVE",)]


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.UnauthorizedSSOTokenError(),
        botocore.exceptions.TokenRetrievalError(provider="sso", error_msg="ended"),
    ],
)
@pytest.mark.either_server
def test_a_session_that_a_person_must_begin_anew_ends_a_command(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A sync that runs waits for it, as for rights that were taken away."""

    def no_client(*_: object) -> None:
        raise error

    dynamodb = DynamoDB("us-east-1", None)
    monkeypatch.setattr(dynamodb, "_client", no_client)
    with pytest.raises(DynamoDBError, match="renew the AWS session") as told:
        dynamodb.describe("reviews")
    assert told.value.code in WITHHELD_CODES

"""Sources in other accounts: which credentials sign their requests, and by which names their tables are asked for."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs

import pytest

from twinrow.app.wiring import contexts_of
from twinrow.budget import Budget
from twinrow.clock import Stop
from twinrow.config import parse
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_access import Access
from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import TwinrowError

ROLE = "arn:aws:iam::111122223333:role/twinrow"
ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/twinrow</Arn><AssumedRoleId>A:twinrow</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>ASIAOFTHEROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
DENIED = """<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not you</Message></Error>
</ErrorResponse>"""


class Aws(BaseHTTPRequestHandler):
    """STS and DynamoDB in a few lines: who asked, and for what."""

    asked: ClassVar[list[tuple[str, str]]] = []
    denies: ClassVar[bool] = False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        key = re.search(r"Credential=([^/]+)/", self.headers["Authorization"])
        self.asked.append((key[1] if key is not None else "", body))
        is_sts = body.startswith("Action=")
        answer = (DENIED if self.denies else ASSUMED) if is_sts else '{"TableNames": ["reviews"]}'
        self.send_response(403 if is_sts and self.denies else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Aws)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Aws.asked.clear()
    Aws.denies = False
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    for name, value in {"AWS_ACCESS_KEY_ID": "AKIAOWN", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "config").write_text("[profile other]\nregion = us-east-1\n")
    (tmp_path / "credentials").write_text("[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_role_is_assumed_with_the_external_id_once_and_signs_every_request(aws: str) -> None:
    door = DynamoDB("eu-west-1", aws, Access(role_arn=ROLE, external_id="a secret"))
    assert not Aws.asked, "nothing is sent before it is needed"
    assert [*door.tables(), *door.tables()] == ["reviews"] * 2
    (signer, body), *requests = Aws.asked
    asked = {name: values[0] for name, values in parse_qs(body).items()}
    assert (signer, asked["RoleArn"], asked["ExternalId"], asked["RoleSessionName"]) == (
        "AKIAOWN", ROLE, "a secret", "twinrow",
    )  # fmt: skip
    assert [key for key, _ in requests] == ["ASIAOFTHEROLE"] * 2


def test_a_profile_signs_requests_and_assumes_the_role(aws: str) -> None:
    assert list(DynamoDB("eu-west-1", aws, Access(profile="other")).tables()) == ["reviews"]
    assert list(DynamoDB("eu-west-1", aws, Access(profile="other", role_arn=ROLE)).tables()) == ["reviews"]
    assert [key for key, _ in Aws.asked] == ["AKIAOTHER", "AKIAOTHER", "ASIAOFTHEROLE"]


def test_a_role_that_is_refused_and_a_profile_that_is_not_there_are_errors_with_their_names(aws: str) -> None:
    Aws.denies = True
    with pytest.raises(DynamoDBError, match="not you"):
        list(DynamoDB("eu-west-1", aws, Access(role_arn=ROLE)).tables())
    with pytest.raises(TwinrowError, match="gone"):
        list(DynamoDB("eu-west-1", aws, Access(profile="gone")).tables())


def test_each_table_is_copied_from_its_source_under_its_own_name(aws: str) -> None:
    config = parse(
        f"[mysql]\nurl = 'mysql://u@h/d'\n[dynamodb]\nregion = 'us-east-1'\nendpoint_url = '{aws}'\n"
        f"[[sources]]\nname = 'eu'\nregion = 'eu-west-1'\nendpoint_url = '{aws}'\nrole_arn = '{ROLE}'\n"
        "[[sources]]\nname = 'same'\nprofile = 'other'\n[defaults]\ncapture = 'scan'\n"
        "[[tables]]\nname = 'reviews'\n[[tables]]\nname = 'reviews'\nsource = 'eu'\ninto = 'eu_reviews'\n"
        "[[tables]]\nname = 'orders'\nsource = 'eu'\n[[tables]]\nname = 'users'\nsource = 'same'\n"
    )  # fmt: skip
    plain, eu, orders, same = contexts_of(config, config.tables, Stop())
    assert [context.name for context in (plain, eu, orders, same)] == [
        "reviews",
        "eu:reviews",
        "eu:orders",
        "same:users",
    ]
    assert eu.table.dynamodb is orders.table.dynamodb is not plain.table.dynamodb
    assert [context.table.dynamodb.region for context in (plain, eu, same)] == ["us-east-1", "eu-west-1", "us-east-1"]
    assert (eu.table.dynamodb.access.role_arn, same.table.dynamodb.access.profile) == (ROLE, "other")
    assert same.table.dynamodb.endpoint_url is None, "an endpoint belongs to its source alone"
    eu.table.dynamodb.call("scan", TableName="eu:reviews")
    eu.table.dynamodb.get_some_items("eu:reviews", [{"id": {"S": "a"}}], Budget(None), Stop())
    assert all('"reviews"' in body and "eu:" not in body for _, body in Aws.asked if body.startswith("{"))

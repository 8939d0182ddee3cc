"""Logins by IAM token, by a secret and by a mounted file: TLS verified, rotation without a restart, nothing shown."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from tests.conftest import MakeTable
from tests.fixtures.command_line import InProcess, config_of
from tests.fixtures.copying import marked, put_all
from tests.fixtures.databases import Database
from tests.fixtures.fake_aws import ARN, FakeAWS, fake_aws
from tests.fixtures.fake_rds import FakeRDS

from twinrow import mysql_login
from twinrow.config import mysql_config, parse
from twinrow.errors import ConfigError, Transient
from twinrow.local_servers.servers import DynamoDBLocal
from twinrow.mysql import MySQL, MySQLError

TABLE = '[[tables]]\nname = "reviews"\ncapture = "scan"\n'


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAWS]:
    monkeypatch.setattr(mysql_login, "READ_AGAIN_S_MIN", 0.0)
    with fake_aws() as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("twinrow.aws_services._Session.made", None)
        yield fake


@pytest.fixture
def user(database: Database) -> Iterator[str]:
    """A user whose password tests change; it begins with `first`."""
    name = f"rotated_{uuid.uuid4().hex[:8]}"
    database.query(f"CREATE USER '{name}'@'%%' IDENTIFIED BY %s", "first")
    database.query(f"GRANT ALL ON `{database.name}`.* TO '{name}'@'%'")
    yield name
    database.query(f"DROP USER '{name}'@'%'")


def rotate(database: Database, user: str, password: str) -> None:
    database.query(f"ALTER USER '{user}'@'%%' IDENTIFIED BY %s", password)


def url_of(database: Database, login: str, options: str = "") -> str:
    return f"mysql://{login}127.0.0.1:{database.server.port}/{database.name}{options}"


def logs_in(mysql: MySQL) -> bool:
    session = mysql.connect()
    try:
        return session.query("SELECT 1") == [(1,)]
    finally:
        session.close()


def test_a_whole_copy_by_iam_tokens(
    tmp_path: Path, database: Database, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable,
    aws: FakeAWS,
) -> None:  # fmt: skip
    table = make_table("reviews")
    put_all(dynamodb_client, table, [marked(number) for number in range(20)])
    with FakeRDS(database, tmp_path) as rds:
        command = InProcess(tmp_path)
        text = config_of(dynamodb.endpoint_url, rds.url, TABLE)
        command.write_config(text.replace("[dynamodb]\n", '[dynamodb]\nregion = "eu-west-1"\n'))
        rds.refuse = 1
        done = command.run("--verbose", "sync", "--once")
        assert done.code == 0, done
        assert database.query("SELECT COUNT(*) FROM reviews") == [(20,)]
        assert rds.let_in >= 3
        assert len(rds.tokens) == rds.let_in + 1, "the refused one was followed by another token"
        checked = command.run("check", "--verbose")
        assert "VERIFY_CA: the certificate is verified" in checked.out
        for token in rds.tokens:
            secret = unquote(token).partition("X-Amz-Signature=")[2]
            assert secret
            assert secret not in done.out + done.err + checked.out + checked.err


def test_a_token_that_is_refused_again_is_an_error_of_the_login(
    tmp_path: Path, database: Database, aws: FakeAWS, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeRDS(database, tmp_path) as rds:
        mysql = MySQL(mysql_config(rds.url, "t", None, "eu-west-1"))
        rds.refuse = 2
        with pytest.raises(MySQLError, match="Access denied") as refused:
            mysql.connect()
        assert refused.value.code == 1045
        assert logs_in(mysql)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another key")
        monkeypatch.setattr("twinrow.aws_services._Session.made", None)
        with pytest.raises(MySQLError, match="Access denied"):
            mysql.connect()


def test_a_rotated_secret_is_taken_without_a_restart(database: Database, user: str, aws: FakeAWS) -> None:
    aws.secrets[ARN] = json.dumps({"username": user, "password": "first", "engine": "mysql"})
    mysql = MySQL(mysql_config(url_of(database, "", f"?secret={ARN}"), "t", None))
    assert aws.reads == [], "nothing is asked before a session is wanted"
    assert all(logs_in(mysql) for _ in range(3))
    assert len(aws.reads) == 1

    rotate(database, user, "second")
    with pytest.raises(MySQLError) as refused:  # MySQL is first to know the new password
        mysql.connect()
    assert refused.value.code == 1045
    aws.secrets[ARN] = json.dumps({"username": user, "password": "second"})
    assert logs_in(mysql)
    assert logs_in(mysql)
    assert len(aws.reads) == 3


def test_a_secret_may_change_the_user_and_may_be_a_mere_password(database: Database, user: str, aws: FakeAWS) -> None:
    aws.secrets[ARN] = "first"
    mysql = MySQL(mysql_config(url_of(database, f"{user}@", f"?secret={ARN}"), "t", None))
    assert logs_in(mysql)
    database.query(f"ALTER USER '{user}'@'%%' IDENTIFIED BY %s", "gone")
    aws.secrets[ARN] = json.dumps({"username": "root", "password": database.server.password})
    assert logs_in(mysql)
    for wrong in ("{}", "[]", '{"username": "", "password": "p"}', '{"password": 7}'):
        aws.secrets[ARN] = wrong
        with pytest.raises(ConfigError, match="no user, or no password") as told:
            MySQL(mysql_config(url_of(database, "", f"?secret={ARN}"), "t", None)).connect()
        assert 'password": 7' not in str(told.value)


def test_services_that_are_away_are_waited_for_and_refusals_end_a_start(
    database: Database, user: str, aws: FakeAWS
) -> None:
    config = mysql_config(url_of(database, "", f"?secret={ARN}"), "t", None)
    aws.down = True
    with pytest.raises(Transient):
        MySQL(config).connect()
    aws.down, aws.denied = False, True
    with pytest.raises(ConfigError, match="AccessDenied"):
        MySQL(config).connect()
    aws.denied = False
    aws.secrets[ARN] = json.dumps({"username": user, "password": "first"})
    mysql = MySQL(config)
    assert logs_in(mysql)
    rotate(database, user, "second")
    for aws.down, aws.denied in ((True, False), (False, True)):
        with pytest.raises(Transient):  # a sync that runs waits for it, and no table is BROKEN
            mysql.connect()


def test_a_mounted_password_is_read_again(database: Database, user: str, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("first\n")
    config = mysql_config(url_of(database, f"{user}:${{MYSQL_PASSWORD}}@"), "t", {"MYSQL_PASSWORD_FILE": str(path)})
    mysql = MySQL(config)
    assert logs_in(mysql)
    rotate(database, user, "sec\nond ")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mysql_login, "READ_AGAIN_S_MIN", 0.0)
        with pytest.raises(MySQLError):
            mysql.connect()
        path.write_text("sec\nond \r\n")
        assert logs_in(mysql)


def test_any_setting_may_come_from_a_mounted_file(tmp_path: Path) -> None:
    (tmp_path / "region").write_text("eu-central-1\n")
    text = f'[dynamodb]\nregion = "${{REGION}}"\n[mysql]\nurl = "mysql://u:${{P}}@h/d"\n{TABLE}'
    loaded = parse(text, environment={"REGION_FILE": str(tmp_path / "region"), "P": "plain", "P_FILE": "/not/read"})
    assert (loaded.dynamodb.region, loaded.mysql.password) == ("eu-central-1", "plain")
    assert loaded.mysql.password_file is None
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            parse(text, environment={"REGION_FILE": str(path), "P": ""})
    with pytest.raises(ConfigError, match="REGION_FILE=PATH"):
        parse(text, environment={"P": ""})


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://u@h/d?auth=rds-iam", "without verified TLS"),
        ("mysql://u@h/d?auth=rds-iam&ssl_mode=REQUIRED", "without verified TLS"),
        ("mysql://u:p@h/d?auth=rds-iam&ssl_ca=f", "has a password beside"),
        ("mysql://u@h/d?auth=kerberos&ssl_ca=f", "auth=kerberos"),
        ("mysql://h/d?secret=my-secret", "no ARN"),
        (f"mysql://u:p@h/d?secret={ARN}", "has a password beside"),
        (f"mysql://u@h/d?secret={ARN}&auth=rds-iam&ssl_ca=f", "at once"),
        ("mysql://h/d", "names no user"),
    ],
)
def test_ways_to_log_in_that_will_not_do_are_refused(url: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        mysql_config(url, "t", None)


def test_the_region_of_a_token_is_that_of_the_host() -> None:
    for host, region in (
        ("db.abc.eu-west-1.rds.amazonaws.com", "eu-west-1"),
        ("p.proxy-abc.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"),
        ("db.abc.cn-north-1.rds.amazonaws.com.cn", "cn-north-1"), ("db.internal", "ap-south-1"),
    ):  # fmt: skip
        made = mysql_config(f"mysql://u@{host}/d?auth=rds-iam&ssl_ca=f", "t", None, "ap-south-1")
        assert made.database_region == region


def test_who_logs_in_with_a_password_imports_nothing_of_aws() -> None:
    code = (
        "import sys; from twinrow.config import mysql_config; from twinrow.mysql import MySQL; "
        "MySQL(mysql_config('mysql://u:p@127.0.0.1:1/d', 't', None)).logins.take(); "
        "sys.exit('botocore' in sys.modules or 'twinrow.aws_services' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

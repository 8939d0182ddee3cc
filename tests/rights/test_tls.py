"""TLS to MySQL as `ssl_mode` and `ssl_ca` ask for it: verified when asked, told by `check`, refused in one line."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.fixtures.command_line import CommandLine, Done, InProcess, config_of
from tests.fixtures.databases import Database

from twinrow.local_servers.servers import DynamoDBLocal

TABLE = '[[tables]]\nname = "reviews"\ncapture = "scan"\n'


def somebody_elses_ca(path: Path) -> None:
    """A certificate authority that has signed nothing of ours."""
    key, at = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(tz=datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody else")])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(at - datetime.timedelta(days=1))
        .not_valid_after(at + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def check(folder: Path, dynamodb: DynamoDBLocal, database: Database, options: str) -> Done:
    command = CommandLine(folder)
    command.write_config(config_of(dynamodb.endpoint_url, f"{database.url}?{options}", TABLE))
    return command.run("check", "--verbose")


def tls_line(done: Done) -> str:
    (line,) = [line for line in done.out.splitlines() if "TLS" in line]
    return line


def test_the_certificate_is_verified_when_asked_and_check_says_so(
    tmp_path: Path, dynamodb: DynamoDBLocal, database: Database
) -> None:
    if database.flavour == "mariadb":
        # this server has no certificate: what asks for TLS is refused, what only prefers it goes on in the clear
        assert "TLS to MySQL failed" in tls_refusal(check(tmp_path, dynamodb, database, "ssl_mode=REQUIRED"))
        assert "not encrypted" in tls_line(check(tmp_path, dynamodb, database, "ssl_mode=PREFERRED"))
        return
    ((folder,),) = database.query("SELECT @@datadir")
    ours, others = tmp_path / "ca.pem", tmp_path / "other.pem"
    shutil.copy(Path(folder) / "ca.pem", ours)
    somebody_elses_ca(others)
    assert "VERIFY_CA: the certificate is verified)" in tls_line(check(tmp_path, dynamodb, database, f"ssl_ca={ours}"))
    assert "not verified" in tls_line(check(tmp_path, dynamodb, database, "ssl_mode=REQUIRED"))
    assert "not encrypted" in tls_line(check(tmp_path, dynamodb, database, "ssl_mode=DISABLED"))
    for options in (f"ssl_ca={others}", f"ssl_mode=VERIFY_IDENTITY&ssl_ca={ours}", f"ssl_ca={tmp_path / 'none.pem'}"):
        assert "ssl_ca" in tls_refusal(check(tmp_path, dynamodb, database, options)), options


def test_unverified_tls_to_another_host_is_warned_of(
    tmp_path: Path, dynamodb: DynamoDBLocal, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinrow.mysql.reach", lambda _driver: "network")
    command = InProcess(tmp_path)
    command.write_config(config_of(dynamodb.endpoint_url, database.url, TABLE))
    line = tls_line(command.run("check"))
    assert line.startswith("!!")
    assert "ssl_ca=FILE" in line


@pytest.mark.parametrize(("options", "told"), [("", "not verified"), ("?ssl_mode=DISABLED", "not encrypted")])
def test_the_first_log_line_warns_of_another_host_that_nothing_proves(tmp_path: Path, options: str, told: str) -> None:
    command = InProcess(tmp_path)
    for host, warned in (("0.0.0.0", True), ("127.0.0.1", False)):  # noqa: S104 - an address that is no loopback's
        command.write_config(config_of("http://127.0.0.1:1", f"mysql://u:p@{host}:1/d{options}", TABLE))
        first = command.run("sync", "--once").err.splitlines()[0]
        assert (told in first and "ssl_ca=FILE" in first) is warned, first


def tls_refusal(done: Done) -> str:
    """What `check` says of MySQL, in one line."""
    assert done.code == 1, done.out
    (line,) = [line for line in done.out.splitlines() if "MySQL" in line and line.startswith("NO")]
    return line


@pytest.mark.parametrize("command", [("status",), ("sync", "--once"), ("verify",)])
def test_no_command_goes_on_without_the_tls_that_was_asked_for(
    tmp_path: Path, dynamodb: DynamoDBLocal, database: Database, command: tuple[str, ...]
) -> None:
    others = tmp_path / "other.pem"
    somebody_elses_ca(others)
    line = CommandLine(tmp_path)
    line.write_config(config_of(dynamodb.endpoint_url, f"{database.url}?ssl_ca={others}", TABLE))
    done = line.run(*command)
    assert done.code == 1
    assert "TLS" in done.err
    assert database.query("SHOW TABLES") == []

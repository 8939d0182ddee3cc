"""The tool behind `make aws-contract`, run against DynamoDB Local: every fact holds there that can be seen there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from twinrow.local_servers.servers import DynamoDBLocal

REPOSITORY = Path(__file__).parents[2]
TOOL = REPOSITORY / "tools" / "aws_contract.py"
TIMEOUT_S = 100


def _run(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments], env=environment or dict(os.environ), cwd=REPOSITORY,
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip


def test_every_fact_holds_on_dynamodb_local(fresh_dynamodb: DynamoDBLocal) -> None:
    done = _run("--endpoint-url", fresh_dynamodb.endpoint_url, "--ttl-wait-s", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    # DynamoDB Local tells no units of a batch, and expires items only now and then.
    assert (report["DIFFERS"], report["ok"] >= 14) == (0, True), done.stdout
    assert "deleted" in done.stdout.splitlines()[-2]


def test_the_table_is_deleted_after_a_failure_too(fresh_dynamodb: DynamoDBLocal) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tools'); import aws_contract as c\n"
        "def broken(table): raise RuntimeError('broken')\n"
        "c.CHECKS = (broken,)\n"
        f"c.main(['--endpoint-url', {fresh_dynamodb.endpoint_url!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert "RuntimeError: broken" in done.stderr
    assert " deleted" in done.stdout


def test_a_fact_that_does_not_hold_is_told(fresh_dynamodb: DynamoDBLocal) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tools'); import aws_contract as c\n"
        "def other(table):\n    'Water flows uphill.'\n    raise c.Differs('it does not')\n"
        "c.CHECKS = (other,)\n"
        f"sys.exit(c.main(['--endpoint-url', {fresh_dynamodb.endpoint_url!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 3
    assert "DIFFERS   Water flows uphill." in done.stdout


def test_without_credentials_it_says_so_and_does_nothing(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }  # fmt: skip
    done = _run(environment=environment)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "no AWS credentials found" in done.stderr

"""The table of the documentation, and its copy."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.session import fill, run
from tests.fixtures import tables
from tests.fixtures.databases import Database

from twinrow.local_servers.servers import DynamoDBLocal

INIT = (
    "twinrow init --endpoint-url http://127.0.0.1:8000 --table reviews --capture pending-index --yes "
    "--mysql 'mysql://twinrow:${MYSQL_PASSWORD}@127.0.0.1:3306/analytics'"
)


@pytest.fixture
def reviews(fresh_dynamodb: DynamoDBLocal) -> DynamoDBLocal:
    """A DynamoDB Local with the table of the documentation, and nothing else."""
    client = tables.client(fresh_dynamodb.endpoint_url)
    fill(client)
    client.close()
    return fresh_dynamodb


@pytest.fixture
def copied(reviews: DynamoDBLocal, database: Database, tmp_path: Path) -> Path:
    """A folder with the configuration of a copy that is made."""
    for command in (INIT, "twinrow check --fix --yes", "twinrow sync --once"):
        run(command, tmp_path, database, reviews)
    return tmp_path

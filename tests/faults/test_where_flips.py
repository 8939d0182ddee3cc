"""The attribute of `where` flips 1,000 times while the sync is killed: the rows are those of the matching items."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import MakeCopying, Tell
from tests.fixtures import tables
from tests.fixtures.copying import Copying
from tests.fixtures.databases import Database
from tests.fixtures.flipping import TENANTS, fill, flip_under_kills, matching, with_rows
from tests.fixtures.killing import seeded

from twinrow.local_servers.servers import DynamoDBLocal

FLIPS = 1_000
FLIPS_FEW = 40


def _flipped(copying: Copying, flips: int) -> str:
    chance = seeded("where flips")
    fill(copying)
    kills = flip_under_kills(copying, chance, flips)
    code, said = copying.process_once()
    assert code == 0, said
    assert with_rows(copying) == matching(copying)
    copying.assert_equal()
    assert copying.state("_twinrow_gap") == 0, "an item that comes back with its id is no loss of MySQL's"
    return f"where, seed {chance.begun_with}: {flips:,} flips, {kills} kills, rows = matching items"


@pytest.mark.either_server
def test_some_flips_under_kills_with_a_pending_index(make_copying: MakeCopying) -> None:
    _flipped(make_copying(where={"tenant": TENANTS[0]}), FLIPS_FEW)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("deletes", ["hard", "soft"])
def test_a_thousand_flips_under_kills_with_a_pending_index(make_copying: MakeCopying, deletes: str, tell: Tell) -> None:
    tell(_flipped(make_copying(where={"tenant": TENANTS[0]}, deletes=deletes), FLIPS))


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("link", [False, True], ids=["unlinked", "linked"])
def test_a_thousand_flips_under_kills_with_a_stream(
    database: Database, fresh_dynamodb: DynamoDBLocal, tmp_path: Path, link: bool, tell: Tell
) -> None:
    client = tables.client(fresh_dynamodb.endpoint_url)
    name = tables.create_table(
        client, None, hash="username:S", range="reviewed_at:S", index=None, stream="NEW_AND_OLD_IMAGES"
    )
    options = {"capture": "stream", "link": link, "where": {"tenant": TENANTS[0]}}
    copying = Copying(database, client, fresh_dynamodb.endpoint_url, tmp_path, {name: options})
    tell(_flipped(copying, FLIPS))

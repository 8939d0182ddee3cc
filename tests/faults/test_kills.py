"""Killed between any two steps and run again: the same end. Short here; `make faults` kills hundreds of times."""

from __future__ import annotations

import signal

import pytest
from tests.conftest import FLAVOURS, MakeCopying, Tell
from tests.fixtures.copying import Copying, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.killing import Application, finish, kill_after, kill_at, lease_runs_out, seeded

from twinrow.clock import Stop

LEASE_S = 6.0
FIRST_COPY = ("before-link-call", "before-snapshot-done")
# The points that a small table on a pending index meets at any time; the tests of what has the others kill there.
ANY_TIME = (
    "before-transaction", "after-lock", "after-rows", "before-commit", "after-commit", "before-link-call",
    "after-link-signed", "after-link-call", "before-link-paid", "after-link-paid", "after-recheck-read", "after-ddl",
    "before-schema-version", "after-lease",
)  # fmt: skip
KILLS_A_SERVER = 110
KILLS_A_PROOF = 11
SECONDS_MAX = 4.0


def _application(make_copying: MakeCopying, name: str) -> tuple[Application, Copying]:
    copying = make_copying(pending_index={"deleted": "deleted"})
    copying.lease_s = LEASE_S
    application = Application(copying, seeded(name))
    application.begin()
    return application, copying


@pytest.mark.timeout(400)
def test_killed_at_every_point_it_ends_equal(make_copying: MakeCopying, database: Database) -> None:
    """The first copy's points on both servers, every other point on one of them."""
    application, copying = _application(make_copying, "points")
    mysql = copying.copies(Stop())[1]
    for point in FIRST_COPY:
        kill_at(application, mysql, point, 1)
    points = list(ANY_TIME[FLAVOURS.index(database.flavour) :: len(FLAVOURS)])
    application.chance.shuffle(points)
    for point in points:
        kill_at(application, mysql, point, application.chance.randint(1, 2))
    finish(application)


@pytest.mark.parametrize("point", ["before-link-call", "before-link-paid"])
def test_killed_between_copy_and_link_every_item_is_linked(make_copying: MakeCopying, point: str) -> None:
    """Items without a mark: no index shows them again, what is owed to them stands in the outbox alone."""
    copying = make_copying()
    put_all(copying.client, copying.table, [review(n) for n in range(40)])
    code, output = copying.process_once(environment={"TWINROW_FAIL_POINT": f"{point}:1"})
    assert code == -signal.SIGKILL, output
    assert copying.state("_twinrow_link") > 0
    lease_runs_out(copying)
    ran = copying.once_well()
    copying.assert_equal(items=40)
    assert ran.counts.rechecked > 0


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_killed_more_than_a_hundred_times_it_ends_equal(
    make_copying: MakeCopying, database: Database, tell: Tell
) -> None:
    """At points and at random times; proved after every few kills, while the next are on the same table."""
    application, copying = _application(make_copying, "kills")
    mysql, chance = copying.copies(Stop())[1], application.chance
    for point in FIRST_COPY:
        kill_at(application, mysql, point, 1)
    for kills in range(1, KILLS_A_SERVER + 1):
        if chance.random() < 0.5:
            kill_at(application, mysql, chance.choice(ANY_TIME), chance.randint(1, 4))
        else:
            kill_after(application, mysql, chance.uniform(0.3, SECONDS_MAX))
        if kills % KILLS_A_PROOF == 0:
            finish(application)
    finish(application)
    tell(
        f"kills, {database.flavour}, seed {chance.begun_with}: {len(FIRST_COPY) + KILLS_A_SERVER} kills, "
        f"{application.changes:,} changes, differences = 0"
    )

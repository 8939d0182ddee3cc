"""Metrics and health checks: made from the one status, and honest when it cannot be read."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.app.page.conftest import page_mysql, shown
from tests.fixtures.shown import Shown
from tests.fixtures.waiting import wait_until

from twinrow.app.observe.status import Status
from twinrow.app.observe.watch import LastStatus, StatusSource
from twinrow.app.serve.listen import Listening
from twinrow.app.serve.metrics import STALE_S_MAX, families, not_ready, serve_metrics
from twinrow.app.wiring import mysql_of

__all__ = ["page_mysql", "shown"]
ANSWER_S_MAX = 10.0

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def told(shown: Shown) -> Shown:
    shown.add(["reviews", "orders"], rows=1234)
    shown.count(
        "reviews", applied={("PUT", "SCAN"): 1200, ("PUT", "STREAM"): 34, ("DELETE", "STREAM"): 5}, links_paid=7,
        not_understood=2, read_units=12.5, read_units_max=1000.0, write_units=3.0, write_share=0.5,
    )  # fmt: skip
    shown.park("orders", 2)
    shown.gap("orders")
    shown.owe("orders", 3)
    shown.owe("orders", 1, "too large")
    shown.verify("reviews", missing=1)
    shown.change("orders", phase="BROKEN", reason="something else writes `mysql_id`", oldest_at=0.0)
    return shown


@pytest.fixture
def source(told: Shown) -> Iterator[StatusSource]:
    with told.source() as found:
        wait_until(lambda: found.latest().status is not None, what="a first status")
        yield found


@pytest.fixture
def server(source: StatusSource) -> Iterator[Listening]:
    with serve_metrics("127.0.0.1:0", source) as found:
        yield found


def get(server: Listening, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(server.address.host, server.address.port, timeout=ANSWER_S_MAX)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def scraped(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(status: Status, table: str, samples: Samples, name: str) -> float:
    assert table in {one.table for one in status.tables}
    return samples[(name, (("table", table),))]


def test_every_number_is_that_of_the_status(server: Listening, told: Shown) -> None:
    code, text = get(server, "/metrics")
    samples, status = scraped(text), told.status()

    assert code == 200
    for one in status.tables:
        for name, value in {
            "rows": one.rows, "items": one.items, "backlog": one.backlog, "lag_seconds": one.lag_s,
            "unlinked": one.unlinked, "links_refused": one.links_refused, "dead_letters": one.dead_letters,
            "gaps_open": one.gaps, "retention_left_seconds": one.retention_left_s, "in_step": one.in_step,
            "running": 1.0,
        }.items():  # fmt: skip
            assert samples.get((f"twinrow_{name}", (("table", one.table),))) == value, name
    assert {one.table: one.backlog for one in status.tables} == {"reviews": 0, "orders": None}, "orders is BROKEN"
    assert of(status, "orders", samples, "twinrow_unlinked") == 4
    assert of(status, "orders", samples, "twinrow_links_refused") == 1
    assert of(status, "reviews", samples, "twinrow_verified_differences") == 1


def test_a_wait_that_mysql_could_not_note_is_told_by_its_process(told: Shown) -> None:
    """A server that takes no writes keeps the lease of the process that waits for it until that runs out."""
    told.add(["films"], running=False)
    told.change("films", ended_at=None, read_at=0.0)
    waiting = StatusSource(mysql_of(told.config), told.config.chosen(["films"]), waiting=lambda: {"films": "read-only"})
    with waiting as source:
        wait_until(lambda: source.latest().status is not None, what="a first status")
        assert not_ready(source.latest()) == "films: a sync waits and tries again: read-only"
        (films,) = source.latest().status.tables  # type: ignore[union-attr]
        assert (films.phase, films.lag_s, films.in_step) == ("LIVE", None, None)


def test_counters_have_their_labels(server: Listening) -> None:
    samples = scraped(get(server, "/metrics")[1])

    def applied(kind: str, origin: str) -> float:
        return samples[("twinrow_changes_applied_total", (("kind", kind), ("origin", origin), ("table", "reviews")))]

    assert (applied("PUT", "SCAN"), applied("PUT", "STREAM"), applied("DELETE", "STREAM")) == (1200, 34, 5)
    assert samples[("twinrow_links_paid_total", (("table", "reviews"),))] == 7
    assert samples[("twinrow_not_understood_total", (("table", "reviews"),))] == 2
    assert samples[("twinrow_capacity_units_total", (("kind", "read"), ("table", "reviews")))] == 12.5
    assert samples[("twinrow_capacity_units_max", (("kind", "read"), ("table", "reviews")))] == 1000
    assert ("twinrow_capacity_units_max", (("kind", "write"), ("table", "reviews"))) not in samples
    assert samples[("twinrow_capacity_share", (("kind", "write"), ("table", "reviews")))] == 0.5


def test_a_table_is_in_one_phase(server: Listening) -> None:
    samples = scraped(get(server, "/metrics")[1])
    phases = {labels: value for (name, labels), value in samples.items() if name == "twinrow_phase"}

    assert phases[(("phase", "BROKEN"), ("table", "orders"))] == 1
    assert sum(value for labels, value in phases.items() if ("table", "orders") in labels) == 1
    assert phases[(("phase", "LIVE"), ("table", "reviews"))] == 1


def test_only_metrics_and_health_are_served(server: Listening) -> None:
    assert get(server, "/")[0] == 404
    assert get(server, "/api/status")[0] == 404
    assert get(server, "/healthz") == (200, "alive\n")


def test_not_ready_while_a_table_is_broken(server: Listening, told: Shown) -> None:
    code, why = get(server, "/readyz")

    assert code == 503
    assert "orders is BROKEN: something else writes `mysql_id`" in why

    told.change("orders", phase="LIVE", reason="")
    wait_until(lambda: get(server, "/readyz") == (200, "ready\n"), what="ready")


def test_a_refusal_to_start_is_not_ready(source: StatusSource, told: Shown) -> None:
    told.change("orders", phase="LIVE", reason="")
    wait_until(lambda: not_ready(source.latest()) == "", what="ready")

    source.tell("reviews", "has no stream")

    assert not_ready(source.latest()) == "reviews ended: has no stream"


def test_an_unreadable_mysql_is_said_within_seconds_and_passes(server: Listening, told: Shown) -> None:
    with told.session() as session:
        session.execute("RENAME TABLE _twinrow_lease TO away")
    wait_until(lambda: "_twinrow_lease" in get(server, "/readyz")[1], 5.0, what="not ready")
    assert scraped(get(server, "/metrics")[1])[("twinrow_mysql_readable", ())] == 0

    with told.session() as session:
        session.execute("RENAME TABLE away TO _twinrow_lease")
    wait_until(lambda: scraped(get(server, "/metrics")[1])[("twinrow_mysql_readable", ())] == 1, 5.0, what="readable")


def test_an_old_lag_is_left_out(told: Shown) -> None:
    status = told.status()

    def names(at: float) -> set[str]:
        seen = LastStatus(status, "MySQL does not answer", {})
        return {sample.name for family in families(seen, at) for sample in family.samples}

    assert "twinrow_lag_seconds" in names(status.at + STALE_S_MAX - 1)
    assert "twinrow_lag_seconds" not in names(status.at + STALE_S_MAX + 1)
    assert "twinrow_rows" in names(status.at + STALE_S_MAX + 1)


def test_before_the_first_status_it_is_alive_but_not_ready() -> None:
    seen = LastStatus(None, "", {})

    assert not_ready(seen) == "the status has not been read yet"
    samples = [sample for family in families(seen, 1.0) for sample in family.samples]
    assert {sample.labels.get("table") for sample in samples} == {None}


def test_a_table_that_was_never_copied_has_no_lag(told: Shown) -> None:
    (first, *_) = told.status().tables
    new = replace(first, lag_s=None, items=None, verified=None, counted_since=None, applied=())
    at = 1.0
    names = {
        sample.name for family in families(LastStatus(Status(at, (new,)), "", {}), at) for sample in family.samples
    }

    assert {"twinrow_rows", "twinrow_phase"} <= names
    assert names.isdisjoint({"twinrow_lag_seconds", "twinrow_items", "twinrow_links_paid_total"})


def test_a_table_that_nobody_copies_any_more_claims_nothing(shown: Shown) -> None:
    """A killed process leaves the notes of a healthy one."""
    shown.add(["killed", "ended"], running=False)
    shown.change("killed", ended_at=None)
    status = shown.status()
    text = [sample for family in families(LastStatus(status, "", {}), status.at) for sample in family.samples]
    samples = {(sample.name, sample.labels.get("table"), sample.labels.get("phase")): sample.value for sample in text}

    assert samples[("twinrow_phase", "killed", "STOPPED")] == 1
    assert samples[("twinrow_phase", "killed", "LIVE")] == 0
    assert samples[("twinrow_phase", "ended", "LIVE")] == 1
    for name in ("lag_seconds", "backlog", "in_step", "as_of_timestamp_seconds"):
        assert (f"twinrow_{name}", "killed", None) not in samples, name
        assert (f"twinrow_{name}", "ended", None) in samples, name
    later = [s for family in families(LastStatus(status, "", {}), status.at + STALE_S_MAX + 5) for s in family.samples]
    assert "twinrow_lag_seconds" not in {sample.name for sample in later}, "a flat 0 while nobody copies"
    assert [samples[("twinrow_running", table, None)] for table in ("killed", "ended")] == [0, 0]
    assert not_ready(LastStatus(status, "", {})) == "killed is STOPPED: no sync is running"


def test_a_sync_that_hangs_is_not_ready(shown: Shown) -> None:
    """Its heartbeat lives on in a thread of its own."""
    shown.add(["reviews"])
    shown.change("reviews", read_at=1.0)

    assert (
        not_ready(LastStatus(shown.status(), "", {})) == "reviews: the sync has not reported lately how the copy stands"
    )

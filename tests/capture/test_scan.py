"""A parallel scan that is closed ends at once, whatever its threads wait for, and asks for nothing more."""

from __future__ import annotations

import threading

import pytest
from tests.fixtures.waiting import wait_until

from twinrow.budget import Budget
from twinrow.capture.pages import Page
from twinrow.capture.read_ahead import ReadAhead
from twinrow.capture.scan import TableScan
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB


@pytest.mark.timeout(20)
def test_closed_while_its_threads_wait_for_the_budget_it_sends_no_request() -> None:
    dynamodb, budget = DynamoDB("us-east-1", "http://127.0.0.1:1"), Budget(1.0)
    budget.pay(3600.0)  # an hour until the next read
    source = TableScan(dynamodb, "reviews", 2, budget)
    scan: ReadAhead[Page] = ReadAhead(source, dict.fromkeys(source.parts), Stop(), lambda page: page)

    def reading() -> int:
        return sum(one.name.startswith("pages-") for one in threading.enumerate())

    wait_until(lambda: reading() == 2, 10, what="threads that wait")
    scan.close()

    assert reading() == 0
    assert dynamodb.requests == {}

"""ProcessCounts that several threads raise."""

from __future__ import annotations

import sys
import threading

from twinrow.table.counters import Counters, ProcessCounts

THREADS = 4
TIMES = 300


def test_no_count_is_lost_between_threads() -> None:
    counters = Counters()

    def raise_all() -> None:
        for _ in range(TIMES):
            counters.add_applied({("PUT", "STREAM"): 2}, parked=1, in_extra=1)
            counters.add_links(paid=1, refused=1)
            counters.add_rechecked(1)
            counters.doubt(1, "odd")

    every_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=raise_all) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(every_s)
    all_of = THREADS * TIMES
    assert counters.now() == ProcessCounts(
        {("PUT", "STREAM"): 2 * all_of}, all_of, all_of, all_of, all_of, all_of, all_of, "odd"
    )


def test_counts_that_were_read_stay_as_they_were() -> None:
    counters = Counters()
    counters.add_applied({("PUT", "SCAN"): 1})
    before = counters.now()
    counters.add_applied({("PUT", "SCAN"): 1})
    assert before.applied == {("PUT", "SCAN"): 1}

"""Fair shares without servers: members that see each other's loads end with equal shares, whoever comes or goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twinrow.workers.shares import GIVEN_UP_SHARE, Candidate, Member, to_give, to_take, weight

ROUNDS_MAX = 60


class Fleet:
    """Processes and tables. In a round each process looks at what all have noted before it, then gives and takes."""

    def __init__(self, tables: list[Candidate], processes: int) -> None:
        self.tables = {table.name: table for table in tables}
        self.held: dict[str, set[str]] = {f"p{number}": set() for number in range(processes)}

    def load(self, holder: str) -> float:
        return sum(self.tables[name].weight for name in self.held[holder])

    def others(self, holder: str) -> list[Member]:
        everywhere = len(self.tables)
        return [
            Member(other, self.load(other), len(held) < everywhere)
            for other, held in self.held.items()
            if other != holder
        ]

    def free(self) -> list[Candidate]:
        held = set().union(*self.held.values())
        return [table for name, table in self.tables.items() if name not in held]

    def round(self) -> int:
        """Whoever comes first wins; how many tables were given up."""
        moved = 0
        for holder in list(self.held):
            held = [self.tables[name] for name in sorted(self.held[holder])]
            given = to_give(held, dict.fromkeys(self.tables, True), self.load(holder), self.others(holder))
            singles = len({self.tables[name].group for name in given}) == len(given)
            if singles:
                assert len(given) <= max(1, len(held) // GIVEN_UP_SHARE)
            self.held[holder] -= set(given)
            moved += len(given)
            self.take(but=holder)
        self.take()
        return moved

    def take(self, but: str = "") -> None:
        for holder in self.held:
            if holder != but:
                self.held[holder] |= set(to_take(self.free(), self.load(holder), self.others(holder), holder))

    def settle(self) -> None:
        for _ in range(ROUNDS_MAX):
            if not self.round():
                return
        raise AssertionError("tables move for ever")

    def counts(self) -> list[int]:
        return sorted(len(held) for held in self.held.values())


def idle(count: int) -> list[Candidate]:
    return [Candidate(f"t{number:02}", weight(0.0), f"t{number:02}") for number in range(count)]


def test_three_members_share_twenty_tables_a_fourth_joins_and_one_dies() -> None:
    fleet = Fleet(idle(20), 1)
    fleet.take()
    assert fleet.counts() == [20]
    fleet.held |= {"p1": set(), "p2": set()}
    fleet.settle()
    assert fleet.counts() == [6, 7, 7]
    fleet.held["p3"] = set()
    fleet.settle()
    assert fleet.counts() == [5, 5, 5, 5]
    del fleet.held["p1"]
    fleet.take()
    assert not fleet.free()
    fleet.settle()
    assert fleet.counts() == [6, 7, 7]


def test_a_third_process_beside_two_with_ten_tables_each_has_its_share_in_eight_rounds() -> None:
    """A round takes 5 s."""
    fleet = Fleet(idle(20), 2)
    fleet.take()
    assert fleet.counts() == [10, 10]
    fleet.held["p2"] = set()
    for _ in range(8):
        fleet.round()
    assert fleet.counts() == [6, 7, 7]


def test_a_member_that_waits_for_no_table_is_given_none() -> None:
    """Its own list is another, or all of its tables were refused: nobody would take what is given up."""
    assert (
        to_give(idle(10), dict.fromkeys((table.name for table in idle(10)), True), 10.0, [Member("p", 0, False)]) == []
    )


def test_a_table_in_its_first_copy_stays() -> None:
    assert to_give(idle(2), {"t00": False, "t01": True}, 2.0, [Member("p", 0.0, True)]) == ["t01"]


def test_tables_of_a_stream_move_together() -> None:
    stream = [Candidate(f"s{number}", 1.0, "stream") for number in range(2)]
    tables = [*stream, *idle(4)]
    given = to_give(tables, {table.name: table.name != "t00" for table in tables}, 6.0, [Member("p", 0.0, True)])
    assert not {"s0", "s1"} & set(given) or {"s0", "s1"} <= set(given)
    assert to_give(stream, {"s0": True, "s1": False}, 2.0, [Member("p", 0.0, True)]) == []


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=30), st.integers(1, 5))
def test_tables_come_to_rest_and_none_is_left_free(rates: list[float], processes: int) -> None:
    tables = [Candidate(f"t{n:02}", weight(rate), f"t{n:02}") for n, rate in enumerate(rates)]
    fleet = Fleet(tables, processes)
    fleet.take()
    assert not fleet.free()
    fleet.settle()
    assert not fleet.free()
    assert sum(fleet.counts()) == len(tables)
    lightest = min(table.weight for table in tables)
    for holder, held in fleet.held.items():  # nobody could give its lightest table to another, and both be nearer
        if held:
            own = min(fleet.tables[name].weight for name in held)
            assert own >= lightest
            assert all(fleet.load(holder) - own < other.load + own for other in fleet.others(holder) if other.waits)

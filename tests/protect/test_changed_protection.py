"""Changed rules: what a pass inside MySQL can do, what has to be read anew, and what is refused (pure)."""

from __future__ import annotations

from typing import Any

import pytest

from twinrow.sync.changed_protection import UNDER_WAY, ProtectionChange, change_between


def summary(rules: dict[str, str], attributes: list[str] | None = None, check: str | None = "s") -> dict[str, Any]:
    return {"rules": rules, "attributes": attributes, "secret": check}


@pytest.mark.parametrize(
    ("before", "now", "hidden", "dropped", "narrower", "reread"),
    [
        (None, summary({"a": "hash"}), ("a",), (), False, False),
        (None, summary({"a.b": "mask 4"}), ("a.b",), (), False, False),
        (summary({"a": "hash"}), summary({"a": "drop"}), ("a",), (), False, False),
        (summary({"a": "hash"}), summary({"a": "mask 4"}), (), ("a",), False, True),
        (summary({"a": "mask 8"}), summary({"a": "mask 4"}), (), ("a",), False, True),
        (summary({"a.b": "hash"}), summary({"a": "hash"}), (), ("a",), False, True),
        (summary({"a": "hash"}), summary({"a.b": "hash"}), (), ("a.b",), False, True),
        (summary({"a": "hash"}), None, (), (), False, True),
        (summary({"a": "drop", "b": "hash"}), summary({"b": "hash"}), (), (), False, True),
        (None, summary({}, ["a"]), (), (), True, False),
        (summary({}, ["a", "b"]), summary({}, ["a"]), (), (), True, False),
        (summary({}, ["a"]), summary({}, ["a", "b"]), (), (), False, True),
        (summary({}, ["a"]), None, (), (), False, True),
    ],
)
def test_each_change_of_an_attribute_is_a_pass_or_a_reading(
    before: Any, now: Any, hidden: tuple[str, ...], dropped: tuple[str, ...], narrower: bool, reread: bool
) -> None:
    change = change_between(before, now)
    assert (change.hidden, change.dropped, change.narrower, change.reread) == (hidden, dropped, narrower, reread)


def test_the_same_rules_are_no_change() -> None:
    assert change_between(summary({"a": "hash"}), summary({"a": "hash"})) == ProtectionChange()
    assert change_between(None, None) == ProtectionChange()


def test_a_rule_for_a_key_is_named_and_never_put_on_rows() -> None:
    change = change_between(None, summary({"PK": "hash", "a": "hash"}), keys=["PK", "SK"])
    assert (change.keys, change.hidden) == (("PK",), ("a",))


def test_another_secret_is_told_where_both_hash() -> None:
    assert change_between(summary({"a": "hash"}), summary({"a": "hash"}, check="t")).another_secret
    assert not change_between(summary({"a": "hash"}), summary({"a": "drop"}, check=None)).another_secret


def test_a_pass_that_was_killed_goes_on_and_for_other_rules_its_values_go() -> None:
    now = summary({"a": "hash"})
    kept = {**summary({}, check=None), UNDER_WAY: now}
    assert change_between(kept, now).hidden == ("a",)
    other = change_between(kept, summary({"a": "mask 4"}, check=None))
    assert (other.hidden, other.dropped, other.reread) == ((), ("a",), True)
    back = change_between(kept, None)
    assert (back.reread, back.has_pass) == (True, False)

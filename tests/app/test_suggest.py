"""`schema --suggest`: which overrides are proposed, and how they come into the file."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.items import LAW

from twinrow.app.setup.overriding import OverrideLine, added_to
from twinrow.app.setup.suggest import FORMS, SHORT_TEXTS_MAX, of_items, suggestions, times
from twinrow.change import AttributeValue, Item
from twinrow.errors import ConfigError
from twinrow.schema.column_type import decode, encode, parse_type


def items(name: str, values: Sequence[AttributeValue]) -> list[Item]:
    return [{name: value} for value in values]


def proposed(name: str, values: Sequence[AttributeValue], ttl: str | None = None) -> dict[str, str | bool]:
    found = suggestions(of_items(items(name, values)), ttl)
    return dict(found[0].settings) if found else {}


def iso(count: int, form: str) -> list[AttributeValue]:
    return [{"S": form.format(day=1 + number % 28)} for number in range(count)]


SECONDS: list[AttributeValue] = [{"N": "1700000000"}, {"N": "946684800"}]
MILLISECONDS: list[AttributeValue] = [{"N": "1700000000123"}]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("createdAt", SECONDS, {"type": "DATETIME", "from": "epoch_s", "widen": True}),
        ("_lastChangedAt", MILLISECONDS, {"type": "DATETIME(3)", "from": "epoch_ms", "widen": True}),
        ("expires", SECONDS, {"type": "DATETIME", "from": "epoch_s", "widen": True}),
        ("_ct", MILLISECONDS, {"type": "DATETIME(3)", "from": "epoch_ms", "widen": True}),
        ("amount", SECONDS, {}),
        ("formatted", SECONDS, {}),
        ("createdAt", [*SECONDS, {"N": "12"}], {}),
        ("createdAt", [*SECONDS, *MILLISECONDS], {}),
        ("day", iso(50, "2024-05-{day:02}"), {"type": "DATE", "from": "iso8601"}),
        ("day", iso(50, "2024-05-{day:02}T10:00:00Z"), {"type": "DATETIME", "from": "iso8601"}),
        ("day", iso(50, "2024-05-{day:02}T10:00:00.123Z"), {"type": "DATETIME(3)", "from": "iso8601"}),
        ("day", iso(50, "2024-05-{day:02}T10:00:00.123456Z"), {"type": "DATETIME(6)", "from": "iso8601"}),
        ("day", iso(50, "2024-05-{day:02}T10:00:00+02:00"), {"type": "DATETIME(3)", "from": "iso8601"}),
        ("day", iso(49, "2024-05-{day:02}"), {"type": "VARCHAR(191)", "widen": True}),
        ("day", [*iso(60, "2024-05-{day:02}"), {"S": "soon"}], {"type": "VARCHAR(191)", "widen": True}),
        ("price", [{"N": "9.99"}, {"N": "10"}], {"type": "DECIMAL(14,2)", "widen": True}),
        ("price", [{"N": "9.999"}, {"N": "10"}], {"type": "DECIMAL(16,4)", "widen": True}),
        ("price", [{"N": "0.1234567"}, {"N": "10"}], {}),
        ("price", [{"N": "9000000000000.5"}, {"N": "10"}], {}),
        ("count", [{"N": "9"}, {"N": "10"}], {}),
        ("name", [{"S": "x" * 191}], {"type": "VARCHAR(191)", "widen": True}),
        ("name", [{"S": "x" * 192}], {}),
        ("name", [{"S": "x"}, {"N": "1"}], {}),
        ("name", [{"S": "x"}, {"L": []}], {}),
        ("name", [{"NULL": True}], {}),
    ],
)
def test_what_the_values_and_the_name_of_an_attribute_propose(
    name: str, values: list[AttributeValue], expected: dict[str, str | bool]
) -> None:
    assert proposed(name, values) == expected


def test_the_ttl_attribute_is_always_in_seconds() -> None:
    assert proposed("gone", [{"N": "7"}], ttl="gone") == {"type": "DATETIME", "from": "epoch_s", "widen": True}


def test_a_row_has_room_for_the_short_texts_that_are_proposed() -> None:
    known = of_items([{f"a{number:03}": {"S": "x" * (1 + number)} for number in range(100)}])
    assert [line.attribute for line in suggestions(known)] == [f"a{number:03}" for number in range(SHORT_TEXTS_MAX)]


def test_init_proposes_times_alone() -> None:
    known = of_items([{"name": {"S": "x"}, "createdAt": {"N": "1700000000"}, "price": {"N": "1.5"}}] * 2)
    assert [line.attribute for line in times(known)] == ["createdAt"]


@LAW
@given(st.datetimes(), st.sampled_from(sorted(FORMS)))
def test_a_text_of_the_form_of_its_column_needs_no_copy_in_extra(moment: object, form: str) -> None:
    """Else each row would hold it twice."""
    digits = {"DATE": 10, "DATETIME": 19, "DATETIME(3)": 23, "DATETIME(6)": 26}[form]
    whole = moment.isoformat(timespec="microseconds")  # type: ignore[attr-defined]
    text = whole[:digits] + ("" if form == "DATE" else "Z")
    ct = parse_type(form, "iso8601")
    encoded = encode(ct, "S", {"S": text}, "mysql")
    if whole >= "1000":
        assert encoded.exact
        assert decode(ct, "S", encoded.sql) == {"S": text}


FILE = """# ours
[mysql]
url = "mysql://u@h/d"   # why

[[tables]]   # the first
name = "reviews"   # mine
capture = "scan"
note = '''
name = "orders"
'''

# about orders
[[tables]]
"name" = 'orders'
capture = "stream"
[tables.columns.price]
type = "DOUBLE"  # the end
"""
LINES = (
    OverrideLine("a \N{GRINNING FACE}", (("type", "DATETIME"), ("from", "epoch_s"), ("widen", True)), "why"),
    OverrideLine("price", (("type", "DECIMAL(14,2)"),)),
)


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(("table", "number", "new"), [("reviews", 0, 2), ("orders", 1, 1)])
def test_overrides_come_into_the_part_of_their_table_and_nothing_else_changes(
    table: str, number: int, new: int, newline: str
) -> None:
    text = FILE.replace("\n", newline)
    edited, lines = added_to(text, table, LINES, "twinrow.toml")
    assert len(lines) == new
    rest = edited
    for line in lines:
        rest = rest.replace(line + newline, "")
    assert rest == text
    expected = tomllib.loads(text)
    columns = expected["tables"][number].setdefault("columns", {})
    for override in LINES:
        columns.setdefault(override.attribute, dict(override.settings))
    assert tomllib.loads(edited) == expected
    assert added_to(edited, table, LINES, "twinrow.toml") == (edited, [])


def test_a_part_without_a_place_for_overrides_is_left_as_it_is() -> None:
    text = FILE.replace("[tables.columns.price]\ntype", "columns = {  }\n# type")
    with pytest.raises(ConfigError, match="leaves no place"):
        added_to(text, "orders", LINES, "twinrow.toml")
    with pytest.raises(ConfigError, match="no \\[\\[tables\\]\\] part"):
        added_to(text, "another", LINES, "twinrow.toml")

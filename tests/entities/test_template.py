"""Templates: what they match, which texts the parts take, and that a match takes linear time."""

from __future__ import annotations

import re
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.entities.reading import LAW, naive

from twinrow.entities.part import Part, PartType, column_ddl, read
from twinrow.entities.template import (
    Hole,
    Template,
    check_separator,
    matcher,
    parse_template,
    render_template,
    template_source,
)


@pytest.mark.parametrize(
    ("source", "text", "parts"),
    [
        ("CUSTOMER#{id}", "CUSTOMER#1", ("1",)),
        ("CUSTOMER#{id}", "CUSTOMER#", None),
        ("CUSTOMER#{id}", "customer#1", None),
        ("CUSTOMER#{id}", "CUSTOMER#1#2", None),
        ("CUSTOMER#{id*}", "CUSTOMER#1#2", ("1#2",)),
        ("CUSTOMER#{id*}", "CUSTOMER##", ("#",)),
        ("account#", "account#", ()),
        ("account#{id}", "account#", None),
        ("ORDER#{day:date}#{id}", "ORDER#2026-01-15#7", ("2026-01-15", "7")),
        ("ORDER#{day:date}#{id}", "ORDER#no date#7", ("no date", "7")),
        ("ORDER#{day}#{id}", "ORDER##7", None),
        ("ORDER#{day}#{id}", "ORDER#a#b#c", None),
        ("{a*}#x{b}", "1#x2#x3", ("1#x2", "3")),
        ("{a}#{b*}#c", "1#2#3#c", ("1", "2#3")),
        ("{a*}#{b*}", "1#2#3", ("1", "2#3")),
        ("{a*}x{b}x{c*}", "1xx#2x3x4", ("1xx#2", "3", "4")),
        ("v{n}_{kind}", "v10_My_Audit", ("10", "My_Audit")),
        ("{a}_x", "1_x_x", ("1_x",)),
        ("aba{x}aba", "aba", None),
        ("aba{x}aba", "ababa", None),
        ("aba{x}aba", "aba!aba", ("!",)),
        ("$office_1#city_{city}#zip_{zip}", "$office_1#city_new york#zip_1", ("new york", "1")),
        ("$office_1#city_{city}#zip_{zip}", "$office_1#city_#zip_1", None),
        ("$office_1#city_{city}#zip_{zip}", "$office_1#town_x#zip_1", None),
        ("{{{x}}}", "{1}", ("1",)),
        ("a{{}}b", "a{}b", ()),
        ("", "", ()),
        ("{x}", "", None),
        ("é{x}", "e\u03011", None),
        ("é{x}", "é🦆", ("🦆",)),
        ("A {x}", "A  1", (" 1",)),
        ("A{x}", "A\n", ("\n",)),
    ],
)
def test_what_matches(source: str, text: str, parts: tuple[str, ...] | None) -> None:
    assert matcher(parse_template(source), "#")(text) == parts


def test_a_separator_of_several_characters_may_come_about_where_texts_meet() -> None:
    assert matcher(parse_template("{a}::{b}"), "::")("1::2") == ("1", "2")
    assert matcher(parse_template("{a}::{b}"), "::")("1:2::3") == ("1:2", "3")
    assert matcher(parse_template("{a}::b"), "::")("a:::b") == ("a:",)
    assert matcher(parse_template("xa{h}"), "ab")("xabc") == ("bc",)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("a{b", "without its }"), ("a}b", "without its {"), ("{}", "without a name"),
        ("{a}{b}", "nothing ends the first"),
        ("{a:number}", "unknown type 'number'"), ("{_twinrow_x}", "Twinrow's own"), ("{ a}", "no name of a part"),
        ("{a**}", "no name of a part"), ("{" + "n" * 65 + "}", "no name of a part"), ("{a:}", "unknown type ''"),
        ("{a:date*}", "unknown type 'date*'"),
    ],
)  # fmt: skip
def test_what_is_no_template(source: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_template(source)


@pytest.mark.parametrize("separator", ["", "12345"])
def test_what_is_no_separator(separator: str) -> None:
    with pytest.raises(ValueError, match="no separator"):
        check_separator(separator)


_LITERALS = st.text("ab#:{}", max_size=4)
_SEPARATORS = st.sampled_from(["#", ":", "ab", "##", "aba", "a#"])


@st.composite
def templates(draw: st.DrawFn) -> Template:
    """Templates of few characters, so that literals, separators and texts overlap in every way."""
    literals = [draw(_LITERALS)]
    holes = []
    for n in range(draw(st.integers(0, 4))):
        holes.append(Hole(Part(f"p{n}"), draw(st.booleans())))
        literals.append(draw(_LITERALS))
    literals[1:-1] = [one or "a" for one in literals[1:-1]]
    return Template(tuple(literals), tuple(holes))


@LAW
@given(templates())
def test_a_template_is_read_as_it_is_written(template: Template) -> None:
    assert parse_template(template_source(template)) == template


@LAW
@given(templates(), _SEPARATORS, st.text("ab#:", max_size=14))
def test_a_match_is_what_trying_everything_finds(template: Template, separator: str, text: str) -> None:
    assert matcher(template, separator)(text) == naive(template, separator, text)


@LAW
@given(templates(), _SEPARATORS, st.lists(st.text("ab#:", min_size=1, max_size=4), min_size=4, max_size=4))
def test_a_template_matches_what_it_renders(template: Template, separator: str, texts: list[str]) -> None:
    given_texts = [
        text if hole.any_text else text.replace(separator, "") or "b"
        for hole, text in zip(template.holes, texts, strict=False)
    ]
    rendered = render_template(template, given_texts)
    fits = all(hole.any_text or separator not in text for hole, text in zip(template.holes, given_texts, strict=True))
    found = matcher(template, separator)(rendered)
    if fits:
        assert found is not None
        assert render_template(template, found) == rendered


@LAW
@given(st.lists(st.text(st.characters(exclude_characters="#"), min_size=1), min_size=2, max_size=2))
def test_parts_between_separators_come_back_as_they_were(texts: list[str]) -> None:
    template = parse_template("ORDER#{a}#{b}")
    assert matcher(template, "#")(render_template(template, texts)) == tuple(texts)


@pytest.mark.parametrize("source", ["{a*}x{b*}x{c*}y", "{a}x{b}x{c}x{d}y", "{a*}ab{b*}ab{c*}ab{d}#"])
def test_a_long_text_that_matches_nowhere_takes_linear_time(source: str) -> None:
    match = matcher(parse_template(source), "#")

    def seconds(characters: int) -> float:
        text = "xab" * (characters // 3) + "z" + source[-1]
        began = time.process_time()
        match(text)
        return time.process_time() - began

    seconds(3_000)
    short = min(seconds(30_000) for _ in range(5))
    long = min(seconds(300_000) for _ in range(3))
    assert long < 40 * short + 0.05  # quadratic would be a hundred times as long


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "a", "a"), ("text", "x" * 2048, "x" * 2048), ("text", "x" * 2049, None), ("text", "\ud800", None),
        ("int", "7", 7), ("int", "-7", -7), ("int", "007", 7), ("int", "9223372036854775807", 2**63 - 1),
        ("int", "9223372036854775808", None), ("int", "1.0", None), ("int", "", None), ("int", "\u0667", None),
        ("int", " 7", None), ("int", "9" * 5000, None), ("int", "--7", None), ("int", "1_000", None),
        ("decimal", "1.50", Decimal("1.5")), ("decimal", "-0.000000001", Decimal("-1E-9")),
        ("decimal", "0.0000000001", None), ("decimal", "1" * 29, Decimal("1" * 29)), ("decimal", "1" * 30, None),
        ("decimal", "x", None), ("decimal", "0", Decimal(0)),
        ("date", "2026-01-15", "2026-01-15"), ("date", "2026-02-30", None), ("date", "2026-1-15", None),
        ("date", "2026-01-15T00:00:00Z", None), ("date", "20260115", None), ("date", "", None),
        ("datetime", "2023-04-01T12:00:00.001Z", "2023-04-01 12:00:00.001000"),
        ("datetime", "2023-04-01T14:00:00+02:00", "2023-04-01 12:00:00.000000"), ("datetime", "noon", None),
        ("epoch_s", "1700000000", "2023-11-14 22:13:20"), ("epoch_s", "1e9", None), ("epoch_s", "9" * 19, None),
        ("epoch_ms", "1700000000123", "2023-11-14 22:13:20.123"), ("epoch_ms", "x", None),
        ("uuid", "0189F7EA-ae2c-7809-8aeb-b819cf5e9e7f", "0189F7EA-ae2c-7809-8aeb-b819cf5e9e7f"),
        ("uuid", "0189f7eaae2c78098aebb819cf5e9e7f", None), ("uuid", "0189f7ea-ae2c-7809-8aeb-b819cf5e9e7g", None),
    ],
)  # fmt: skip
def test_what_a_text_is_in_the_column_of_a_type(kind: PartType, text: str, value: object) -> None:
    assert read(kind, text) == value


def test_texts_have_the_collation_of_the_key() -> None:
    assert column_ddl("text", "mysql") == "VARCHAR(2048) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin"
    assert column_ddl("uuid", "mariadb") == "CHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
    assert [column_ddl(kind, "mysql") for kind in ("int", "date", "datetime", "epoch_s", "epoch_ms")] == [
        "BIGINT", "DATE", "DATETIME(6)", "DATETIME", "DATETIME(3)",
    ]  # fmt: skip

"""Texts made column by column against those of the rows that the general path makes: the same, or none."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fixtures.items import items, names, nested, numbers, scalars, texts
from tests.fixtures.schemas import overrides_and_mixed_items, schemas_and_items

from twinrow.change import AttributeValue, Item
from twinrow.decode.by_column import ColumnDecoder, Form
from twinrow.decode.compiled import PageDecoder, null_only
from twinrow.flavour import Flavour
from twinrow.schema.column_text import loaded_texts, printed_texts
from twinrow.schema.column_type import parse_type
from twinrow.schema.evolve import evolve
from twinrow.schema.printed import printer
from twinrow.schema.row import Row, Unrepresentable, to_row
from twinrow.schema.table import Column, KeyAttribute, TableSchema, empty_schema
from twinrow.sink import bulk
from twinrow.write.load import RowPlan, TextMaker

KEYS = (KeyAttribute("username", "S"), KeyAttribute("reviewed_at", "S"))
SLOW_TO_DRAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FLAVOURS: st.SearchStrategy[Flavour] = st.sampled_from(["mysql", "mariadb"])


def raw(page: list[Item]) -> bytes:
    return msgspec.json.encode(page)


def general_rows(schema: TableSchema, page: list[Item], flavour: Flavour) -> list[Row] | None:
    try:
        return [to_row(schema, item, flavour) for item in page]
    except Unrepresentable:
        return None


def check_loaded(schema: TableSchema, page: list[Item], flavour: Flavour) -> bool:
    """Whether the page fits; if so its text is that of the general rows, and it teaches nothing."""
    made = TextMaker(RowPlan(schema, flavour, schema.own, null_only(schema, page))).make(raw(page))
    if made is None:
        return False
    rows = general_rows(schema, page, flavour)
    assert rows is not None
    assert made.data.decode() == bulk.text_of(rows)
    assert made.keys == b"".join(row.key for row in rows)
    assert made.rows == len(rows)
    assert not evolve(schema, page).steps, "the schema had something to learn"
    return True


def check_printed(schema: TableSchema, page: list[Item], flavour: Flavour) -> None:
    """If the page fits, its texts by column are what is printed of the general rows' cells."""
    decoder = PageDecoder(schema, flavour, schema.own, null_only(schema, page))
    form = Form(lambda column: printed_texts(column, flavour), lambda column: printer(column.type, flavour))
    made = ColumnDecoder(decoder, form).page(raw(page))
    rows = general_rows(schema, page, flavour)
    if made is None or rows is None:
        assert made is None
        return
    assert made.keys == [row.key.hex() for row in rows]
    assert (made.extras or [None] * len(rows)) == [row.extra for row in rows]
    for number, column in enumerate(schema.columns):
        prints = printer(column.type, flavour)
        cells = [row.values[number] for row in rows]
        assert list(made.columns[number]) == [None if cell is None else prints(cell) for cell in cells]


@SLOW_TO_DRAW
@given(drawn=schemas_and_items(), flavour=FLAVOURS)
def test_a_page_that_fits_gives_what_the_server_prints(drawn: tuple[TableSchema, list[Item]], flavour: Flavour) -> None:
    schema, seen = drawn
    for item in seen:
        check_printed(schema, [item], flavour)
    check_printed(schema, seen, flavour)


@SLOW_TO_DRAW
@given(drawn=schemas_and_items(), flavour=FLAVOURS)
def test_a_page_that_fits_gives_the_general_text(drawn: tuple[TableSchema, list[Item]], flavour: Flavour) -> None:
    schema, seen = drawn
    for item in seen:
        check_loaded(schema, [item], flavour)
    check_loaded(schema, seen, flavour)


@SLOW_TO_DRAW
@given(drawn=overrides_and_mixed_items(), flavour=FLAVOURS)
def test_under_an_override_a_page_that_fits_gives_the_general_text(
    drawn: tuple[TableSchema, list[Item]], flavour: Flavour
) -> None:
    schema, page = drawn
    for part in (page, *([one] for one in page)):
        check_loaded(schema, part, flavour)
        check_printed(schema, part, flavour)


@SLOW_TO_DRAW
@given(page=st.lists(items(KEYS), min_size=1, max_size=6), flavour=FLAVOURS)
def test_a_page_fits_here_where_it_fits_as_rows(page: list[Item], flavour: Flavour) -> None:
    schema = evolve(empty_schema("t", "t", KEYS, frozenset(), (), False), page).schema
    as_rows = PageDecoder(schema, flavour, schema.own, null_only(schema, page)).rows(raw(page))
    assert check_loaded(schema, page, flavour) == (as_rows is not None)


@st.composite
def maps_alike(draw: st.DrawFn) -> list[AttributeValue]:
    """Maps with the same names, nearly always with a value of the same kind under each, in any order."""
    values: list[st.SearchStrategy[AttributeValue]] = [
        texts().map(lambda text: {"S": text}), st.text("ab", max_size=3).map(lambda text: {"S": text}),
        st.integers(-5, 10**18).map(lambda number: {"N": str(number)}), numbers().map(lambda number: {"N": number}),
        st.booleans().map(lambda truth: {"BOOL": truth}), st.just({"NULL": True}),
        st.fixed_dictionaries({"%d": st.integers(0, 9).map(lambda number: {"N": str(number)})}).map(lambda m: {"M": m}),
        st.lists(texts().map(lambda text: {"S": text}), max_size=2).map(lambda found: {"L": found}),
    ]  # fmt: skip
    names_drawn = st.sampled_from(["a", "%s", "%", "b%%", '"', "ä", "longer"]) | names()
    shape = draw(st.dictionaries(names_drawn, st.sampled_from(values), max_size=4))
    maps: list[AttributeValue] = []
    for _ in range(draw(st.integers(1, 5))):
        found = {name: draw(value) for name, value in draw(st.permutations(list(shape.items())))}
        if draw(st.integers(0, 9)) == 0:
            found[draw(names_drawn)] = draw(scalars())
        maps.append({"M": found})
    return maps


@SLOW_TO_DRAW
@given(maps=maps_alike(), tags=st.lists(st.lists(texts(), min_size=1, max_size=3, unique=True), min_size=5, max_size=5),
       flavour=FLAVOURS)  # fmt: skip
def test_maps_that_are_alike_are_written_as_each_would_be(
    maps: list[AttributeValue], tags: list[list[str]], flavour: Flavour
) -> None:
    page: list[Item] = [
        {"username": {"S": "u"}, "reviewed_at": {"S": str(place)}, "map": one, "tags": {"SS": tags[place]}}
        for place, one in enumerate(maps)
    ]
    schema = evolve(empty_schema("t", "t", KEYS, frozenset(), (), False), page).schema
    assert check_loaded(schema, page, flavour)
    check_printed(schema, page, flavour)


def test_an_odd_value_deep_inside_costs_no_more_than_one_at_the_top() -> None:
    """Each level that tried again would double the time: 2 to the 31st power."""
    at_once = loaded_texts(Column("m", "m", "M", parse_type("JSON"), False, True))
    assert at_once is not None
    deep = nested({"B": "YQ=="}, 31, "M")["M"]
    with pytest.raises(ValueError, match=r"^$"):
        at_once([deep, deep])


@pytest.mark.parametrize(
    "odd", [{"BOOL": 1}, {"NULL": 1}, {"S": 5}, {"S": "a", "N": "1"}, {"B": "YQ=="}, {}, {"N": "1\n2"}]
)
def test_a_value_that_is_none_is_not_taken_for_one(odd: dict[str, object]) -> None:
    at_once = loaded_texts(Column("m", "m", "M", parse_type("JSON"), False, True))
    assert at_once is not None
    for maps in ([{"a": odd}], [{"a": {"BOOL": True}}, {"a": odd}], [{"a": odd, "b": {"S": "x"}}, {"a": odd}]):
        with pytest.raises((ValueError, TypeError, AttributeError, KeyError)):
            at_once(maps)


def reviews() -> list[Item]:
    """Usual items, some attributes of which are not everywhere."""
    return [
        {
            "username": {"S": f"user{n}"},
            "reviewed_at": {"S": f"2024-05-01T{n:08d}"},
            "text": {"S": 'a "quoted"\ttext\n' * (n % 3)},
            "rating": {"N": str(n % 5 - 2)},
            "price": {"N": ("0", "12.5", "-0.25", "7")[n % 4]},
            "verified": {"BOOL": n % 3 == 0},
            "tags": {"SS": ["b", "a, b", 'c"']},
            "flavours": {"M": {"sweet": {"N": "4.5"}, "zest": {"L": [{"S": "ä"}, {"NULL": True}, {"N": "-7"}]}}},
            **({"rare": {"S": "only here"}} if n % 7 == 0 else {}),
            **({"rating": {"NULL": True}} if n == 3 else {}),
        }
        for n in range(20)
    ]


@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
def test_usual_columns_are_made_at_once(flavour: Flavour, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cell by cell goes only what is NULL where the column has values (rating of item 3 takes its column with it)."""
    page = reviews()
    schema = evolve(empty_schema("t", "t", KEYS, frozenset(), (), False), page).schema
    singly: set[str] = set()
    cell = ColumnDecoder._cell

    def spy(self: ColumnDecoder, one: object, number: int, place: int, apart: dict[int, Item]) -> str | None:
        singly.add(schema.columns[number].attribute)
        return cell(self, one, number, place, apart)

    monkeypatch.setattr(ColumnDecoder, "_cell", spy)
    assert check_loaded(schema, page, flavour)
    check_printed(schema, page, flavour)
    assert singly == {"rating"}


@pytest.mark.parametrize(
    ("kind", "usual", "odd"),
    [
        ("BIGINT", ["0", "-1", "123456789012345678"], ["01", "-0", "1.0", "1e3", "9223372036854775808", "1\n2", ""]),
        ("TINYINT", ["0", "-99", "99"], ["100", "-128"]),
        ("INT UNSIGNED", ["0", "7"], ["-7"]),
        ("DECIMAL(12,2)", ["0", "-0.5", "123456789.25"], ["0.50", "-0", "0.125", "1234567890123", ".5"]),
        ("DECIMAL(2,2)", ["0", "0.25", "-0.25"], ["1", "1.5"]),
        ("DECIMAL(5,0)", ["0", "12345"], ["1.5", "123456"]),
    ],
)
def test_numbers_are_their_own_texts_or_looked_at_singly(kind: str, usual: list[str], odd: list[str]) -> None:
    at_once = loaded_texts(Column("n", "n", "N", parse_type(kind), False, True))
    assert at_once is not None
    assert list(at_once(usual)) == usual
    for text in odd:
        with pytest.raises(ValueError, match=r"^$"):
            at_once([*usual, text])


def test_printed_numbers_have_all_digits_of_their_column() -> None:
    column = Column("n", "n", "N", parse_type("DECIMAL(12,3)"), False, True)
    at_once = printed_texts(column, "mysql")
    assert at_once is not None
    for text in ("0", "7", "-0.5", "12.25", "0.125"):
        assert list(at_once([text])) == [format(Decimal(text), ".3f")]


def test_a_page_with_an_item_that_counts_as_deleted_is_left_to_the_general_path() -> None:
    page: list[Item] = [
        {"username": {"S": "a"}, "reviewed_at": {"S": text}, "deleted": {"BOOL": text == "2"}} for text in ("1", "2")
    ]
    alive, gone = page
    schema = evolve(empty_schema("t", "t", KEYS, frozenset(), (), False), [alive, gone]).schema
    makers = [TextMaker(RowPlan(schema, "mysql", frozenset(), frozenset(), name)) for name in ("deleted", None)]
    assert [maker.make(raw([alive])) is not None for maker in makers] == [True, True]
    assert [maker.make(raw([alive, gone])) is not None for maker in makers] == [False, True]

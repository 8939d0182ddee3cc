"""Points in time, from epoch numbers and ISO-8601 text into DATE and DATETIME, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.items import LAW

from twinrow.change import AttributeValue
from twinrow.decode.attribute import kind_of
from twinrow.schema.column_type import decode, encode, parse_type
from twinrow.schema.moment import moment_sql, moment_text, read_moment


@pytest.mark.parametrize(
    ("type_text", "source", "value", "sql", "exact"),
    [
        ("DATETIME", "epoch_s", {"N": "1714567890"}, "2024-05-01 12:51:30", True),
        ("DATETIME", None, {"N": "1714567890"}, "2024-05-01 12:51:30", True),
        ("DATETIME", "epoch_s", {"S": "1714567890"}, "2024-05-01 12:51:30", True),
        ("DATETIME(3)", "epoch_s", {"N": "1714567890.25"}, "2024-05-01 12:51:30.250", True),
        ("DATETIME", "epoch_s", {"N": "1714567890.99"}, "2024-05-01 12:51:30", False),
        ("DATETIME", "epoch_s", {"N": "-1"}, "1969-12-31 23:59:59", True),
        ("DATETIME", "epoch_s", {"N": "-0.5"}, "1969-12-31 23:59:59", False),
        ("DATETIME(6)", "epoch_s", {"N": "1.9999999"}, "1970-01-01 00:00:01.999999", False),
        ("DATETIME(6)", "epoch_s", {"N": "-0.0000001"}, "1969-12-31 23:59:59.999999", False),
        ("DATETIME", "epoch_s", {"N": "1.7E9"}, "2023-11-14 22:13:20", False),
        ("DATETIME", "epoch_s", {"N": "1714567890123"}, None, False),
        ("DATETIME", "epoch_s", {"N": "9" * 38}, None, False),
        ("DATETIME", "epoch_s", {"S": "yesterday"}, None, False),
        ("DATETIME(3)", "epoch_ms", {"N": "1714567890123"}, "2024-05-01 12:51:30.123", True),
        ("DATETIME(6)", "epoch_ms", {"N": "1714567890123.5"}, "2024-05-01 12:51:30.123500", True),
        ("DATETIME", "epoch_ms", {"N": "1714567890123"}, "2024-05-01 12:51:30", False),
        ("DATETIME", "epoch_ms", {"N": "1714567890000"}, "2024-05-01 12:51:30", True),
        ("DATE", "epoch_s", {"N": "1714521600"}, "2024-05-01", True),
        ("DATE", "epoch_s", {"N": "1714567890"}, "2024-05-01", False),
        ("DATETIME", "epoch_s", {"N": "253402300799"}, "9999-12-31 23:59:59", True),
        ("DATETIME", "epoch_s", {"N": "253402300800"}, None, False),
        ("DATETIME", "epoch_s", {"N": "-30610224000"}, "1000-01-01 00:00:00", True),
        ("DATETIME", "epoch_s", {"N": "-30610224001"}, None, False),
        ("DATETIME(3)", "iso8601", {"S": "2024-05-01T12:51:30.123Z"}, "2024-05-01 12:51:30.123", True),
        ("DATETIME(3)", None, {"S": "2024-05-01T12:51:30.123Z"}, "2024-05-01 12:51:30.123", True),
        ("DATETIME", "iso8601", {"S": "2024-05-01T12:51:30Z"}, "2024-05-01 12:51:30", True),
        ("DATETIME(3)", "iso8601", {"S": "2024-05-01T12:51:30Z"}, "2024-05-01 12:51:30.000", False),
        ("DATETIME", "iso8601", {"S": "2024-05-01T14:51:30+02:00"}, "2024-05-01 12:51:30", False),
        ("DATETIME", "iso8601", {"S": "2024-05-01T12:51:30"}, "2024-05-01 12:51:30", False),
        ("DATETIME", "iso8601", {"S": "2024-05-01 12:51:30"}, "2024-05-01 12:51:30", False),
        ("DATETIME", "iso8601", {"S": "2024-05-01T12:51"}, "2024-05-01 12:51:00", False),
        ("DATETIME", "iso8601", {"S": "2024-05-01"}, "2024-05-01 00:00:00", False),
        ("DATETIME", "iso8601", {"S": "2023-12-31T23:30:00-0100"}, "2024-01-01 00:30:00", False),
        ("DATETIME", "iso8601", {"S": "2024-05-01T23:59:59.9999Z"}, "2024-05-01 23:59:59", False),
        ("DATETIME", "iso8601", {"S": "2023-02-29T00:00:00Z"}, None, False),
        ("DATETIME", "iso8601", {"S": "2016-12-31T23:59:60Z"}, None, False),
        ("DATETIME", "iso8601", {"S": "0000-00-00T00:00:00Z"}, None, False),
        ("DATETIME", "iso8601", {"S": "0999-12-31T23:59:59Z"}, None, False),
        ("DATETIME", "iso8601", {"S": "9999-12-31T23:59:59-01:00"}, None, False),
        ("DATETIME", "iso8601", {"S": "2024-05-01T12:51:30+99:00"}, None, False),
        ("DATETIME", "iso8601", {"S": "2024-05-01T12:51:30Z\n"}, None, False),
        ("DATETIME", "iso8601", {"S": "\uff12024-05-01T12:51:30Z"}, None, False),
        ("DATETIME", "iso8601", {"N": "1714567890"}, None, False),
        ("DATE", "iso8601", {"S": "2024-05-01"}, "2024-05-01", True),
        ("DATE", "iso8601", {"S": "2024-05-01T23:00:00Z"}, "2024-05-01", False),
    ],
)
def test_moments(type_text: str, source: str | None, value: AttributeValue, sql: str | None, exact: bool) -> None:
    ct = parse_type(type_text, source)
    encoded = encode(ct, kind_of(value), value, "mysql")
    assert (encoded.sql, encoded.exact) == (sql, exact)
    if exact:
        assert decode(ct, kind_of(value), sql) == value


moments = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001  aware ones are made of them
zones = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@LAW
@given(moments, zones)
def test_any_offset_names_the_same_moment(naive: datetime, zone: timezone) -> None:
    aware = naive.replace(tzinfo=UTC)
    moment = read_moment(aware.astimezone(zone).isoformat(), "iso8601")
    assert (
        moment
        == read_moment(aware.isoformat(), "iso8601")
        == (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    )
    assert moment_sql(moment, 6) == naive.isoformat(sep=" ", timespec="microseconds")


@LAW
@given(moments, st.integers(0, 6), st.sampled_from(["epoch_s", "epoch_ms", "iso8601"]))
def test_what_a_cell_says_is_read_as_that_cell_again(naive: datetime, digits: int, source: str) -> None:
    chosen = parse_type(f"DATETIME({digits})", source).source
    assert chosen is not None
    moment = read_moment(naive.isoformat(), "iso8601")
    assert moment is not None
    sql = moment_sql(moment, digits)
    text = moment_text(sql, chosen)
    assert text is not None
    again = read_moment(text, chosen)
    assert again is not None
    assert moment_sql(again, digits) == sql

"""A row for which the page has no room, because somebody's own columns take it: values move to extra."""

from __future__ import annotations

from tests.conftest import MakeCopying
from tests.fixtures.copying import Wire, marked, put_all

ATTRIBUTES = 170
THEIRS = ", ".join(f"ADD COLUMN theirs{n} BINARY(255) NOT NULL DEFAULT 'theirs'" for n in range(8))


def _wide(number: int, length: int) -> Wire:
    return marked(number, **{f"text{n:03}": {"S": "x" * length} for n in range(ATTRIBUTES)})


def test_values_move_to_extra_where_the_page_has_no_room(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [_wide(n, 1) for n in range(4)])
    copying.once_well()
    with copying.database.connect() as theirs, theirs.cursor() as cursor:
        cursor.execute("SET SESSION innodb_strict_mode = 0")  # else the server would refuse such a table
        cursor.execute(f"ALTER TABLE `{copying.table}` {THEIRS}, ALGORITHM=COPY")
    put_all(copying.client, copying.table, [_wide(1, 40), _wide(2, 2), _wide(9, 39)])
    copying.once_well()
    assert copying.state("_twinrow_dead_letter") == 0
    assert copying.state("_twinrow_set_apart") == 2
    copying.assert_equal(items=5)
    assert copying.rows("COUNT(*)", "text000 IS NULL OR text169 IS NULL") == [(2,)]
    # the only change of a batch, and larger still; then smaller again: its cells are back
    put_all(copying.client, copying.table, [_wide(1, 41)])
    copying.once_well()
    copying.assert_equal(items=5)
    copying.database.query(f"UPDATE `{copying.table}` SET text169 = 'by hand' WHERE text169 IS NOT NULL LIMIT 1")
    assert copying.verify().different == 1, "a changed cell is found all the same"
    put_all(copying.client, copying.table, [_wide(n, 1) for n in (0, 1, 2, 3, 9)])
    copying.once_well()
    assert copying.state("_twinrow_set_apart") == 0
    copying.assert_equal(items=5)

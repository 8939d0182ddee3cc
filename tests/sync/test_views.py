"""`views = true`: the views are made and kept up to date, and nobody else's view is touched."""

from __future__ import annotations

from contextlib import closing

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, marked, put_all

from twinrow.app.check import views as check_views
from twinrow.app.check.finding import Finding
from twinrow.clock import Stop

ITEMS = 5


def views(copying: Copying) -> dict[str, str]:
    found = copying.database.query(
        "SELECT table_name, security_type FROM information_schema.views WHERE table_schema = DATABASE()"
    )
    return {str(name): str(rights) for name, rights in found}


def checked(copying: Copying) -> list[Finding]:
    (context,), mysql = copying.copies(Stop())
    with closing(mysql.connect()) as session:
        return list(check_views.look(session, context.settings))


def test_views_follow_their_table(make_copying: MakeCopying) -> None:
    copying = make_copying(views=True)
    flat, tags = f"{copying.table}_flat", f"{copying.table}_tags"
    put_all(copying.client, copying.table, [marked(n) for n in range(ITEMS)])
    copying.once_well()
    assert views(copying) == {flat: "DEFINER", tags: "DEFINER"}
    assert [found.text for found in checked(copying)] == ["2 can be read"]
    assert copying.rows("COUNT(*)", table=flat, order="1") == [(ITEMS,)]

    put_all(copying.client, copying.table, [marked(1, flavours={"M": {"new": {"N": "7"}}})])
    copying.once_well()
    assert copying.rows("MAX(flavours_new)", table=flat, order="1") == [(7.0,)]

    copying.change(columns={"tags": {"ignore": True}})
    copying.once_well()
    copying.assert_equal(items=ITEMS)
    assert views(copying) == {flat: "DEFINER"}, "a view that nothing stands behind is gone"


@pytest.mark.either_server
def test_a_view_of_a_persons_own_stays(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(ITEMS)])
    copying.once_well()
    flat = f"{copying.table}_flat"
    copying.database.query(f"CREATE SQL SECURITY INVOKER VIEW `{flat}` AS SELECT 1 AS theirs")
    copying.change(views=True)
    copying.once_well()
    assert views(copying) == {flat: "INVOKER", f"{copying.table}_tags": "DEFINER"}
    copying.database.query(f"DROP VIEW `{copying.table}_tags`")
    assert [found.level for found in checked(copying)] == ["warning"]

"""What no row can hold is parked whole, whatever the server's limits are."""

from __future__ import annotations

import random

from tests.conftest import MakeCopying
from tests.fixtures.copying import marked, put_all
from tests.fixtures.databases import server_as

from twinrow.config import mysql_config
from twinrow.dynamodb_wire import request_item
from twinrow.mysql import MySQL
from twinrow.state import dead_letter

PACKET_BYTES = 1_048_576
CHARACTERS = 390_000


def test_an_item_whose_json_is_more_than_a_packet_is_parked_whole(make_copying: MakeCopying) -> None:
    """As JSON a control character is six, in a statement seven characters: 2.7 MB of an item that DynamoDB takes."""
    chance = random.Random(4)
    text = "".join(chance.choices([chr(code) for code in range(32)], k=CHARACTERS))
    copying = make_copying()
    item = marked(1, nested={"M": {"text": {"S": text}}})
    put_all(copying.client, copying.table, [item, marked(2)])
    with server_as(copying.database, [f"SET GLOBAL max_allowed_packet = {PACKET_BYTES}"]):
        copying.once_well()
        session = MySQL(mysql_config(copying.database.url, "", {})).connect()
        (letter,) = dead_letter.load(session, [copying.table])
        session.close()
        assert "max_allowed_packet" in letter.reason
        letter.item.pop("migrated", None)  # there, or not, as the mark was cleared before the item was last read
        assert letter.item == {name: value for name, value in request_item(item).items() if name != "migrated"}
        assert copying.database.query(f"SELECT COUNT(*) FROM `{copying.table}`") == [(1,)]
        assert copying.verify().dead_letters == 1

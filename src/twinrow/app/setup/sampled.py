"""A few items of a table, looked at before anything is copied: its columns of times."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from twinrow.app.setup.choices import Choice
from twinrow.app.setup.suggest import of_items, times
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_error import WITHHELD_CODES, DynamoDBError

ITEMS_LOOKED_AT: Final = 200
"""Enough texts to be sure of a time; a page, of at most 128 read units."""


def with_times(dynamodb: DynamoDB, choice: Choice) -> tuple[Choice, str]:
    """(the choice with proposals for its columns of times, why there are none where nobody may look)."""
    name = choice.description.name
    try:
        ttl = dynamodb.ttl_attribute(name)
        items = dynamodb.scan_page(name, 0, 1, None, limit=ITEMS_LOOKED_AT).items
    except DynamoDBError as error:
        if error.code not in WITHHELD_CODES:
            raise
        return choice, f"{name}: no proposals for columns of times: {error.what}"
    keys = {key for key, _ in choice.description.keys}
    known = [measured for measured in of_items(items) if measured.attribute not in keys]
    return replace(choice, times=tuple(times(known, ttl))), ""

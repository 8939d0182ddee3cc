"""What a reading process says of an error comes back as the same error."""

from __future__ import annotations

import pytest

from twinrow.dynamodb_error import DynamoDBError
from twinrow.errors import Broken, TwinrowError
from twinrow.exports.damaged import DamagedExport, UnfitExport
from twinrow.workers import messages


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DamagedExport("is cut", where="export file a", remedy="ask anew"), DamagedExport),
        (UnfitExport("is filtered", where="export b", remedy="c"), UnfitExport),
        (DynamoDBError("AccessDeniedException", "no", where="table c", remedy=""), DynamoDBError),
        (Broken("anything else", where="d", commands=("twinrow sync",)), TwinrowError),
    ],
)
def test_an_error_is_the_same_on_both_sides(error: TwinrowError, kind: type[TwinrowError]) -> None:
    found = messages.error_of(messages.failure_of(error))
    assert type(found) is kind
    assert (found.what, found.where, found.commands) == (error.what, error.where, error.commands)
    if isinstance(error, DynamoDBError):
        assert isinstance(found, DynamoDBError)
        assert found.code == error.code

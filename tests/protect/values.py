"""A secret and a person for the tests of protection."""

from __future__ import annotations

from typing import Final

from twinrow.change import Item
from twinrow.protect.secret import read_secret

TABLE_SECRET: Final = "a secret of the tests, long enough"
SECRET: Final = read_secret(TABLE_SECRET)

EMAIL: Final = "ada@example.com"

PERSON: Final[Item] = {
    "PK": {"S": f"USER#{EMAIL}"},
    "SK": {"S": "PROFILE"},
    "email": {"S": EMAIL},
    "phone": {"S": "+49 151 2345678"},
    "ssn": {"N": "123456789"},
    "address": {"M": {"street": {"S": "1 Main Street"}, "city": {"S": "Berlin"}}},
    "friends": {"L": [{"M": {"name": {"S": "Grace Hopper"}, "since": {"N": "1990"}}}]},
    "notes": {"S": f"wrote from {EMAIL}"},
}

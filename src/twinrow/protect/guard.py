"""A table's items as everything behind the door to DynamoDB sees them: protected, their keys sealed.

Where a key attribute is hashed, a protected item and a protected key carry the real key encrypted, as the attribute
SEALED_KEY. It is stored with the row, so whoever has the secret can ask DynamoDB for the item of any row, and whoever
has not can do nothing with it. The fingerprint of such a key is that of its hashes: no dictionary opens it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from twinrow.change import LEFT_OUT, SEALED_KEY, Item
from twinrow.decode import wire_json
from twinrow.decode.readable import UNREADABLE
from twinrow.dynamodb_wire import decoded_items
from twinrow.errors import Broken, StartRefused
from twinrow.protect.protection import Protection, protection
from twinrow.protect.rules import Hash, HashParts, Hiding
from twinrow.protect.secret import Secret, WrongSecret, seal, unseal

Keys = tuple[tuple[str, str], ...]
"""The key attributes of a table: name and kind."""

_POSITION: Final = b"position"
_EVENTS: Final = ("INSERT", "MODIFY", "REMOVE")
_IMAGES: Final = ("Keys", "NewImage", "OldImage")
_PLAIN: Final = ("SequenceNumber", "ApproximateCreationDateTime", "SizeBytes")
_decode_records: Final = msgspec.json.Decoder(list[Any]).decode
"""Made while this module is imported: see `twinrow.decode.compiled`."""


@dataclass(frozen=True, slots=True)
class TableProtection:
    """The rules for a table, and as its settings write them (`told`). `own` are Twinrow's attributes, never hidden.

    `deleted` marks items as deleted, and `where` takes items that have rows, where it looks at a protected attribute:
    both are looked at before a rule may hide anything. `needed` are the attributes that lead an item to its table.
    """

    table: str
    secret: Secret | None = field(repr=False)
    rules: Mapping[str, Hiding]
    told: Mapping[str, str]
    attributes: tuple[str, ...] | None = None
    own: frozenset[str] = frozenset()
    deleted: str | None = None
    where: Callable[[Item], bool] | None = field(default=None, repr=False)
    needed: frozenset[str] = frozenset()

    @property
    def summary(self) -> dict[str, Any]:
        """What is kept in MySQL of the rules, and compared at every start; nothing of it tells the secret."""
        hashes = any(isinstance(rule, Hash | HashParts) for rule in self.rules.values())
        return {
            "rules": dict(sorted(self.told.items())),
            "attributes": None if self.attributes is None else sorted(self.attributes),
            "secret": self.secret.check_value if hashes and self.secret is not None else None,
        }

    def guard(self, keys: Keys) -> Guard:
        """The guard of the table with these keys. Raises StartRefused for rules that its keys cannot have."""
        names = [name for name, _ in keys]
        kept = None if self.attributes is None else (*self.attributes, *self.own)
        lacking = self.needed - {*kept, *names} if kept is not None else frozenset()
        if lacking:
            raise StartRefused(
                f"`attributes` leaves out {min(lacking)!r}, at which the rules of the split look",
                where=f"table {self.table}", remedy="add it to `attributes`",
            )  # fmt: skip
        try:
            made = protection(self.secret, self.rules, names, kept)
        except ValueError as error:
            raise StartRefused(
                f"[tables.protect]: {error}", where=f"table {self.table}", remedy="mend the configuration"
            ) from None
        hidden = frozenset(name for name in names if isinstance(self.rules.get(name), Hash | HashParts))
        return Guard(self.table, made, keys, hidden, self.secret, self.deleted, self.where)


@dataclass(frozen=True, slots=True)
class Guard:
    """Makes items and keys of one table into protected ones, and keys back into real ones.

    `hidden_keys`: the key attributes that are hashed.
    """

    table: str
    protection: Protection
    keys: Keys
    hidden_keys: frozenset[str]
    secret: Secret | None = field(repr=False)
    deleted: str | None = None
    where: Callable[[Item], bool] | None = field(default=None, repr=False)

    @property
    def seen_keys(self) -> Keys:
        """The keys as rows have them: what is hashed is text."""
        return tuple((name, "S" if name in self.hidden_keys else kind) for name, kind in self.keys)

    def item(self, raw: Item) -> Item:
        """The item, or key, as everything behind the door may see it."""
        try:
            hidden = self.protection.protect(raw)
        except UNREADABLE:
            # Something inside is no DynamoDB value. What no rule covers is kept, so that it is told as always.
            covered = self.protection.branches.keys()
            kept = self.protection.kept
            hidden = {
                name: value for name, value in raw.items() if name not in covered and (kept is None or name in kept)
            }
        if self.deleted is not None and raw.get(self.deleted) == {"BOOL": True}:
            hidden = {**hidden, self.deleted: raw[self.deleted]}
        if self.where is not None and not self.where(raw):
            hidden = {**hidden, LEFT_OUT: {"BOOL": True}}
        if not self.hidden_keys:
            return hidden
        hidden = {name: value for name, value in hidden.items() if name != SEALED_KEY}
        if all(name in raw for name, _ in self.keys) and self.secret is not None:
            real = json.dumps({name: raw[name] for name, _ in self.keys}, separators=(",", ":"))
            hidden[SEALED_KEY] = {"S": seal(self.secret, real, self._bound_to(hidden))}
        return hidden

    def _bound_to(self, hidden: Item) -> bytes:
        """A sealed key opens only beside its own hashes: it cannot be moved to the row of another item."""
        return json.dumps([hidden.get(name) for name, _ in self.keys], sort_keys=True).encode()

    def real_key(self, key: Item) -> Item:
        """The key as DynamoDB has it. Raises Broken where it is not sealed, or with another secret."""
        if not self.hidden_keys:
            return key
        sealed = key.get(SEALED_KEY, {}).get("S")
        if self.secret is None or not isinstance(sealed, str):
            raise Broken("a protected key is not sealed, so its item cannot be asked for", where=f"table {self.table}")
        try:
            real: Item = json.loads(unseal(self.secret, sealed, self._bound_to(key)))
        except WrongSecret as error:
            raise Broken(
                str(error), where=f"table {self.table}", remedy=f"twinrow sync --rekey {self.table}",
                commands=(f"twinrow sync --rekey {self.table}",),
            ) from None  # fmt: skip
        return real

    def position(self, real: Item | None) -> Item | None:
        """A position of a scan or query, which is a key of DynamoDB, as it may be kept."""
        if real is None or self.secret is None or (not self.hidden_keys and self.protection.protect(real) is real):
            return real
        return {SEALED_KEY: {"S": seal(self.secret, json.dumps(real), _POSITION)}}

    def real_position(self, position: Item | None) -> Item | None:
        """The position as DynamoDB has given it. Raises Broken when it was sealed with another secret."""
        if position is None or self.secret is None or position.keys() != {SEALED_KEY}:
            return position
        try:
            real: Item = json.loads(unseal(self.secret, str(position[SEALED_KEY].get("S")), _POSITION))
        except WrongSecret as error:
            raise Broken(str(error), where=f"table {self.table}") from None
        return real

    def page(self, raw: bytes) -> bytes:
        """The JSON array of a page's items."""
        return wire_json.encoded([self.item(item) for item in decoded_items(raw)])

    def records(self, raw: bytes | msgspec.Raw) -> bytes:
        """The JSON array of a stream's records; of an image that cannot be read at all, nothing is left."""
        found: list[Any] = wire_json.decoded(_decode_records, raw, list)
        return wire_json.encoded([self._record(record) for record in found])

    def _record(self, record: Any) -> Any:
        """A record, of which only the known parts are kept: a value may stand anywhere else."""
        if not isinstance(record, dict) or not isinstance(record.get("dynamodb"), dict):
            return None
        change = record["dynamodb"]
        kept = {name: change[name] for name in _PLAIN if name in change and not isinstance(change[name], dict | list)}
        images = {name: self._image(change[name]) for name in _IMAGES if name in change}
        who = {"userIdentity": record["userIdentity"]} if "userIdentity" in record else {}
        event = record.get("eventName")
        return {"eventName": event if event in _EVENTS else "unknown", "dynamodb": {**kept, **images}, **who}

    def _image(self, image: Any) -> Any:
        if not isinstance(image, dict):
            return None
        # an attribute whose value is no object is left out of a covered one's place, as `item` says
        readable = {name: value for name, value in image.items() if isinstance(value, dict)}
        others = {
            name: value for name, value in image.items()
            if name not in readable and name not in self.protection.branches and self.protection.kept is None
        }  # fmt: skip
        return {**self.item(readable), **others}

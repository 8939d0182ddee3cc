"""From `[protect]` and `[tables.protect]` to the rules of a table, and to the door that protects its items."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from twinrow.change import LEFT_OUT, PATH_DOT
from twinrow.config import Config, TableConfig
from twinrow.config.protecting import HidingRule, wants_secret
from twinrow.errors import ConfigError

if TYPE_CHECKING:
    from twinrow.dynamodb import DynamoDB
    from twinrow.protect.guard import TableProtection
    from twinrow.protect.rules import Hiding
    from twinrow.table.settings import Settings

WITHOUT_IT: Final = 'write [protect] secret = "${TWINROW_HASH_SECRET}", and keep the secret where you keep passwords'


def protection_of(config: Config, table: TableConfig) -> TableProtection | None:
    """The rules of a table; None where it has none. Raises ConfigError that names table and attribute."""
    if not table.protect and table.attributes is None:
        return None
    from twinrow.protect.guard import TableProtection
    from twinrow.protect.protection import protection
    from twinrow.protect.secret import read_secret

    where = f"{config.path}: tables ({table.name})"
    secret = None
    if wants_secret(table.protect):
        if not config.secret:
            raise ConfigError("rules that hash need a secret, and there is none", where=where, remedy=WITHOUT_IT)
        try:
            secret = read_secret(config.secret)
        except ValueError as error:
            raise ConfigError(f"[protect]: {error}", where=config.path, remedy="take 32 random characters") from None
    rules = {name: _rule(name, rule, f"{where} protect.{name}") for name, rule in table.protect.items()}
    try:
        protection(secret, rules, ())
    except ValueError as error:
        raise ConfigError(f"[tables.protect]: {error}", where=where, remedy="see docs/protection.md") from None
    attributes = None if table.attributes is None else tuple(table.attributes)
    deleted = table.pending_index.deleted if table.pending_index is not None else None
    told = {name: _told(rule) for name, rule in table.protect.items()}
    return TableProtection(table.name, secret, rules, told, attributes, table.own, deleted)


def settings_with(config: Config, table: TableConfig, settings: Settings) -> Settings:
    """The settings with the table's rules. A `where` on a protected attribute is asked of the raw item, in the door.

    Raises ConfigError.
    """
    protection = protection_of(config, table)
    if protection is None:
        return settings
    if settings.split is not None:
        from twinrow.entities.split import attributes_of

        protection = replace(protection, needed=frozenset(attributes_of(settings.split.split)))
    asked = settings.row_filter
    if asked is None or not _hides(protection, asked.attributes):
        return replace(settings, protection=protection)
    if protection.secret is None:
        raise ConfigError(
            "`where` looks at a protected attribute, which needs a secret: MySQL keeps a digest of `where`",
            where=f"{config.path}: tables ({table.name})", remedy=WITHOUT_IT,
        )  # fmt: skip
    from twinrow.entities.row_filter import row_filter
    from twinrow.protect.rules import hash_text
    from twinrow.wanted import WantedConfig

    kept = row_filter({LEFT_OUT: WantedConfig(exists=False)}, asked.separator)
    # the text of `where` is kept in MySQL, and may quote a value that is to stay out of it
    kept = replace(kept, source=hash_text(protection.secret.raw, asked.source))
    own = settings.own | {LEFT_OUT}
    return replace(settings, row_filter=kept, own=own, protection=replace(protection, where=asked.takes))


def _hides(protection: TableProtection, attributes: Collection[str]) -> bool:
    kept = protection.attributes
    tops = {path.partition(PATH_DOT)[0] for path in protection.rules} | protection.rules.keys()
    return any(name in tops or (kept is not None and name not in kept) for name in attributes)


def _rule(name: str, rule: HidingRule, where: str) -> Hiding:
    from twinrow.protect.settings import MaskConfig, PartConfig, rules_of

    plain: str | MaskConfig | PartConfig
    if isinstance(rule, str):
        plain = rule
    elif rule.mask is not None:
        plain = MaskConfig(rule.mask)
    else:
        plain = PartConfig(rule.hash_part or "")
    try:
        return rules_of({name: plain}, {})[name]
    except ValueError as error:
        raise ConfigError(str(error), where=where, remedy="see docs/protection.md") from None


def _told(rule: HidingRule) -> str:
    """The rule as text, for the register."""
    if isinstance(rule, str):
        return rule
    return f"mask {rule.mask}" if rule.mask is not None else f"hash_part {rule.hash_part}"


def behind(door: DynamoDB, protection: TableProtection | None) -> DynamoDB:
    """The door for a table: the same where it has no rules."""
    if protection is None:
        return door
    from twinrow.protect.door import guarded

    return guarded(door, protection)

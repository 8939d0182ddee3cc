"""The rules that the settings of a table stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from twinrow.entities.template import Template, matcher, parse_template
from twinrow.protect.rules import Drop, Hash, HashParts, Hiding, Mask

_SEPARATOR: Final = "#"


@dataclass(frozen=True, slots=True)
class MaskConfig:
    """All but the last characters become `*`."""

    mask: int


@dataclass(frozen=True, slots=True)
class PartConfig:
    """A part of a text is hashed; the rest of it stays readable.

    `hash_part` names a part of the entity's template for this attribute; where the table is not split, it is a template
    of which every part is hashed: `USER#{email}`.
    """

    hash_part: str


RuleConfig = str | MaskConfig | PartConfig


def rules_of(
    settings: Mapping[str, RuleConfig], templates: Mapping[str, Template], separator: str = _SEPARATOR
) -> dict[str, Hiding]:
    """Return the rules by attribute. `templates`: those of the entity, by attribute. Raises ValueError."""
    return {name: _rule(name, config, templates.get(name), separator) for name, config in settings.items()}


def _rule(name: str, config: RuleConfig, template: Template | None, separator: str) -> Hiding:
    if config == "hash":
        return Hash()
    if config == "drop":
        return Drop()
    if isinstance(config, PartConfig):
        return _part_rule(name, config.hash_part, template, separator)
    if isinstance(config, MaskConfig):
        return Mask(config.mask)
    raise ValueError(f"{name!r}: there is no rule {config!r}")


def _part_rule(name: str, part: str, template: Template | None, separator: str) -> HashParts:
    if "{" in part:
        template = parse_template(part)
        parts = frozenset(hole.part.name for hole in template.holes)
        if not parts:
            raise ValueError(f"hash_part of {name!r}: the template {part!r} has no part")
    elif template is None:
        raise ValueError(
            f"hash_part of {name!r}: no template names the part {part!r}; write the template itself: "
            f'hash_part = "USER#{{{part}}}"'
        )
    else:
        parts = frozenset({part})
    known = {hole.part.name: hole.part for hole in template.holes}
    for wanted in parts:
        if wanted not in known:
            raise ValueError(f"hash_part of {name!r}: its template has no part {wanted!r}; it has {', '.join(known)}")
        if known[wanted].type != "text":
            raise ValueError(
                f"hash_part of {name!r}: the part {wanted!r} is of type {known[wanted].type}, and a hash is text: "
                "remove the type from the template"
            )
    return HashParts(template, matcher(template, separator), parts)

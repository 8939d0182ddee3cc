"""The keys of `twinrow.toml` that protect attributes: their shapes, and the rules they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from twinrow.entities.template import Template, matcher, parse_template
from twinrow.protect.rules import MASK_SHOWN_MAX, Drop, Hash, HashParts, Hiding, Mask

_SEPARATOR: Final = "#"


class MaskConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All but the last characters become `*`."""

    mask: Annotated[int, msgspec.Meta(ge=0, le=MASK_SHOWN_MAX, description="So many last characters stay readable.")]


class PartConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a key is hashed; the rest of it stays readable."""

    hash_part: Annotated[
        str,
        msgspec.Meta(
            description="A part of the entity's template for this attribute; where the table is not split, a template "
            "of which every part is hashed: `USER#{email}`."
        ),
    ]


RuleConfig = Literal["hash", "drop"] | MaskConfig | PartConfig


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
    return Mask(config.mask)


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

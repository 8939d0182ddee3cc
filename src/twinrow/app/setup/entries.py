"""The `[[tables]]` parts that `init` and `add` write, and the `[defaults]` for what many of them share (pure)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from twinrow.app.setup.choices import Choice, kind

if TYPE_CHECKING:
    from twinrow.entities.draft import Proposal

SHARED_FROM: Final = 4
"""From so many tables on, what they share is written once, in [defaults]: fewer are easier to read each by itself."""
HINTS: Final = (
    '# deletes = "soft"             # keep the rows of deleted items, and set _twinrow_deleted_at',
    "# read_capacity_max = 500      # units a second; default: 25 % of what is provisioned, on demand 1,000",
)


@dataclass(frozen=True, slots=True)
class SharedSettings:
    """Settings that are written in `[defaults]`; `lines` and `part` are those of the capture's template."""

    capture: str
    link: bool | None
    lines: tuple[str, ...]
    part: tuple[str, ...]


def text(value: str) -> str:
    """A TOML basic string: JSON's escapes are its escapes, but for surrogate pairs."""
    return json.dumps(value, ensure_ascii=False)


def shared(choices: Sequence[Choice]) -> SharedSettings | None:
    """The settings that most of many tables have; None where there are too few tables for a section of its own."""
    if len(choices) < SHARED_FROM:
        return None
    (capture, _), *others = Counter(choice.capture for choice in choices).most_common()
    templates = [kind(capture).template(choice.description) for choice in choices if choice.capture == capture]
    (part, tables), *_ = Counter(template.part for template in templates).most_common()
    links = {choice.link for choice in choices}
    return SharedSettings(
        capture,
        links.pop() if len(links) == 1 else None,
        # a setting beside `capture` would count for the tables with another capture, too
        templates[0].lines if not others and len({template.lines for template in templates}) == 1 else (),
        part if tables > 1 else (),
    )


def defaults(both: SharedSettings, some: Choice) -> list[str]:
    """The lines of `[defaults]`; `some` is a table with the shared capture."""
    comment = kind(both.capture).template(some.description).comment
    return [
        "# What holds for all tables, where a table's own part does not say otherwise",
        "[defaults]",
        f"capture = {text(both.capture)}{comment}",
        *_link(both.link),
        *both.lines,
        *HINTS,
        *(line.replace("[tables.", "[defaults.", 1) if line.startswith("[tables.") else line for line in both.part),
    ]


def entry(choice: Choice, both: SharedSettings | None = None) -> list[str]:
    """The lines of a table's part, without what `both` says already."""
    description, template = choice.description, kind(choice.capture).template(choice.description)
    lines = [
        f"# about {description.items:,} items, {description.bytes:,} bytes",
        "[[tables]]",
        f"name = {text(description.name)}",
    ]
    if choice.source is not None:
        lines.append(f"source = {text(choice.source)}")
    if both is None or both.capture != choice.capture:
        lines.append(f"capture = {text(choice.capture)}{template.comment}")
    if choice.split is not None:
        lines += _split_keys(choice.split)
    elif choice.into is not None and choice.into != description.name:
        lines.append(f"into = {text(choice.into)}" + (f"        # {choice.why}" if choice.why else ""))
    if both is None or both.link is None:
        lines += _link(choice.link)
    entities = _entities(choice.split) if choice.split is not None else []
    if both is None:
        return [*lines, *template.lines, *HINTS, *_times(choice), *template.part, *entities]
    lines += _times(choice)
    if template.lines != both.lines:
        lines += [line for line in template.lines if not line.startswith("#")]
    part = template.part if both.capture != choice.capture or template.part != both.part else ()
    return [*lines, *part, *entities]


def _split_keys(split: Proposal) -> list[str]:
    from twinrow.entities.draft import keys_text

    return keys_text(split).splitlines()


def _entities(split: Proposal) -> list[str]:
    from twinrow.entities.draft import entities_text

    return ["", *entities_text(split).splitlines()]


def _times(choice: Choice) -> list[str]:
    """The proposals for columns of times, which a person takes by taking the sign away."""
    return [f"# {line.text}" for line in choice.times]


def _link(link: bool | None) -> list[str]:
    return [] if link is None else [f"link = {str(link).lower()}"]

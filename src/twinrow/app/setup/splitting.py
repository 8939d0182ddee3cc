"""The splits that `init` proposes: one per table, their MySQL tables unequal to each other and to all copies (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from twinrow.app.setup.choices import Choice
from twinrow.schema.naming import column_name

if TYPE_CHECKING:
    from twinrow.entities.draft import Draft, Proposal


def with_split(choice: Choice, proposal: Proposal | None) -> Choice:
    """The choice with the split that is proposed for it; the name that a person chose stays that of the rest table."""
    if proposal is None:
        return choice
    return replace(choice, split=proposal if choice.into is None else replace(proposal, into=choice.into))


def placed(choices: Sequence[Choice]) -> list[Choice]:
    """The choices, each entity in a MySQL table of its own: two DynamoDB tables may have users both."""
    taken = {choice.into or choice.description.name for choice in choices if choice.split is None}
    taken |= {choice.split.into for choice in choices if choice.split is not None and choice.into is not None}
    return [_placed(choice, taken) for choice in choices]


def _placed(choice: Choice, taken: set[str]) -> Choice:
    """`taken` grows by the tables of the choice."""
    split = choice.split
    if split is None:
        return choice
    into = split.into if choice.into is not None else _free(split.into, taken)
    taken.add(into)
    drafts = tuple(_placed_drafts(split.drafts, choice.description.name, taken))
    return replace(choice, split=replace(split, into=into, drafts=drafts))


def _placed_drafts(drafts: Sequence[Draft], table: str, taken: set[str]) -> Iterator[Draft]:
    for draft in drafts:
        if draft.ignore:
            yield draft
            continue
        into = draft.name
        if _is_taken(into, taken):
            into = _free(f"{table}_{draft.name}", taken)
        taken.add(into)
        yield draft if into == draft.name else replace(draft, into=into)


def _free(name: str, taken: set[str]) -> str:
    return column_name(name, taken)


def _is_taken(name: str, taken: set[str]) -> bool:
    return name.casefold() in {table.casefold() for table in taken}

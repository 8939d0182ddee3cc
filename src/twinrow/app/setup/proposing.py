"""`init` looks for kinds of items in each table, within a bound that is said before, and proposes a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from twinrow.app.setup import sampling, splitting
from twinrow.app.setup.choices import Choice
from twinrow.app.terminal import say
from twinrow.errors import ConfigError, TwinrowError

if TYPE_CHECKING:
    from twinrow.config import Config
    from twinrow.dynamodb import DynamoDB
    from twinrow.entities.draft import Proposal

Ask = Callable[[str], bool]
"""Takes a question; gives whether a person agrees."""


def by_samples(
    choices: Sequence[Choice],
    dynamodb: DynamoDB,
    own: Mapping[str, frozenset[str]],
    segments_read: int,
    ask: Ask | None,
) -> list[Choice]:
    """The choices with the splits that samples of their tables propose, as far as a person agrees (None: all).

    `own` are Twinrow's attributes in each table. A table that cannot be read is copied whole, and that is said.
    """
    if not segments_read:
        return list(choices)
    most = sampling.bound(len(choices), segments_read)
    say(f"a sample shows which kinds of items there are; it reads {most} (--sample 0: none)")
    if ask is not None and not ask("Read this sample?"):
        return list(choices)
    found = []
    for choice in choices:
        name = choice.description.name
        proposal = _of_sample(choice, dynamodb, own.get(name, frozenset()), segments_read)
        found.append(splitting.with_split(choice, proposal))
    return _agreed(splitting.placed(found), ask)


def by_model(choices: Sequence[Choice], model: Path, ask: Ask | None) -> list[Choice]:
    """The single choice with the split that a model of the app's authors says. Raises ConfigError."""
    from twinrow.entities.models import read_model

    if len(choices) != 1:
        raise ConfigError("--model is about a single table", where=str(model), remedy="name the table")
    try:
        text = model.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(model)) from error
    (choice,) = choices
    return _agreed(
        splitting.placed([splitting.with_split(choice, read_model(text, choice.description.name, str(model)))]), ask
    )


def _of_sample(choice: Choice, dynamodb: DynamoDB, own: frozenset[str], segments_read: int) -> Proposal | None:
    from twinrow.entities.propose import propose

    description = choice.description
    try:
        items = sampling.of_table(dynamodb, description, segments_read)
    except TwinrowError as error:
        say(f"{description.name}: no sample, so that no split is proposed: {error}")
        return None
    return propose(items, [name for name, _ in description.keys], description.name, own)


def _agreed(choices: Sequence[Choice], ask: Ask | None) -> list[Choice]:
    """The choices, without the splits that a person does not want."""
    from twinrow.entities.draft import entities_text

    agreed = []
    for choice in choices:
        if choice.split is None:
            agreed.append(choice)
            continue
        name = choice.description.name
        kinds = ", ".join(f"{draft.name} (ignored)" if draft.ignore else draft.name for draft in choice.split.drafts)
        say(f"{name}: a MySQL table each for {kinds}; all else goes into {choice.split.into}")
        if ask is not None:
            say("\n".join(f"  {line}" for line in entities_text(choice.split).splitlines()))
            if not ask(f"Split {name} so? It can be changed later, in the file."):
                agreed.append(replace(choice, split=None))
                continue
        agreed.append(choice)
    return agreed


def own_attributes(config: Config) -> dict[str, frozenset[str]]:
    """Twinrow's attributes in each table: they say nothing of what an item is."""
    return {table.dynamodb_name: table.own for table in config.tables}

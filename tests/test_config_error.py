"""An error of the configuration names the table, what may stand there, and the key that was meant."""

from __future__ import annotations

import pytest

from twinrow.config import parse
from twinrow.errors import ConfigError

MYSQL = "[mysql]\nurl = 'mysql://u@h/d'\n"
TABLE = MYSQL + "[[tables]]\nname = 'orders'\ncapture = 'scan'\n[[tables]]\nname = 'reviews'\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TABLE + "capture = 'scann'\n", ("`tables[1].capture` (table reviews)", "pending-index, scan, stream")),
        (TABLE + "captur = 'scan'\n", ("`tables[1]` (table reviews)", "did you mean `capture`?")),
        (TABLE + "capture = 'scan'\ndeletes = 'sof'\n", ("(table reviews)", "it takes hard, soft")),
        (TABLE + "capture = 'scan'\nttl_deletes = 'sof'\n", ("(table reviews)", "it takes hard, soft")),
        (
            TABLE + "capture = 'scan'\n[tables.columns.'seen at']\nfrom = 'epoch'\n",
            ("`tables[1].columns.seen at.from` (table reviews)", "epoch_ms, epoch_s, iso8601"),
        ),
        (
            TABLE + "capture = 'scan'\n[tables.columns.seen]\nfrm = 'epoch_s'\n",
            ("`tables[1].columns.seen` (table reviews)", "did you mean `from`?"),
        ),
        (
            TABLE + "capture = 'pending-index'\n[tables.pending_index]\nindx = 'a'\n",
            ("`tables[1].pending_index` (table reviews)", "did you mean `index`?"),
        ),
        (TABLE + "capture = 'scan'\nzzz = 1\n", ("it takes name, capture, into",)),
        ("mysq = 1\n" + MYSQL, ("unknown field `mysq`", "did you mean `mysql`?")),
        (MYSQL + "[sync]\nworker = 2\n", ("`sync`", "did you mean `workers`?")),
        (MYSQL + "[[tables]]\ncapture = 'scan'\n", ("lacks the required field `name`", "tables[0]")),
        (TABLE + "capture = 3\n", ("Expected `str`, got `int`", "(table reviews)")),
        ("tables = [3]\n" + MYSQL, ("Expected `object`, got `int` - at `tables[0]`",)),
    ],
)  # fmt: skip
def test_an_error_of_the_configuration_says_what_would_do(text: str, told: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, "twinrow.toml", {})
    for part in told:
        assert part in str(refused.value)

"""Sending link writes: a batch of PartiQL statements, or one UpdateItem each where PartiQL cannot be had."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_error import DynamoDBError
from twinrow.dynamodb_wire import StatementAnswer
from twinrow.errors import NotSent, Throttled, Transient
from twinrow.link.settle import NO_ANSWER, NO_RIGHTS, NOT_SENT, PARTIQL_INVALID, is_too_large
from twinrow.link.update import ItemUpdate, LinkRules, partiql, update_item
from twinrow.state.outbox import PendingLink


class LinkWriter:
    """Writes the links of one table. `may_call` is asked once a request is signed, before its first byte goes."""

    uses_partiql = True
    """Until DynamoDB denies it: from then on every link of this table goes by UpdateItem."""

    def __init__(self, dynamodb: DynamoDB, table: str, rules: LinkRules, may_call: Callable[[], bool]) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._rules = rules
        self._may_call = may_call

    def send(self, links: Sequence[PendingLink]) -> tuple[list[StatementAnswer], float]:
        """An answer for each link, and the units consumed. Raises Transient: no answer at all."""
        if self.uses_partiql and links and self._rules.unquotable(links[0].key) is None:
            try:
                statements = [partiql(self._table, self._update_of(link)) for link in links]
                answers, units = self._dynamodb.execute_statements(self._table, statements, self._may_call)
                answers, units = self._denied_by_item(links, answers, units)
                return self._invalid_by_item(links, answers, units)
            except NotSent as late:
                return [StatementAnswer(NOT_SENT, str(late), None)] * len(links), 0.0
            except DynamoDBError as error:
                if error.code == "ValidationException" and len(links) > 1:
                    return self._by_item(links)
                if error.code not in ("AccessDeniedException", "UnknownOperationException", "ValidationException"):
                    raise
                self.uses_partiql = error.code == "ValidationException"
        return self._by_item(links)

    def _update_of(self, link: PendingLink) -> ItemUpdate:
        """The update with the key as DynamoDB has it."""
        update = self._rules.update_of(link)
        real = self._dynamodb.real_key(update.key)
        return update if real is update.key else replace(update, key=real)

    def _denied_by_item(
        self, links: Sequence[PendingLink], answers: list[StatementAnswer], units: float
    ) -> tuple[list[StatementAnswer], float]:
        """Statements for which PartiQL's own right is missing go by UpdateItem, now and from now on."""
        denied = [number for number, answer in enumerate(answers) if answer.code in NO_RIGHTS]
        if not denied:
            return answers, units
        self.uses_partiql = False
        return self._again_by_item(links, answers, units, denied)

    def _invalid_by_item(
        self, links: Sequence[PendingLink], answers: list[StatementAnswer], units: float
    ) -> tuple[list[StatementAnswer], float]:
        """Statements that PartiQL calls invalid, though their item is not too large, go by UpdateItem: it decides.

        PartiQL has refusals of its own (names, nesting, limits of a statement) that say nothing of the item.
        """
        invalid = [
            number
            for number, answer in enumerate(answers)
            if answer.code == PARTIQL_INVALID and not is_too_large(answer)
        ]
        return self._again_by_item(links, answers, units, invalid) if invalid else (answers, units)

    def _again_by_item(
        self, links: Sequence[PendingLink], answers: list[StatementAnswer], units: float, chosen: list[int]
    ) -> tuple[list[StatementAnswer], float]:
        """The answers, those of the chosen links by UpdateItem."""
        again, more = self._by_item([links[number] for number in chosen])
        settled = dict(zip(chosen, again, strict=True))
        return [settled.get(number, answer) for number, answer in enumerate(answers)], units + more

    def _by_item(self, links: Sequence[PendingLink]) -> tuple[list[StatementAnswer], float]:
        answers, units = [], 0.0
        for link in links:
            update = self._update_of(link)
            asked = update_item(update)
            try:
                answer, cost = self._dynamodb.update_item(self._table, update.key, self._may_call, **asked)
            except NotSent as late:
                answer, cost = StatementAnswer(NOT_SENT, str(late), None), 0.0
            except Throttled as trouble:
                answer, cost = StatementAnswer("ThrottlingError", str(trouble), None), 0.0
            except Transient as trouble:
                answer, cost = StatementAnswer(NO_ANSWER, str(trouble), None), 0.0
            answers.append(answer)
            units += cost
        return answers, units

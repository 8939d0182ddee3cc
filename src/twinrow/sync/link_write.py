"""The link write itself: one debt as a PartiQL statement or as UpdateItem's parameters, and a call for many of them."""

from __future__ import annotations

from typing import Any

from twinrow.change import AttributeValue, Item
from twinrow.dynamodb_error import DynamoDBError
from twinrow.dynamodb_wire import Statement, StatementAnswer
from twinrow.errors import NotSent, Throttled, Transient
from twinrow.state.outbox import NO_DIGEST, Debt
from twinrow.sync.copy import Copy

NO_RIGHTS = frozenset({"AccessDenied", "AccessDeniedException"})
"""Trouble of the whole table, not of an item: the debts wait, and `status` says why."""
PARTIQL_INVALID = "ValidationError"
"""The code of one statement in a batch; UpdateItem says ValidationException."""
COLLECTION_FULL = frozenset({"ItemCollectionSizeLimitExceeded", "ItemCollectionSizeLimitExceededException"})
REFUSALS = COLLECTION_FULL | {"ValidationException"}
TOO_LARGE = "exceeded the maximum allowed size"
"""In "Item size to update has exceeded the maximum allowed size", by UpdateItem and by PartiQL (DynamoDB Local 3)."""
NO_ANSWER = "NoAnswer"
NOT_SENT = "NotSent"
"""The lease did not outlast the call: the debt stands in the outbox, and whoever holds the lease settles it."""


PLACEHOLDERS = ("#", ":")
"""A name that begins so is taken for one of an expression's placeholders even inside its quotes (DynamoDB Local 3)."""


def _quotable(name: str) -> bool:
    """Whether PartiQL can name it: doubled quotes work; control characters, the empty name and placeholders do not."""
    return bool(name) and name.isprintable() and not name.startswith(PLACEHOLDERS)


def unquotable(copy: Copy, key: Item) -> str | None:
    """The first name in a link write that PartiQL cannot quote: such a table's links go by UpdateItem."""
    names = [copy.settings.link_attribute] if copy.settings.linked else []
    if copy.settings.pending is not None:
        names.append(copy.settings.pending.attribute)
    return next((name for name in (*names, *key) if not _quotable(name)), None)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def statement(copy: Copy, debt: Debt) -> Statement:
    """The PartiQL UPDATE of one debt; it never creates an item, and the condition names the mark that was seen.

    The image before it is asked for where it tells whether the debt is paid.
    """
    settings = copy.settings
    sets: list[str] = []
    parameters: list[AttributeValue] = []
    removes: list[str] = []
    if debt.row_id is not None:
        sets.append(f"SET {_quoted(settings.link_attribute)}=?")
        parameters.append({"N": str(debt.row_id)})
    where = [f"{_quoted(name)}=?" for name in debt.key]
    conditions = list(debt.key.values())
    if debt.mark is not None and settings.pending is not None:
        if settings.pending.done is None:
            removes.append(f"REMOVE {_quoted(settings.pending.attribute)}")
        else:
            sets.append(f"SET {_quoted(settings.pending.attribute)}=?")
            parameters.append(settings.pending.done)
        where.append(f"{_quoted(settings.pending.attribute)}=?")
        conditions.append(debt.mark)
    returning = "" if debt.digest == NO_DIGEST else " RETURNING ALL OLD *"
    text = f"UPDATE {_quoted(copy.table)} {' '.join(sets + removes)} WHERE {' AND '.join(where)}{returning}"
    return Statement(text, (*parameters, *conditions))


def send(copy: Copy, debts: list[Debt]) -> tuple[list[StatementAnswer], float]:
    """One batch call, or one UpdateItem each where PartiQL is not allowed or cannot name something."""
    if copy.partiql and debts and unquotable(copy, debts[0].key) is None:
        try:
            statements = [statement(copy, debt) for debt in debts]
            answers, units = copy.dynamodb.execute_statements(copy.table, statements, copy.may_call)
            answers, units = _send_denied(copy, debts, answers, units)
            return _send_invalid(copy, debts, answers, units)
        except NotSent as late:
            return [StatementAnswer(NOT_SENT, str(late), None)] * len(debts), 0.0
        except DynamoDBError as error:
            if error.code == "ValidationException" and len(debts) > 1:
                return _send_each(copy, debts)
            if error.code not in ("AccessDeniedException", "UnknownOperationException", "ValidationException"):
                raise
            copy.partiql = error.code == "ValidationException"
    return _send_each(copy, debts)


def _send_denied(
    copy: Copy, debts: list[Debt], answers: list[StatementAnswer], units: float
) -> tuple[list[StatementAnswer], float]:
    """Statements for which PartiQL's own right is missing go by UpdateItem, now and from now on."""
    denied = [number for number, answer in enumerate(answers) if answer.code in NO_RIGHTS]
    if not denied:
        return answers, units
    copy.partiql = False
    return _again_by_update(copy, debts, answers, units, denied)


def _send_invalid(
    copy: Copy, debts: list[Debt], answers: list[StatementAnswer], units: float
) -> tuple[list[StatementAnswer], float]:
    """Statements that PartiQL calls invalid, though their item is not too large, go by UpdateItem: its word counts.

    PartiQL has refusals of its own (names, nesting, limits of a statement) that say nothing of the item.
    """
    invalid = [
        number for number, answer in enumerate(answers) if answer.code == PARTIQL_INVALID and not too_large(answer)
    ]
    return _again_by_update(copy, debts, answers, units, invalid) if invalid else (answers, units)


def _again_by_update(
    copy: Copy, debts: list[Debt], answers: list[StatementAnswer], units: float, chosen: list[int]
) -> tuple[list[StatementAnswer], float]:
    """The answers, those of the chosen debts by UpdateItem."""
    again, more = _send_each(copy, [debts[number] for number in chosen])
    settled = dict(zip(chosen, again, strict=True))
    return [settled.get(number, answer) for number, answer in enumerate(answers)], units + more


def too_large(answer: StatementAnswer) -> bool:
    """Whether the item, or its item collection, has no room for the link: told by the message, as codes are shared."""
    return answer.code in COLLECTION_FULL or TOO_LARGE in answer.message.lower()


def refused_for_good(answer: StatementAnswer) -> bool:
    """Whether DynamoDB will never take this link, as the item is."""
    return too_large(answer) if answer.code == PARTIQL_INVALID else answer.code in REFUSALS


def _send_each(copy: Copy, debts: list[Debt]) -> tuple[list[StatementAnswer], float]:
    answers, units = [], 0.0
    for debt in debts:
        try:
            answer, cost = copy.dynamodb.update_item(copy.table, debt.key, copy.may_call, **update(copy, debt))
        except NotSent as late:
            answer, cost = StatementAnswer(NOT_SENT, str(late), None), 0.0
        except Throttled as trouble:
            answer, cost = StatementAnswer("ThrottlingError", str(trouble), None), 0.0
        except Transient as trouble:
            answer, cost = StatementAnswer(NO_ANSWER, str(trouble), None), 0.0
        answers.append(answer)
        units += cost
    return answers, units


def update(copy: Copy, debt: Debt) -> dict[str, Any]:
    """The same write as `statement`, as UpdateItem's parameters; `attribute_exists` keeps it from creating an item."""
    settings = copy.settings
    names = {f"#k{n}": name for n, name in enumerate(debt.key)}
    conditions = [f"attribute_exists({alias})" for alias in names]
    values: dict[str, AttributeValue] = {}
    sets: list[str] = []
    removes: list[str] = []
    if debt.row_id is not None:
        names["#l"] = settings.link_attribute
        values[":l"] = {"N": str(debt.row_id)}
        sets.append("#l = :l")
    if debt.mark is not None and settings.pending is not None:
        names["#m"] = settings.pending.attribute
        values[":m"] = debt.mark
        conditions.append("#m = :m")
        if settings.pending.done is None:
            removes.append("#m")
        else:
            values[":d"] = settings.pending.done
            sets.append("#m = :d")
    parts = (["SET " + ", ".join(sets)] if sets else []) + (["REMOVE " + ", ".join(removes)] if removes else [])
    asked: dict[str, Any] = {
        "UpdateExpression": " ".join(parts), "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": names,
    }  # fmt: skip
    if values:
        asked["ExpressionAttributeValues"] = values
    return asked

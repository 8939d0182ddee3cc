"""The meaning of DynamoDB's answer to a link write, and the steps that follow from it. Pure: steps are data.

A link is settled by a success that met the image its row was made from. A link that is refused for the moment stays in
the outbox, and is tried again later. Anything else is unclear: the item goes to recheck, which reads it consistently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from twinrow.decode.attribute import digest
from twinrow.dynamodb_wire import StatementAnswer
from twinrow.errors import Throttled, Transient
from twinrow.link.fruitless import REPORTED_CALLS, FruitlessCalls
from twinrow.state.outbox import ANY_IMAGE, PendingLink

RECHECK_FIRST_S = 2.0
"""A link that goes to recheck is not sent again by itself so soon: the recheck takes milliseconds, mostly."""
POSTPONE_S_MAX = 30.0
"""A link that is throttled waits at most so long for its next try."""
LATE_RECHECK_S = 1800.0
"""After that no call that was given up can arrive: AWS refuses a signature whose time is more than 15 minutes off.

Twice that, since a clock 15 minutes fast signs for 30 minutes; no signature is younger than its lease (`may_call`).
"""
NO_RIGHTS = frozenset({"AccessDenied", "AccessDeniedException"})
"""Trouble of the whole table, not of an item: the links wait, and `status` says why."""
RETRYABLE = frozenset({
    "ProvisionedThroughputExceeded", "ThrottlingError", "RequestLimitExceeded", "TransactionConflict",
    "InternalServerError",
    "ProvisionedThroughputExceededException", "ThrottlingException", "TransactionConflictException", "DuplicateItem",
    "InternalServerErrorException", "ReplicatedWriteConflictException",
})  # fmt: skip
CONDITION_FAILED = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException"})
COLLECTION_FULL = frozenset({"ItemCollectionSizeLimitExceeded", "ItemCollectionSizeLimitExceededException"})
PARTIQL_INVALID = "ValidationError"
"""The code of one statement in a batch; UpdateItem says ValidationException."""
UPDATE_INVALID = "ValidationException"
TOO_LARGE = "exceeded the maximum allowed size"
"""In "Item size to update has exceeded the maximum allowed size", by UpdateItem and by PartiQL (DynamoDB Local 3)."""
NO_ANSWER = "NoAnswer"
NOT_SENT = "NotSent"
"""The lease did not outlast the call: the link stays in the outbox, and whoever holds the lease settles it."""
ITEM_CHANGED = "the item had changed"
WRITTEN_AGAIN = "written again while its link was under way"
LEASE_LOST = "answered after the lease was lost"
UNANSWERED = "no answer to the link"
UNANSWERED_AGAIN = "no answer to the link, again"


class Meaning(Enum):
    """The meaning of an answer for its link."""

    SETTLED = "written, on the image that the row was made from"
    OTHER_IMAGE = "written, on another image"
    NOT_SENT = "never sent"
    LATER = "not taken at this moment"
    NO_ROOM = "never taken: the item has no room for the id"
    UNANSWERED = "written or not, nobody knows"
    CONDITION_FAILED = "not written: the mark has changed, or the item is gone"
    NOT_KNOWN = "not written, for a reason that is not known"


@dataclass(frozen=True, slots=True)
class Settled:
    """Remove these links from the outbox where their generation is still the generation that was sent.

    Else see `written_again`.
    """

    links: Sequence[PendingLink]


@dataclass(frozen=True, slots=True)
class Later:
    """These links stay in the outbox; they are due again after `wait_s`."""

    links: Sequence[PendingLink]
    wait_s: float


@dataclass(frozen=True, slots=True)
class Recheck:
    """The items of these links are to be read again after `wait_s`; `late` is the second look at a lost call."""

    links: Sequence[PendingLink]
    cause: str
    wait_s: float = 0.0
    late: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """This link will never be taken, for this reason: the item counts as unlinked."""

    link: PendingLink
    reason: str


@dataclass(frozen=True, slots=True)
class ClearMarkAlone:
    """The id of this link is refused for good: its mark is to be cleared without the id (`settle_mark_alone`)."""

    link: PendingLink
    answer: StatementAnswer


Step = Settled | Later | Recheck | Refused | ClearMarkAlone


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The steps that follow from the answers of a call, in this order.

    `trouble` says why the links of the whole table wait ("" while they do not), `denied` the same where a right is
    missing, `throttled` that the budget is to be halved.
    """

    steps: tuple[Step, ...]
    trouble: str = ""
    denied: str = ""
    throttled: bool = False


def is_too_large(answer: StatementAnswer) -> bool:
    """Whether the item, or its item collection, has no room for the link. The message decides, as codes are shared."""
    return answer.code in COLLECTION_FULL or TOO_LARGE in answer.message.lower()


def any_success_settles(link: PendingLink) -> bool:
    """True under stream capture: a later write of the item brings a pending link of its own, or needs none.

    Often that write is our own link, come back before its answer was settled.
    """
    return link.digest == ANY_IMAGE


def meaning(link: PendingLink, answer: StatementAnswer, own: frozenset[str]) -> Meaning:
    """The meaning of an answer for its link; `own` attributes do not count when images are compared."""
    code = answer.code
    if code is None:
        met = any_success_settles(link) or (answer.old is not None and digest(answer.old, own) == link.digest)
        return Meaning.SETTLED if met else Meaning.OTHER_IMAGE
    if code == NOT_SENT:
        return Meaning.NOT_SENT
    if code == NO_ANSWER:
        return Meaning.UNANSWERED
    if code in RETRYABLE or code in NO_RIGHTS:
        return Meaning.LATER
    if code in CONDITION_FAILED:
        return Meaning.CONDITION_FAILED
    has_no_room = is_too_large(answer) if code == PARTIQL_INVALID else code in COLLECTION_FULL or code == UPDATE_INVALID
    # without an id in it the write makes no item larger: that refusal is not known
    return Meaning.NO_ROOM if has_no_room and link.row_id is not None else Meaning.NOT_KNOWN


def settle(
    links: Sequence[PendingLink], answers: Sequence[StatementAnswer], own: frozenset[str], calls: FruitlessCalls
) -> CallOutcome:
    """The steps for one call's answers, and why the table's links wait. `calls` remembers what settled nothing."""
    found: dict[Meaning, list[tuple[PendingLink, StatementAnswer]]] = {kind: [] for kind in Meaning}
    for link, answer in zip(links, answers, strict=True):
        found[meaning(link, answer, own)].append((link, answer))

    def links_of(kind: Meaning) -> list[PendingLink]:
        return [link for link, _ in found[kind]]

    settled = links_of(Meaning.SETTLED)
    calls.settled(settled)
    steps: list[Step] = [Settled(settled)] if settled else []
    steps += [_without_room(link, answer) for link, answer in found[Meaning.NO_ROOM]]
    changed = links_of(Meaning.OTHER_IMAGE)
    steps += [Recheck(changed, ITEM_CHANGED)] if changed else []
    not_written = found[Meaning.CONDITION_FAILED] + found[Meaning.NOT_KNOWN]
    failed = _not_written(not_written, calls) if not_written else CallOutcome(())
    steps += failed.steps
    silent = links_of(Meaning.UNANSWERED)
    steps += _unanswered(silent, calls) if silent else ()
    later = found[Meaning.LATER]
    if not later:
        return CallOutcome(tuple(steps), failed.trouble)
    steps.append(_later([link for link, _ in later], calls))
    denied = [answer for _, answer in later if answer.code in NO_RIGHTS]
    return CallOutcome(
        tuple(steps),
        failed.trouble or _refusal(later[-1][1]),
        denied=_refusal(denied[-1]) if denied else "",
        throttled=any("Throttl" in str(answer.code) or "Throughput" in str(answer.code) for _, answer in later),
    )


def settle_mark_alone(
    refused: ClearMarkAlone, answer: StatementAnswer, own: frozenset[str], calls: FruitlessCalls
) -> CallOutcome:
    """The steps for the answer to a mark that was cleared without its id."""
    link = refused.link
    found = meaning(link, answer, own)
    if found is Meaning.NOT_SENT:
        return CallOutcome(())  # still pending, and refused again by then
    if found is Meaning.UNANSWERED:
        return CallOutcome(_unanswered([link], calls))
    if found is Meaning.SETTLED:
        return CallOutcome((Refused(link, _reason(refused.answer)),))
    if found is Meaning.OTHER_IMAGE:
        return CallOutcome((Recheck([link], ITEM_CHANGED),))
    deciding = refused.answer if found is Meaning.CONDITION_FAILED else answer
    return _not_written([(link, deciding)], calls)


def settle_no_answer(links: Sequence[PendingLink], trouble: Transient, calls: FruitlessCalls) -> CallOutcome:
    """The steps for a call without an answer: its writes may have happened. Throttled as a whole: they have not."""
    if isinstance(trouble, Throttled):
        return CallOutcome((_later(links, calls),), str(trouble), throttled=True)
    return CallOutcome(_unanswered(links, calls), str(trouble))


def written_again(links: Sequence[PendingLink]) -> tuple[Recheck, ...]:
    """The steps for settled links whose generation had moved on: their rows are of another image by now."""
    unclear = [link for link in links if not any_success_settles(link)]
    return (Recheck(unclear, WRITTEN_AGAIN),) if unclear else ()


def lease_lost(links: Sequence[PendingLink]) -> tuple[Recheck, ...]:
    """The steps for answers that arrive after the lease was lost: a successor may have written the rows by now."""
    return (Recheck(links, LEASE_LOST),)


def _without_room(link: PendingLink, answer: StatementAnswer) -> Step:
    return Refused(link, _reason(answer)) if link.mark is None else ClearMarkAlone(link, answer)


def _later(links: Sequence[PendingLink], calls: FruitlessCalls) -> Later:
    return Later(links, calls.back_off(max(link.attempts for link in links) + 1, POSTPONE_S_MAX))


def _not_written(failed: Sequence[tuple[PendingLink, StatementAnswer]], calls: FruitlessCalls) -> CallOutcome:
    """Calls that changed nothing: a condition that failed, or an answer of which it is not known what it means."""
    steps, most = _looked_at_again([link for link, _ in failed], ITEM_CHANGED, calls)
    odd = next((answer for _, answer in failed if answer.code not in CONDITION_FAILED), None)
    return CallOutcome(steps, _refusal(odd) if odd is not None and most >= REPORTED_CALLS else "")


def _unanswered(links: Sequence[PendingLink], calls: FruitlessCalls) -> tuple[Step, ...]:
    """A call without an answer may still be on its way and clear the mark of a newer write: looked at twice."""
    steps, _ = _looked_at_again(links, UNANSWERED, calls)
    return (*steps, Recheck(links, UNANSWERED_AGAIN, LATE_RECHECK_S, late=True))


def _looked_at_again(links: Sequence[PendingLink], cause: str, calls: FruitlessCalls) -> tuple[tuple[Step, ...], int]:
    """The items are read again, each time later than before; and how many such calls it were in a row, at most."""
    steps: list[Step] = []
    found = calls.note(links)
    for again in found:
        # the link comes after the recheck, which settles it or enters it anew: else each look would make two calls
        steps += [
            Later(again.links, again.wait_s + RECHECK_FIRST_S),
            Recheck(again.links, cause, again.wait_s),
        ]
    return tuple(steps), max(again.calls for again in found)


def _reason(answer: StatementAnswer) -> str:
    return f"{answer.code}: {answer.message}"


def _refusal(answer: StatementAnswer) -> str:
    return f"DynamoDB refuses link writes: {_reason(answer)}"

"""Each answer to a link write has one meaning, and each meaning its steps: a table."""

from __future__ import annotations

import pytest

from twinrow.decode.attribute import digest
from twinrow.dynamodb_wire import StatementAnswer
from twinrow.errors import Throttled, Transient
from twinrow.link import settle
from twinrow.link.fruitless import REPORTED_CALLS, FruitlessCalls
from twinrow.link.settle import CallOutcome, ClearMarkAlone, Later, Meaning, Recheck, Refused, Settled, Step
from twinrow.state.outbox import ANY_IMAGE, PendingLink

OWN = frozenset({"id", "mark"})
MARK = {"S": "false"}
IMAGE = {"k": {"S": "x"}, "n": {"N": "1"}}
TOO_LARGE = "Item size to update has exceeded the maximum allowed size"


def link(row_id: int | None = 7, mark: dict[str, str] | None = MARK, image: bytes | None = None) -> PendingLink:
    return PendingLink(b"x", {"k": {"S": "x"}}, 3, image or digest(IMAGE, OWN), row_id, mark)


def success(**more: dict[str, str]) -> StatementAnswer:
    return StatementAnswer(None, "", {**IMAGE, **more})


def refusal(code: str, message: str = "made up") -> StatementAnswer:
    return StatementAnswer(code, message, None)


@pytest.mark.parametrize(
    ("of", "answer", "means"),
    [
        (link(), success(), Meaning.SETTLED),
        (link(), success(id={"N": "3"}, mark=MARK), Meaning.SETTLED),
        (link(), success(n={"N": "1.0"}), Meaning.SETTLED),
        (link(), success(n={"N": "2"}), Meaning.OTHER_IMAGE),
        (link(), success(more={"S": ""}), Meaning.OTHER_IMAGE),
        (link(), StatementAnswer(None, "", None), Meaning.OTHER_IMAGE),
        (link(image=ANY_IMAGE), StatementAnswer(None, "", None), Meaning.SETTLED),
        (link(), refusal("NotSent"), Meaning.NOT_SENT),
        (link(), refusal("NoAnswer"), Meaning.UNANSWERED),
        (link(), refusal("ThrottlingError"), Meaning.LATER),
        (link(), refusal("ProvisionedThroughputExceededException"), Meaning.LATER),
        (link(), refusal("TransactionConflict"), Meaning.LATER),
        (link(), refusal("AccessDenied"), Meaning.LATER),
        (link(), refusal("AccessDeniedException"), Meaning.LATER),
        (link(), refusal("ConditionalCheckFailed"), Meaning.CONDITION_FAILED),
        (link(), refusal("ConditionalCheckFailedException"), Meaning.CONDITION_FAILED),
        (link(), refusal("ValidationError", TOO_LARGE), Meaning.NO_ROOM),
        (link(), refusal("ValidationError"), Meaning.NOT_KNOWN),
        (link(), refusal("ValidationException"), Meaning.NO_ROOM),
        (link(), refusal("ItemCollectionSizeLimitExceeded"), Meaning.NO_ROOM),
        (link(row_id=None), refusal("ValidationException"), Meaning.NOT_KNOWN),
        (link(row_id=None), refusal("ValidationError", TOO_LARGE), Meaning.NOT_KNOWN),
        (link(), refusal("NeverHeardOf"), Meaning.NOT_KNOWN),
        (link(), refusal("NeverHeardOf", TOO_LARGE), Meaning.NOT_KNOWN),
        (link(image=ANY_IMAGE), refusal("ConditionalCheckFailed"), Meaning.CONDITION_FAILED),
    ],
)
def test_each_answer_has_one_meaning(of: PendingLink, answer: StatementAnswer, means: Meaning) -> None:
    assert settle.meaning(of, answer, OWN) is means


def calls() -> FruitlessCalls:
    return FruitlessCalls(now=lambda: 0.0, back_off=lambda tries, most: min(most, float(tries)))


def later_by(step: Step) -> float:
    assert isinstance(step, Later)
    return step.wait_s


FIRST_LOOK = settle.RECHECK_FIRST_S


@pytest.mark.parametrize(
    ("of", "answer", "steps"),
    [
        (link(), success(), (Settled([link()]),)),
        (link(), success(n={"N": "2"}), (Recheck([link()], settle.ITEM_CHANGED),)),
        (link(), refusal("NotSent"), ()),
        (
            link(), refusal("ConditionalCheckFailed"),
            (Later([link()], FIRST_LOOK), Recheck([link()], settle.ITEM_CHANGED)),
        ),
        (link(), refusal("NeverHeardOf"), (Later([link()], FIRST_LOOK), Recheck([link()], settle.ITEM_CHANGED))),
        (
            link(), refusal("NoAnswer"),
            (
                Later([link()], FIRST_LOOK), Recheck([link()], settle.UNANSWERED),
                Recheck([link()], settle.UNANSWERED_AGAIN, settle.LATE_RECHECK_S, late=True),
            ),
        ),
        (
            link(), refusal("ValidationError", TOO_LARGE),
            (ClearMarkAlone(link(), refusal("ValidationError", TOO_LARGE)),),
        ),
        (link(mark=None), refusal("ValidationException"), (Refused(link(mark=None), "ValidationException: made up"),)),
    ],
)  # fmt: skip
def test_each_meaning_has_its_steps(of: PendingLink, answer: StatementAnswer, steps: tuple[Step, ...]) -> None:
    assert settle.settle([of], [answer], OWN, calls()) == CallOutcome(steps)


def test_the_answers_of_one_call_are_settled_each_for_itself_and_settled_links_come_first() -> None:
    links = [PendingLink(bytes([n]), {"k": {"S": str(n)}}, 1, digest(IMAGE, OWN), n, MARK) for n in range(4)]
    answers = [refusal("ThrottlingError"), success(n={"N": "2"}), refusal("AccessDenied", "no"), success()]
    outcome = settle.settle(links, answers, OWN, calls())
    settled, changed, waiting = outcome.steps
    assert settled == Settled([links[3]])
    assert changed == Recheck([links[1]], settle.ITEM_CHANGED)
    assert isinstance(waiting, Later)
    assert list(waiting.links) == [links[0], links[2]]
    assert outcome.throttled
    assert outcome.trouble == outcome.denied == "DynamoDB refuses link writes: AccessDenied: no"


def test_a_refusal_that_is_not_known_is_told_once_it_comes_again_and_again_and_a_failed_condition_never() -> None:
    for code, told in (("NeverHeardOf", True), ("ConditionalCheckFailed", False)):
        memory = calls()
        troubles = [settle.settle([link()], [refusal(code)], OWN, memory).trouble for _ in range(REPORTED_CALLS)]
        assert troubles[:-1] == [""] * (REPORTED_CALLS - 1)
        assert bool(troubles[-1]) is told


def test_calls_in_vain_wait_longer_each_time_until_one_settles_the_link() -> None:
    memory = calls()
    waits = [
        later_by(settle.settle([link()], [refusal("ConditionalCheckFailed")], OWN, memory).steps[0]) for _ in range(3)
    ]
    assert waits == [FIRST_LOOK, FIRST_LOOK + 2.0, FIRST_LOOK + 3.0]
    settle.settle([link()], [success()], OWN, memory)
    assert later_by(settle.settle([link()], [refusal("NoAnswer")], OWN, memory).steps[0]) == FIRST_LOOK


def test_a_whole_call_without_an_answer_is_looked_at_twice_and_a_throttled_one_not_at_all() -> None:
    links = [link(), PendingLink(b"y", {}, 1, ANY_IMAGE, 8, None, attempts=2)]
    lost = settle.settle_no_answer(links, Transient("cut"), calls())
    assert [type(one) for one in lost.steps] == [Later, Recheck, Recheck]
    assert lost.trouble == "cut"
    assert not lost.throttled
    throttled = settle.settle_no_answer(links, Throttled("slow down"), calls())
    assert [type(one) for one in throttled.steps] == [Later]
    assert throttled.throttled


REFUSED = ClearMarkAlone(link(), refusal("ValidationError", TOO_LARGE))


@pytest.mark.parametrize(
    ("answer", "steps"),
    [
        (success(), (Refused(link(), f"ValidationError: {TOO_LARGE}"),)),
        (success(n={"N": "2"}), (Recheck([link()], settle.ITEM_CHANGED),)),
        (refusal("NotSent"), ()),
        (
            refusal("NoAnswer"),
            (
                Later([link()], FIRST_LOOK), Recheck([link()], settle.UNANSWERED),
                Recheck([link()], settle.UNANSWERED_AGAIN, settle.LATE_RECHECK_S, late=True),
            ),
        ),
        (
            refusal("ConditionalCheckFailed"),
            (Later([link()], FIRST_LOOK), Recheck([link()], settle.ITEM_CHANGED)),
        ),
        (refusal("ThrottlingError"), (Later([link()], FIRST_LOOK), Recheck([link()], settle.ITEM_CHANGED))),
    ],
)  # fmt: skip
def test_a_mark_that_is_cleared_alone(answer: StatementAnswer, steps: tuple[Step, ...]) -> None:
    assert settle.settle_mark_alone(REFUSED, answer, OWN, calls()).steps == steps


def test_only_a_link_that_hangs_on_an_image_is_rechecked_when_its_row_was_written_again() -> None:
    assert settle.written_again([link()]) == (Recheck([link()], settle.WRITTEN_AGAIN),)
    assert settle.written_again([link(image=ANY_IMAGE)]) == ()
    assert settle.written_again([]) == ()

"""What an event source mapping says of changes that may be lost."""

from __future__ import annotations

import pytest

from twinrow.aws_watch import Mapping
from twinrow.capture.lambda_mapping import GONE, OFF_GAP, OFF_S_MAX, REPLACED_GAP, MappingNow, is_on, judge, mapping_of

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/reviews/stream/2026-01-01T00:00:00.000"
OTHER = "arn:aws:dynamodb:eu-west-1:123456789012:table/old-reviews/stream/2026-01-01T00:00:00.000"
ENABLED = Mapping("a", "Enabled", ARN)
DISABLED = Mapping("a", "Disabled", ARN)


@pytest.mark.parametrize(
    ("known", "found", "judged"),
    [
        (("", "", None), ENABLED, MappingNow("a", "Enabled", 100.0)),
        (("", "", None), DISABLED, MappingNow("a", "Disabled", 100.0)),
        (("", "", None), None, MappingNow("", GONE, 100.0)),
        (("a", "Enabled", 50.0), ENABLED, MappingNow("a", "Enabled", 50.0)),
        (("a", "Enabled", 50.0), Mapping("a", "Updating", ARN), MappingNow("a", "Updating", 50.0)),
        (("a", "Enabled", 50.0), DISABLED, MappingNow("a", "Disabled", 100.0)),
        (("a", "Disabled", 50.0), DISABLED, MappingNow("a", "Disabled", 50.0)),
        (("a", "Disabled", 50.0), None, MappingNow("a", GONE, 50.0)),
        (("a", "Enabled", 50.0), Mapping("b", "Disabled", ARN), MappingNow("a", "Disabled", 100.0)),
        (("a", "Disabled", 50.0), ENABLED, MappingNow("a", "Enabled", 100.0)),
        (("a", "Disabled", 100.0 - OFF_S_MAX), ENABLED, MappingNow("a", "Enabled", 100.0, OFF_GAP)),
        (("a", "Enabled", 100.0 - OFF_S_MAX), ENABLED, MappingNow("a", "Enabled", 100.0 - OFF_S_MAX)),
        (("a", GONE, 50.0), Mapping("b", "Creating", ARN), MappingNow("b", "Creating", 100.0, REPLACED_GAP)),
        (("a", "Enabled", 50.0), Mapping("b", "Enabled", ARN), MappingNow("b", "Enabled", 100.0, REPLACED_GAP)),
    ],
)
def test_what_a_mapping_means(known: tuple[str, str, float | None], found: Mapping | None, judged: MappingNow) -> None:
    assert judge(*known, found, 100.0) == judged


def test_a_mapping_that_was_never_asked_for_is_no_trouble() -> None:
    assert is_on("")
    assert not is_on(GONE)
    assert not is_on("Disabling")


def test_the_mapping_of_a_table_is_that_of_its_stream_and_rather_one_that_is_on() -> None:
    assert mapping_of("reviews", "", [Mapping("x", "Enabled", OTHER), DISABLED]) == DISABLED
    assert mapping_of("reviews", "", [DISABLED, Mapping("b", "Enabled", ARN)]) == Mapping("b", "Enabled", ARN)
    kinesis = "arn:aws:kinesis:eu-west-1:123456789012:stream/changes"
    assert mapping_of("reviews", kinesis, [Mapping("k", "Enabled", kinesis)]) == Mapping("k", "Enabled", kinesis)
    assert mapping_of("reviews", "", [Mapping("k", "Enabled", kinesis)]) is None

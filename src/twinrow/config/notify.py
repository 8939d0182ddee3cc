"""`[notify]`: where messages about troubles go."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec

from twinrow.errors import ConfigError

WEBHOOK: Final = re.compile(r"https?://[^/\s]+(/\S*)?", re.IGNORECASE)
TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+(?:\.fifo)?")


class NotifyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a running sync tells of troubles and their ends; try it with `twinrow notify --test`."""

    webhook: Annotated[
        str | None,
        msgspec.Meta(
            description='An address that takes Slack\'s JSON (`{"text": …}`); whoever knows it can write there, so '
            "write `${SLACK_WEBHOOK}`."
        ),
    ] = None
    sns_topic: Annotated[
        str | None, msgspec.Meta(description="The ARN of an SNS topic; needs the right `sns:Publish`.")
    ] = None


@dataclass(frozen=True)
class NotifyPlaces:
    """The same, checked. The webhook's address is a secret, and is not shown by `repr`."""

    webhook: str | None = field(repr=False)
    sns_topic: str | None


def notify_places(given: NotifyConfig | None, place: str) -> NotifyPlaces | None:
    """The places to tell; None where there are none. Raises ConfigError, which does not show the address."""
    if given is None or (given.webhook is None and given.sns_topic is None):
        return None
    if given.webhook is not None and not WEBHOOK.fullmatch(given.webhook):
        raise ConfigError("`notify.webhook` is no address", where=place, remedy="write https://HOST/…")
    topic = given.sns_topic
    if topic is not None and (not TOPIC.fullmatch(topic) or topic.endswith(".fifo")):
        raise ConfigError(
            "`notify.sns_topic` is no ARN of a standard topic", where=place,
            remedy="write arn:aws:sns:REGION:ACCOUNT:NAME",
        )  # fmt: skip
    return NotifyPlaces(given.webhook, topic)

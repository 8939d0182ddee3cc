"""Where notifications go: a webhook that takes Slack's JSON, an SNS topic. What they hold is never shown."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from twinrow.config.notify import NotifyPlaces
from twinrow.errors import ConfigError, Transient, TwinrowError

TIMEOUT_S = 10.0
SUBJECT_MAX = 100
"""Characters of a subject that SNS takes, all of them ASCII (SNS API Reference, "Publish")."""
AGAIN = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to tell somebody: its name for logs, and what sends a text (raises Transient, or TwinrowError for good)."""

    name: str
    send: Callable[[str], None]


def channels_of(places: NotifyPlaces) -> list[Channel]:
    """The channels that the configuration names; nothing is sent yet."""
    found = []
    if places.webhook is not None:
        url = places.webhook
        name = f"webhook {urlsplit(url).hostname}"
        found.append(Channel(name, lambda text: _post(url, name, text)))
    if places.sns_topic is not None:
        topic = places.sns_topic
        found.append(Channel(f"SNS topic {topic.rpartition(':')[2]}", lambda text: _publish(topic, text)))
    return found


def slack_json(text: str) -> bytes:
    """A message as Slack's incoming webhooks take it; Mattermost, Rocket.Chat and many others take the same."""
    for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, escaped)
    return json.dumps({"text": text}).encode()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A message goes to the address that the configuration names, and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _post(url: str, name: str, text: str) -> None:
    request = urllib.request.Request(  # noqa: S310 - the configuration lets no other scheme than http and https in
        url, slack_json(text), {"content-type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT_S) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in AGAIN or error.code >= 500:
            raise Transient(f"answers {error.code}", where=name) from error
        raise TwinrowError(
            f"refuses the message ({error.code})", where=name, remedy="check `notify.webhook`"
        ) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or type(error).__name__
        raise Transient(f"does not answer: {why}", where=name) from error


def _publish(topic: str, text: str) -> None:
    from twinrow.aws_services import publish

    subject = re.sub(r"[^ -~]", "?", text.splitlines()[0])[:SUBJECT_MAX]
    try:
        publish(topic, topic.split(":")[3], subject, text)
    except ConfigError as error:
        raise TwinrowError(error.what, where=error.where, remedy=error.remedy) from error

"""The door of the scheduled run: Lambda's own protocol, from a stand-in on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from twinrow.aws_watch import MAPPING_PAGES_MAX, Mapping, mappings
from twinrow.dynamodb import DynamoDB
from twinrow.errors import TwinrowError


@contextmanager
def lambda_service(pages: list[tuple[int, dict[str, Any]]]) -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """Answers ListEventSourceMappings with these pages, and keeps what was asked."""
    asked: list[dict[str, list[str]]] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            assert url.path.rstrip("/") == "/2015-03-31/event-source-mappings"
            asked.append(parse_qs(url.query))
            status, answer = pages[min(len(asked), len(pages)) - 1]
            body = json.dumps(answer).encode()
            self.send_response(status)
            if status >= 300:
                self.send_header("x-amzn-ErrorType", "AccessDeniedException")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> DynamoDB:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOFTHISTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-key-of-this-test")
    return DynamoDB("eu-west-1", None)


def test_the_mappings_of_all_pages_are_found(door: DynamoDB) -> None:
    first = {"UUID": "a", "State": "Enabled", "EventSourceArn": "arn:one", "FunctionArn": "arn:f", "BatchSize": 500}
    pages: list[tuple[int, dict[str, Any]]] = [
        (200, {"EventSourceMappings": [first], "NextMarker": "more"}),
        (200, {"EventSourceMappings": [{"UUID": "b", "State": "Disabled"}]}),
    ]
    with lambda_service(pages) as (url, asked):
        found = mappings(door, "twinrow-changes", url)
    assert found == [Mapping("a", "Enabled", "arn:one"), Mapping("b", "Disabled", "")]
    assert asked == [{"FunctionName": ["twinrow-changes"]}, {"FunctionName": ["twinrow-changes"], "Marker": ["more"]}]


def test_a_missing_right_is_an_error_that_names_it(door: DynamoDB) -> None:
    with lambda_service([(403, {"Message": "not authorized"})]) as (url, _), pytest.raises(TwinrowError) as raised:
        mappings(door, "twinrow-changes", url)
    assert "lambda:ListEventSourceMappings" in raised.value.remedy


def test_pages_without_end_are_not_read_without_end(door: DynamoDB) -> None:
    with (
        lambda_service([(200, {"EventSourceMappings": [], "NextMarker": "more"})]) as (url, asked),
        pytest.raises(TwinrowError, match="more than"),
    ):
        mappings(door, "twinrow-changes", url)
    assert len(asked) == MAPPING_PAGES_MAX

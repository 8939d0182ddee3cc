"""What is deployed to AWS Lambda: the template is valid, and names what is there."""

from __future__ import annotations

import importlib
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.test_deploy import instructions

PROJECT = Path(__file__).parent.parent
TEMPLATE = PROJECT / "deploy" / "lambda" / "template.yaml"


@pytest.mark.slow
def test_the_template_is_valid() -> None:
    lint = [str(Path(sys.executable).with_name("cfn-lint")), str(TEMPLATE)]
    found = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_the_template_names_functions_that_are_there() -> None:
    handlers = [line.split(":", 1)[1].strip() for line in TEMPLATE.read_text().splitlines() if "Handler:" in line]
    assert len(handlers) == 2
    for handler in handlers:
        module, _, name = handler.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


def test_the_mapping_begins_where_the_stream_does_and_reports_failures() -> None:
    text = TEMPLATE.read_text()
    assert "StartingPosition: TRIM_HORIZON" in text
    assert "FunctionResponseTypes: [ReportBatchItemFailures]" in text
    assert "ReservedConcurrentExecutions: 4" in text


def test_the_image_copies_what_is_there_and_runs_the_function() -> None:
    steps = instructions("lambda/Dockerfile")
    assert {word for word, _ in steps} == {"FROM", "COPY", "RUN", "CMD"}
    sent = {line.removeprefix("!") for line in (TEMPLATE.parent / "Dockerfile.dockerignore").read_text().splitlines()}
    for word, rest in steps:
        for source in shlex.split(rest)[:-1] if word == "COPY" else ():
            assert list(PROJECT.glob(source)), source
            assert source.removesuffix("*") in sent, source
    module, _, name = json.loads(steps[-1][1])[0].rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))

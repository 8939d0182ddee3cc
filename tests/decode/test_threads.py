"""Types that msgspec decodes are known to it before threads ask for them: else two at once crash the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

TIMEOUT_S = 60
FIRST_USES = {
    "configuration": "parse(CONFIG)",
    "schema": "from_json(SCHEMA)",
    "counts": "counted.from_json(COUNTED)",
    "pages": "PageDecoder(from_json(SCHEMA), 'mysql', frozenset()).rows(b'[]')",
    "answers": "dynamodb_parser._WireParser(None).parse({'status_code': 200, 'body': b'{}'}, SHAPE)",
}
PROGRAM = """
import sys, threading
from types import SimpleNamespace
from twinrow import dynamodb_parser
from twinrow.config import parse
from twinrow.decode.compiled import PageDecoder
from twinrow.schema.evolve import evolve
from twinrow.schema.table import KeyAttribute, empty_schema, from_json, to_json
from twinrow.state import counted
CONFIG = '[mysql]\\nurl = "mysql://u@h/d"\\n[[tables]]\\nname = "abc"\\ncapture = "scan"'
CONFIG += '\\n[tables.columns.x]\\ntype = "INT"'
SHAPE = SimpleNamespace(name=next(iter(dynamodb_parser.PAGE_SHAPES)))
item = {"a": {"S": "x"}, "n": {"N": "1"}, "m": {"M": {}}, "l": {"L": []}, "b": {"BOOL": True}, "s": {"SS": ["x"]}}
SCHEMA = to_json(evolve(empty_schema("t", "t", (KeyAttribute("a", "S"),), frozenset(), (), False), [item]).schema)
COUNTED = counted.to_json(counted.Counted(1.0, (counted.AppliedCount("PUT", "SCAN", 1),)))
sys.setswitchinterval(1e-6)
at_once = threading.Barrier(8)
def use():
    at_once.wait()
    for _ in range(50):
        USE
threads = [threading.Thread(target=use) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.mark.parametrize("use", FIRST_USES)
def test_the_first_use_by_many_threads_at_once(use: str) -> None:
    program = PROGRAM.replace("USE", FIRST_USES[use])
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr}"

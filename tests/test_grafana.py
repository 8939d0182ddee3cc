"""The Grafana dashboard: of Grafana's form, of metrics that there are, and each query answered by a real Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from tests.fixtures.prometheus import prometheus_program, scraping
from tests.test_deploy import DEPLOY, METRICS, everything

from twinrow.app.observe.status import Status
from twinrow.app.observe.watch import LastStatus
from twinrow.app.serve.metrics import families

DASHBOARD = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
COLUMNS = 24
TYPES = {"row", "stat", "table", "timeseries"}
FUNCTIONS = {
    "sum", "max", "min", "count", "by", "rate", "time", "vector", "or", "and", "abs", "changes", "table", "kind",
    "origin", "server", "instance", "phase",
}  # fmt: skip
SERIES_OF_THE_TEST = "twinrow"


def panels() -> list[dict[str, Any]]:
    return list(DASHBOARD["panels"])


def expressions() -> Iterator[str]:
    for panel in panels():
        yield from (target["expr"] for target in panel.get("targets", []))
    yield from (annotation["expr"] for annotation in DASHBOARD["annotations"]["list"])


def test_it_is_a_dashboard_of_grafanas_form() -> None:
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time", "refresh"} <= DASHBOARD.keys()
    assert isinstance(DASHBOARD["schemaVersion"], int)
    assert "id" not in DASHBOARD, "an id of another Grafana would overwrite a dashboard there"
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables.keys() == {"datasource", "table"}
    assert variables["datasource"]["type"] == "datasource"
    for panel in panels():
        assert panel["type"] in TYPES, panel["title"]
        if panel["type"] == "row":
            continue
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
        renamed = [
            step["options"]["renameByName"] for step in panel.get("transformations", []) if step["id"] == "organize"
        ]
        assert all(set(names) <= {f"Value #{reference}" for reference in references} | {"table"} for names in renamed)


def test_no_panel_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_a_query_is_made_of_metrics_that_there_are(expression: str) -> None:
    bare = re.sub(r'\{[^}]*\}|"[^"]*"|\[\w+\]', "", expression)
    names = {name for name in re.findall(r"[a-z_]{2,}", bare) if name not in FUNCTIONS}
    assert names
    assert names <= METRICS.keys(), f"no such metric: {names - METRICS.keys()}"
    assert expression.count("(") == expression.count(")")
    for name, selector in re.findall(r"([a-z_]+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)\s*=", selector)) <= METRICS[name]


@pytest.mark.slow
def test_a_real_prometheus_answers_every_query(tmp_path: Path) -> None:
    program = prometheus_program()
    if program is None:
        pytest.skip("prometheus is not there (make servers unpacks Debian's); the queries were parsed all the same")

    class Everything(Collector):
        def collect(self) -> Iterator[Metric]:
            yield from families(LastStatus(Status(1.0, (everything(snapshot_share=0.5),)), "", {}), 1.0)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Everything())
    with scraping(program, tmp_path, generate_latest(registry)) as prometheus:
        for expression in expressions():
            found = prometheus.query(expression.replace("$table", ".*"))
            calm = "== 0" in expression or "> 0" in expression or "== 1" in expression
            assert found or calm, f"{expression} has no sample"

"""The nearest peer, as a process: dlt copies the whole table, `python -m bench.peer ENDPOINT MYSQL_URL FOLDER`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from bench.published import scan_items
from bench.reviews import TABLE

INSTALL = "pip install -e '.[bench]'"


def installed() -> bool:
    """Whether the extra `bench` is installed."""
    return importlib.util.find_spec("dlt") is not None


def main(endpoint_url: str, mysql_url: str, folder: str) -> None:
    """Copy the table by a boto3 scan into MySQL with dlt's SQLAlchemy destination."""
    dlt: Any = importlib.import_module("dlt")

    def reviews() -> Iterator[dict[str, Any]]:
        for item in scan_items(endpoint_url):
            yield {name: _taken(value) for name, value in item.items()}

    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=folder,
        destination=dlt.destinations.sqlalchemy(mysql_url.replace("mysql://", "mysql+pymysql://")),
        dataset_name="peer",
    )
    resource = dlt.resource(reviews, name=TABLE, write_disposition="replace", max_table_nesting=0)
    pipeline.run(resource).raise_on_failed_jobs()


def _taken(value: Any) -> Any:
    """A value as dlt takes it: its JSON columns refuse sets, and Decimals in maps (dlt 1.31)."""
    if isinstance(value, dict):
        return {name: float(member) if isinstance(member, Decimal) else member for name, member in value.items()}
    return sorted(value) if isinstance(value, set) else value


if __name__ == "__main__":
    main(*sys.argv[1:])

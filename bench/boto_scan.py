"""A boto3 scan alone, as a process: `python -m bench.boto_scan ENDPOINT` prints how many items it met."""

from __future__ import annotations

import sys

import boto3

from bench.ground import CREDENTIALS, REGION
from bench.reviews import TABLE


def main(endpoint_url: str) -> None:
    """Scan the whole table by boto3's paginator."""
    client = boto3.client(
        "dynamodb", region_name=REGION, endpoint_url=endpoint_url,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip
    print(sum(len(page["Items"]) for page in client.get_paginator("scan").paginate(TableName=TABLE)))


if __name__ == "__main__":
    main(sys.argv[1])

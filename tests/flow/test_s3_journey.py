"""The journey in a bucket: organized, counted and undone through the S3 protocol."""

import hashlib
import os
from pathlib import Path

import boto3
import pytest
from dashboard_counts import counted, shown
from flow_stack import Command

from deploy.embedded.addresses import running_stack
from models.settings import Settings
from storage.s3_calls import S3Calls
from warehouse.store.parts import open_lake

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

TEXTS = {
    "inbox/a/report.txt": b"the quarterly report\n" * 40,
    "inbox/b/report.txt": b"another report of the same name\n" * 40,
    "inbox/b/copy of report.txt": b"the quarterly report\n" * 40,
    "inbox/data/table.csv": b"a,b\n1,2\n3,4\n" * 20,
    "inbox/[2024] sums.csv": b"x;y\n5;6\n" * 30,
    "elsewhere/untouched.txt": b"not in the prefix",
}


def objects_in(endpoint: str, bucket: str) -> dict[str, str]:
    """Return the sha256 of every object of a bucket, by key."""
    client = boto3.client("s3", endpoint_url=endpoint)
    try:
        listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        bodies = {
            item["Key"]: client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            for item in listed
        }
    finally:
        client.close()
    return {key: hashlib.sha256(data).hexdigest() for key, data in bodies.items()}


@pytest.fixture
def bucket(s3_calls: S3Calls, s3_bucket: str) -> str:
    """A bucket with a small messy prefix, and an object beside it."""
    for key, data in TEXTS.items():
        s3_calls.call("put_object", Bucket=s3_bucket, Key=key, Body=data)
    return s3_bucket


def test_a_prefix_is_organized_and_put_back(stack: dict[str, str], s3_endpoint: str, bucket: str):
    credentials = {name: os.environ[name] for name in os.environ if name.startswith("AWS_")}
    endpoint = {"FILEORGANIZER_S3_ENDPOINT_URL": s3_endpoint}
    command = Command(env=stack, extra={**credentials, **endpoint})
    before = objects_in(s3_endpoint, bucket)
    source = f"s3://{bucket}/inbox"
    groups = command("duplicates", source)["duplicate_groups"]
    assert [len(group["duplicates"]) for group in groups] == [1]

    done = command("organize", source, "--mode", "extension", "--on-duplicate", "trash", "--yes")
    assert done["job"]["status"] == "completed"
    after = objects_in(s3_endpoint, bucket)
    assert sorted(after.values()) == sorted(before.values())
    live = {key for key in after if "/.fileorganizer/" not in key}
    assert live == {
        "elsewhere/untouched.txt",
        "inbox/csv/[2024] sums.csv",
        "inbox/csv/table.csv",
        "inbox/txt/report.txt",
        "inbox/txt/report (2).txt",
    }

    addresses = running_stack(Settings(home=Path(stack["FILEORGANIZER_HOME"])))
    assert addresses is not None
    lake = open_lake(addresses.lake)
    told, there = shown(lake), counted(lake, addresses.database_url)
    of_files = {key for key in there if key[0] in {"storage_totals", "duplicates_totals"}}
    assert {key: told[key] for key in of_files} == {key: there[key] for key in of_files}
    assert len(of_files) == 8
    assert told["runs_totals", "done"] >= done["plan"]["totals"]["moves"]
    assert command("warehouse", "check")["is_sound"]

    again = command("organize", source, "--mode", "extension", "--yes")["plan"]["totals"]
    assert again["moves"] + again["trashes"] + again["copies"] == 0
    assert command("undo", done["job"]["id"])["job"]["status"] == "completed"
    assert objects_in(s3_endpoint, bucket) == before

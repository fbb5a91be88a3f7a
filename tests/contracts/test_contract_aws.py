"""What only AWS has: encryption, versions, keys and ttl; and what its refusals and outages look like."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest
from tests.contracts.conftest import BUCKET, TABLES, Machines

from codeflow.core.errors import SessionError
from codeflow.core.events import AgentFinished, Event, Notice
from codeflow.core.settings import load_settings
from codeflow.models.bedrock import open_session
from codeflow.sessions.stores.aws import Account
from codeflow.sessions.stores.port import LEASE_S, UnreachableError
from codeflow.sessions.stores.s3 import S3Store


def note(text: str) -> Notice:
    return Notice(level="info", text=text)


@pytest.fixture
def on_s3(machines_of):
    return machines_of("s3")


@pytest.fixture
def on_dynamodb(machines_of):
    return machines_of("dynamodb")


async def write(machines: Machines, *events: Event) -> str:
    log = machines().create(machines.workspace)
    for event in events:
        log(event)
        await log.flushed()
    log.close()
    assert log.problem is None
    return log.session_id


async def test_objects_are_encrypted_and_the_bucket_is_versioned_and_private(on_s3, s3):
    session = await write(on_s3, note("a"), note("b"))
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == [
        f"team/a/heads/{session}.json",
        f"team/a/leases/{session}.json",
        f"team/a/logs/{session}/0000000001.jsonl",
        f"team/a/logs/{session}/0000000002.jsonl",
    ]
    for key in keys:
        assert s3.head_object(Bucket=BUCKET, Key=key)["ServerSideEncryption"] == "AES256"
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())


def test_a_key_of_ones_own_encrypts_the_objects(on_s3, s3):
    store = S3Store(BUCKET, "", Account(kms_key="alias/mine"))
    from codeflow.sessions.stores.owner import this_process
    from codeflow.sessions.stores.port import acquire

    acquire(store, "20261121-120000-0000", this_process(), 0.0)
    stored = s3.head_object(Bucket=BUCKET, Key="leases/20261121-120000-0000.json")
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", "alias/mine")


async def test_deleting_leaves_no_version_behind(on_s3, s3):
    session = await write(on_s3, note("a"), note("b"))
    assert len(s3.list_object_versions(Bucket=BUCKET)["Versions"]) > 4
    on_s3().delete(session)
    left = s3.list_object_versions(Bucket=BUCKET)
    assert (left.get("Versions", []), left.get("DeleteMarkers", [])) == ([], [])


async def test_a_head_that_was_not_written_after_its_lines_is_made_up_for(on_s3, s3):
    session = await write(on_s3, note("a"), note("b"))
    s3.delete_object(Bucket=BUCKET, Key=f"team/a/heads/{session}.json")
    log = on_s3("b").install(session, on_s3.workspace)
    log.close()
    on_s3("b").resume(session).close()
    assert list(on_s3("b").events(session)) == [note("a"), note("b")]


async def test_tables_have_the_keys_indexes_and_ttl_that_they_should(on_dynamodb, dynamodb):
    def keys(described):
        return [part["AttributeName"] for part in described["KeySchema"]]

    found = {}
    for part in ("state", "memory", "tasks"):
        table = dynamodb.describe_table(TableName=f"{TABLES}-{part}")["Table"]
        indexes = {index["IndexName"]: keys(index) for index in table["GlobalSecondaryIndexes"]}
        found[part] = (keys(table), indexes)
        assert table["SSEDescription"]["SSEType"] == "KMS"
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        backups = dynamodb.describe_continuous_backups(TableName=f"{TABLES}-{part}")
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    assert found == {
        "state": (["sessionId", "timestamp"], {"AgentIdIndex": ["agentId", "timestamp"]}),
        "memory": (["memoryKey"], {"SessionIndex": ["sessionId"]}),
        "tasks": (["taskId"], {"StatusPriorityIndex": ["status", "priority"]}),
    }
    stream = dynamodb.describe_table(TableName=f"{TABLES}-state")["Table"]["StreamSpecification"]
    assert stream["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    ttl = dynamodb.describe_time_to_live(TableName=f"{TABLES}-memory")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
    assert all(line.endswith(": found") for line in on_dynamodb().shared.set_up())


async def test_items_can_be_queried_by_agent_and_by_status_and_leases_expire(on_dynamodb, dynamodb):
    log = on_dynamodb().create(on_dynamodb.workspace)
    for agent in ("coder", "coder", "reviewer"):
        log(AgentFinished(agent=agent, node=agent, visit=1, ok=True, summary="x"))
    await log.flushed()

    def query(table, index, key, value):
        return dynamodb.query(
            TableName=f"{TABLES}-{table}", IndexName=index, KeyConditionExpression="#key = :value",
            ExpressionAttributeNames={"#key": key}, ExpressionAttributeValues={":value": {"S": value}},
        )["Items"]  # fmt: skip

    stretches = query("state", "AgentIdIndex", "agentId", "coder")
    assert [(item["first"]["N"], item["last"]["N"]) for item in stretches] == [("1", "2")]
    assert abs(int(stretches[0]["timestamp"]["N"]) / 1e6 - time.time()) < 3600
    (task,) = query("tasks", "StatusPriorityIndex", "status", "unfinished")
    assert task["taskId"]["S"] == log.session_id
    (lease,) = query("memory", "SessionIndex", "sessionId", log.session_id)
    ends = json.loads(lease["value"]["S"])["expires"]
    assert int(lease["ttl"]["N"]) == int(ends)
    assert 0 < ends - time.time() <= LEASE_S
    log.close()


def count(dynamodb, part: str) -> int:
    pages = dynamodb.get_paginator("scan").paginate(TableName=f"{TABLES}-{part}", Select="COUNT")
    return sum(page["Count"] for page in pages)


async def test_a_long_line_is_kept_in_pieces_that_go_with_the_session(on_dynamodb, dynamodb):
    session = await write(on_dynamodb, note("x" * 1_000_000))
    assert count(dynamodb, "memory") == 3 + 1
    on_dynamodb().delete(session)
    for part in ("state", "memory", "tasks"):
        assert count(dynamodb, part) == 0


RUN = """
import asyncio, os, sys
from pathlib import Path
from codeflow.core.errors import SessionError
from codeflow.core.events import Notice
from codeflow.core.settings import load_settings
from codeflow.sessions.opening import open_sessions

async def main(workspace):
    try:
        log = open_sessions(load_settings(workspace, env=os.environ), os.environ).create(workspace)
        log(Notice(level="info", text="x"))
        await log.flushed()
        print(log.problem)
        log.close()
    except SessionError as error:
        print(error, error.hint, sep="\\n")

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize(
    ("named", "variables", "region"),
    [
        ("", {"AWS_REGION": "eu-central-1"}, "eu-central-1"),
        ("", {"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-central-1"),
        ("", {"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
        ("eu-west-1", {"AWS_REGION": "eu-central-1"}, "eu-west-1"),
    ],
)
@pytest.mark.usefixtures("aws")
def test_a_store_and_a_model_are_in_the_same_region(monkeypatch, tmp_path, named, variables, region):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for service in ("dynamodb", "s3"):
        assert Account(region=named).client(service).meta.region_name == region
    models = load_settings(tmp_path, env={"CODEFLOW_MODELS__REGION": named}).models
    assert open_session(models).region_name == region


@pytest.mark.parametrize(
    ("address", "more", "message", "hint"),
    [
        ("s3://no-such-bucket/x", {}, "s3://no-such-bucket/x: it does not exist (NoSuchBucket)", "sessions setup"),
        ("dynamodb:nothing", {}, "dynamodb:nothing: it does not exist (ResourceNotFoundException)", "sessions setup"),
        (
            f"s3://{BUCKET}/x",
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"},
            f"s3://{BUCKET}/x: no AWS credentials: Unable to locate credentials",
            "aws sso login",
        ),
        (f"s3://{BUCKET}/x", {"AWS_PROFILE": "nobody"}, "s3: no AWS credentials: The config profile (nobody)", "profile"),
        ("dynamodb:x", {"AWS_REGION": None, "AWS_DEFAULT_REGION": None}, "dynamodb: no AWS region is set", "AWS_REGION"),
        ("sqlite:/dev/null/x.db", {}, "sqlite:/dev/null/x.db: sessions cannot be kept there: Not a directory", "file"),
    ],
)  # fmt: skip
def test_a_store_that_cannot_be_used_stops_the_run_before_its_first_step(on_s3, address, more, message, hint):
    env = (
        os.environ | on_s3.env() | {"CODEFLOW_SESSIONS__STORE": address, "AWS_CONFIG_FILE": os.devnull} | more
    )
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(on_s3.workspace)],
        env={name: value for name, value in env.items() if value is not None},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert first.startswith(message)
    assert hint in second


@pytest.fixture
def check_rights(aws) -> Iterator[None]:
    """Has moto look at credentials, which it does not know."""

    def answer(free_calls: str) -> None:
        request = Request(
            f"{aws}/moto-api/reset-auth",
            data=free_calls.encode(),
            method="POST",
            headers={"Content-Type": "text/plain"},
        )
        urlopen(request).close()

    answer("0")
    yield
    answer("inf")


def test_credentials_that_aws_does_not_know_are_said(on_s3, check_rights):
    with pytest.raises(SessionError, match=r"AWS does not know these credentials \(InvalidAccessKeyId\)"):
        list(on_s3().shared.heads())


async def test_an_outage_does_not_stop_the_run_and_is_told_and_made_up_for(on_s3, monkeypatch):
    log = on_s3().create(on_s3.workspace)
    log(note("before"))
    await log.flushed()
    shared = on_s3().shared
    assert isinstance(shared, S3Store)
    working = shared._s3
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        shared.__dict__["_s3"] = Account().client("s3")
    log(note("during"))
    await log.flushed()
    assert "not everything has reached s3://" in (log.problem or "")
    await log.flushed()
    with pytest.raises(UnreachableError):
        shared.heads()
    store = on_s3()
    assert [info.stored for info in store.list()] == ["here"]
    assert store.unreachable
    with pytest.raises(UnreachableError):
        shared.lease(log.session_id)
    shared.__dict__["_s3"] = working
    log(note("after"))
    log.close()
    assert log.problem is None
    assert list(on_s3("b").events(log.session_id)) == [
        note("before"),
        note("during"),
        note("after"),
    ]

"""The DynamoDB tables of a store: state, memory and tasks, with their keys, indexes, encryption and ttl."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from codeflow.sessions.stores.aws import code_of

_POINT_IN_TIME = {"PointInTimeRecoveryEnabled": True}


def definitions(prefix: str, kms_key: str = "") -> Sequence[dict[str, Any]]:
    """What CreateTable is given for each table, as a template would say it too."""
    encryption = {"Enabled": True, "SSEType": "KMS", **({"KMSMasterKeyId": kms_key} if kms_key else {})}
    tables = [
        _table(
            f"{prefix}-state",
            {"sessionId": "S", "timestamp": "N", "agentId": "S"},
            keys=("sessionId", "timestamp"),
            indexes={"AgentIdIndex": ("agentId", "timestamp")},
        )
        | {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}},
        _table(
            f"{prefix}-memory",
            {"memoryKey": "S", "sessionId": "S"},
            keys=("memoryKey",),
            indexes={"SessionIndex": ("sessionId",)},
        ),
        _table(
            f"{prefix}-tasks",
            {"taskId": "S", "status": "S", "priority": "N"},
            keys=("taskId",),
            indexes={"StatusPriorityIndex": ("status", "priority")},
        ),
    ]
    return [table | {"SSESpecification": encryption} for table in tables]


def create_tables(db: Any, prefix: str, kms_key: str) -> Sequence[str]:
    """Creates the tables that are missing, waits for them, and turns on ttl and backups; one line for each."""
    said = []
    for definition in definitions(prefix, kms_key):
        name = definition["TableName"]
        made = _create(db, definition)
        db.get_waiter("table_exists").wait(TableName=name)
        if made:
            db.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=_POINT_IN_TIME)
        said.append(f"table {name}: {'made' if made else 'found'}")
    memory = f"{prefix}-memory"
    ttl = db.describe_time_to_live(TableName=memory)["TimeToLiveDescription"]
    if ttl.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"}:
        db.update_time_to_live(
            TableName=memory, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
        )
    return said


def _create(db: Any, definition: dict[str, Any]) -> bool:
    try:
        db.create_table(**definition)
    except ClientError as error:
        if code_of(error) == "ResourceInUseException":
            return False
        raise
    return True


def _table(
    name: str, attributes: dict[str, str], *, keys: Sequence[str], indexes: dict[str, Sequence[str]]
) -> dict[str, Any]:
    return {
        "TableName": name,
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": kind} for attribute, kind in attributes.items()
        ],
        "KeySchema": _schema(keys),
        "GlobalSecondaryIndexes": [
            {"IndexName": index, "KeySchema": _schema(parts), "Projection": {"ProjectionType": "ALL"}}
            for index, parts in indexes.items()
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }


def _schema(keys: Sequence[str]) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, kinds, strict=False)]

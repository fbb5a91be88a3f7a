"""Sessions in three DynamoDB tables, PREFIX-state, PREFIX-memory and PREFIX-tasks.

- state, by sessionId and timestamp (microseconds): a stretch of lines with agentId, first, last; `lines` or `parts`
- memory, by memoryKey: lease#ID, which `ttl` removes some time after its end; line#ID#…, a piece of a long line
- tasks, by taskId, which is the session's id: status, priority, the last line's number, and the session in short
"""

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from codeflow.core.errors import SessionError
from codeflow.sessions.records import Chain
from codeflow.sessions.stores.aws import Account, translated
from codeflow.sessions.stores.port import Lease, UnreachableError, taken_over
from codeflow.sessions.stores.tables import create_tables
from codeflow.sessions.summary import Head

_ITEM_BYTES = 350_000
"""Of lines in one item, which may have 400 KB with its names."""
_TRANSACTION_BYTES = 3_000_000
_TRANSACTION_ITEMS = 90
_UNNAMED_AGENT = "codeflow"
_PRIORITY = 0
"""Of every session: they are not queued, but the index wants a number."""
_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}

Item = dict[str, Any]


@dataclass(slots=True)
class _Stretch:
    """Consecutive lines of one agent that fit into one item."""

    agent: str
    first: int
    lines: list[bytes]
    size: int = 0


class DynamoStore:
    """A `LogStore` in tables. An append is a transaction that also checks lease and position.

    The lease's `ttl` lets DynamoDB remove it some time after it has ended; whether it has ended is judged by
    `expires`, since DynamoDB takes its time.
    """

    def __init__(self, prefix: str, account: Account) -> None:
        self.name = f"dynamodb:{prefix}"
        self._state, self._memory, self._tasks = (f"{prefix}-{part}" for part in ("state", "memory", "tasks"))
        self._prefix = prefix
        self._account = account

    def set_up(self) -> Sequence[str]:
        with translated(self.name):
            return create_tables(self._db, self._prefix, self._account.kms_key)

    def heads(self) -> Sequence[Head]:
        pages = self._pages("scan", TableName=self._tasks, ConsistentRead=True)
        return [Head.from_json(json.loads(item["head"]["S"])) for item in pages if "head" in item]

    def head(self, session_id: str) -> Head | None:
        item = self._get(self._tasks, {"taskId": {"S": session_id}})
        if item is None:
            return None
        head = (
            Head.from_json(json.loads(item["head"]["S"])) if "head" in item else Head(session_id=session_id)
        )
        chain = Chain(head.lines, head.tip)
        if int(item["last"]["N"]) > head.lines:  # the last of several transactions is missing
            for line in self.read(session_id, after=head.lines):
                chain.extend(line)
        return replace(head, lines=chain.count, tip=chain.tip)

    def read(self, session_id: str, after: int = 0) -> Iterator[bytes]:
        items = self._pages(
            "query",
            TableName=self._state,
            ConsistentRead=True,
            KeyConditionExpression="sessionId = :id",
            FilterExpression="#last > :after",
            ExpressionAttributeNames={"#last": "last"},
            ExpressionAttributeValues={":id": {"S": session_id}, ":after": {"N": str(after)}},
        )
        for item in items:
            lines = self._lines_of(item).splitlines(keepends=True)
            yield from lines[max(0, after + 1 - int(item["first"]["N"])) :]

    def append(self, lease: Lease, first: int, lines: Sequence[bytes], head: Head) -> None:
        stretches = list(_stretches(first, lines))
        while stretches:
            part, size = [stretches.pop(0)], 0
            while stretches and len(part) < _TRANSACTION_ITEMS and size < _TRANSACTION_BYTES:
                size += stretches[0].size
                part.append(stretches.pop(0))
            self._append(lease, part, None if stretches else head)

    def delete(self, session_id: str) -> None:
        pages = self._pages(
            "query",
            TableName=self._memory,
            IndexName="SessionIndex",
            KeyConditionExpression="sessionId = :id",
            ExpressionAttributeValues={":id": {"S": session_id}},
        )
        stretches = self._pages(
            "query",
            TableName=self._state,
            KeyConditionExpression="sessionId = :id",
            ProjectionExpression="sessionId, #time",
            ExpressionAttributeNames={"#time": "timestamp"},
            ExpressionAttributeValues={":id": {"S": session_id}},
        )
        with translated(self.name):
            for item in stretches:
                self._db.delete_item(TableName=self._state, Key=item)
            for item in pages:
                self._db.delete_item(TableName=self._memory, Key={"memoryKey": item["memoryKey"]})
            self._db.delete_item(TableName=self._tasks, Key={"taskId": {"S": session_id}})

    def lease(self, session_id: str) -> Lease | None:
        item = self._get(self._memory, _lease_key(session_id))
        return Lease.from_json(json.loads(item["value"]["S"]), item["value"]["S"]) if item else None

    def swap_lease(self, old: Lease | None, new: Lease) -> Lease:
        text = json.dumps(new.to_json())
        condition: Item = {"ConditionExpression": "attribute_not_exists(memoryKey)"}
        if old:
            condition = {
                "ConditionExpression": "#value = :old",
                "ExpressionAttributeNames": {"#value": "value"},
                "ExpressionAttributeValues": {":old": {"S": old.version}},
            }
        item = {
            **_lease_key(new.session_id),
            "sessionId": {"S": new.session_id},
            "agentId": {"S": _UNNAMED_AGENT},
            "token": {"S": new.owner.token},
            "value": {"S": text},
            "ttl": {"N": str(int(max(new.expires, time.time())))},
        }
        try:
            with translated(self.name):
                self._db.put_item(TableName=self._memory, Item=item, **condition)
        except ClientError as error:
            raise taken_over(new.session_id) from error
        return replace(new, version=text)

    @cached_property
    def _db(self) -> Any:
        return self._account.client("dynamodb")

    def _append(self, lease: Lease, stretches: Sequence[_Stretch], head: Head | None) -> None:
        """One transaction: the lease is ours, the log ends where we think, the stretches follow."""
        session_id = lease.session_id
        first, last = stretches[0].first, stretches[-1].first + len(stretches[-1].lines) - 1
        moment = max(time.time_ns() // 1000, self._last_moment(session_id) + 1)
        items = [self._item(session_id, stretch, moment + offset) for offset, stretch in enumerate(stretches)]
        checks = [
            {
                "ConditionCheck": {
                    "TableName": self._memory,
                    "Key": _lease_key(session_id),
                    "ConditionExpression": "#token = :token",
                    "ExpressionAttributeNames": {"#token": "token"},
                    "ExpressionAttributeValues": {":token": {"S": lease.owner.token}},
                }
            },
            {"Update": self._advance(session_id, first, last, moment + len(items), head)},
        ]
        puts = [{"Put": {"TableName": self._state, "Item": item} | _NEW_ITEM} for item in items]
        try:
            with translated(self.name):
                self._db.transact_write_items(TransactItems=[*checks, *puts])
        except ClientError as error:
            raise self._cancelled(session_id, error) from error

    def _advance(self, session_id: str, first: int, last: int, moment: int, head: Head | None) -> Item:
        """The update of the session's task, which fails unless the log ends before `first`."""
        sets = {"last": {"N": str(last)}, "moment": {"N": str(moment)}}
        if head:
            sets |= {
                "status": {"S": head.status},
                "priority": {"N": str(_PRIORITY)},
                "head": {"S": json.dumps(head.to_json())},
            }
        condition = "#last = :before" if first > 1 else "attribute_not_exists(taskId)"
        before = {":before": {"N": str(first - 1)}} if first > 1 else {}
        return {
            "TableName": self._tasks,
            "Key": {"taskId": {"S": session_id}},
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in sets),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in sets},
            "ExpressionAttributeValues": {f":{name}": value for name, value in sets.items()} | before,
        }

    def _cancelled(self, session_id: str, error: ClientError) -> SessionError:
        reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])}
        if reasons & _PASSING and "ConditionalCheckFailed" not in reasons:
            return UnreachableError(f"{self.name}: {', '.join(sorted(reasons & _PASSING))}")
        return taken_over(session_id)

    def _last_moment(self, session_id: str) -> int:
        item = self._get(self._tasks, {"taskId": {"S": session_id}})
        return int(item["moment"]["N"]) if item else 0

    def _item(self, session_id: str, stretch: _Stretch, moment: int) -> Item:
        body = b"".join(stretch.lines)
        item = {
            "sessionId": {"S": session_id},
            "timestamp": {"N": str(moment)},
            "agentId": {"S": stretch.agent},
            "first": {"N": str(stretch.first)},
            "last": {"N": str(stretch.first + len(stretch.lines) - 1)},
        }
        if len(body) <= _ITEM_BYTES:
            return item | {"lines": {"B": body}}
        return item | {"parts": {"L": [{"S": key} for key in self._put_parts(session_id, body)]}}

    def _put_parts(self, session_id: str, body: bytes) -> list[str]:
        """Stores a line that is too long for an item in pieces. Nothing refers to them before the line's item."""
        keys = []
        attempt = uuid.uuid4().hex
        for start in range(0, len(body), _ITEM_BYTES):
            keys.append(f"line#{session_id}#{attempt}#{start}")
            item = {
                "memoryKey": {"S": keys[-1]},
                "sessionId": {"S": session_id},
                "value": {"B": body[start : start + _ITEM_BYTES]},
            }
            with translated(self.name):
                self._db.put_item(TableName=self._memory, Item=item)
        return keys

    def _lines_of(self, item: Item) -> bytes:
        if "lines" in item:
            return bytes(item["lines"]["B"])
        pieces = [self._get(self._memory, {"memoryKey": key}) for key in item["parts"]["L"]]
        return b"".join(piece["value"]["B"] for piece in pieces if piece)

    def _get(self, table: str, key: Item) -> Item | None:
        with translated(self.name):
            item: Item | None = self._db.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        return item

    def _pages(self, operation: str, **request: Any) -> Iterator[Item]:
        with translated(self.name):
            for page in self._db.get_paginator(operation).paginate(**request):
                yield from page["Items"]


_NEW_ITEM = {"ConditionExpression": "attribute_not_exists(sessionId)"}


def _lease_key(session_id: str) -> Item:
    return {"memoryKey": {"S": f"lease#{session_id}"}}


def _stretches(first: int, lines: Sequence[bytes]) -> Iterator[_Stretch]:
    """Cuts lines where the agent changes or an item is full."""
    stretch: _Stretch | None = None
    for number, line in enumerate(lines, start=first):
        agent = str(json.loads(line)["event"].get("agent") or _UNNAMED_AGENT)
        if stretch is None or stretch.agent != agent or stretch.size + len(line) > _ITEM_BYTES:
            if stretch:
                yield stretch
            stretch = _Stretch(agent, number, [])
        stretch.lines.append(line)
        stretch.size += len(line)
    if stretch:
        yield stretch

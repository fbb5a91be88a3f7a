"""Sessions in an S3 bucket.

- PREFIX/heads/ID.json: the session in short, replaced with every append
- PREFIX/leases/ID.json: who writes it; made only by If-None-Match, replaced only by If-Match
- PREFIX/logs/ID/0000000001.jsonl: lines from that number on; made only by If-None-Match, then never changed
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from codeflow.sessions.records import Chain
from codeflow.sessions.stores.aws import Account, code_of, translated
from codeflow.sessions.stores.port import Lease, taken_over
from codeflow.sessions.summary import Head

_READERS = 8
"""Objects that are fetched at once."""
_DELETED_AT_ONCE = 1000
_ABSENT = {"NoSuchKey", "404"}


class S3Store:
    """A `LogStore` in a bucket. One object holds the lines of one append, so that none is ever rewritten.

    Two writers cannot mix their lines: each extends a log that it has read whole, so both would write the
    object with the same number, and S3 lets the first of them. In a versioned bucket heads and leases leave
    older versions behind, which `delete` removes as well.
    """

    def __init__(self, bucket: str, prefix: str, account: Account) -> None:
        self._bucket = bucket
        self._root = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.name = f"s3://{bucket}/{self._root}".rstrip("/")
        self._account = account

    def set_up(self) -> Sequence[str]:
        with translated(self.name):
            found = self._bucket_exists()
            if not found:
                region = self._s3.meta.region_name
                where = {"LocationConstraint": region} if region != "us-east-1" else None
                place = {"CreateBucketConfiguration": where} if where else {}
                self._s3.create_bucket(Bucket=self._bucket, **place)
            self._s3.put_bucket_versioning(Bucket=self._bucket, VersioningConfiguration={"Status": "Enabled"})
            self._s3.put_public_access_block(
                Bucket=self._bucket,
                PublicAccessBlockConfiguration=dict.fromkeys(
                    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"),
                    True,
                ),
            )
        state = "found" if found else "made"
        return [f"bucket {self._bucket}: {state}, versioned, closed to the public"]

    def heads(self) -> Sequence[Head]:
        keys = [entry["Key"] for entry in self._list("heads/")]
        return [Head.from_json(json.loads(body)) for body in self._fetch(keys) if body is not None]

    def head(self, session_id: str) -> Head | None:
        stored = self._get(self._key("heads", session_id))
        head = Head.from_json(json.loads(stored[0])) if stored else Head(session_id=session_id)
        chain = Chain(head.lines, head.tip)
        for line in self.read(session_id, after=head.lines):  # an append that was cut off before its head
            chain.extend(line)
        return replace(head, lines=chain.count, tip=chain.tip) if chain.count else None

    def read(self, session_id: str, after: int = 0) -> Iterator[bytes]:
        keys = [entry["Key"] for entry in self._list(f"logs/{session_id}/")]
        firsts = [int(key.rpartition("/")[2].removesuffix(".jsonl")) for key in keys]
        begin = max((index for index, first in enumerate(firsts) if first <= after + 1), default=0)
        for first, body in zip(firsts[begin:], self._fetch(keys[begin:]), strict=True):
            yield from (body or b"").splitlines(keepends=True)[max(0, after + 1 - first) :]

    def append(self, lease: Lease, first: int, lines: Sequence[bytes], head: Head) -> None:
        key = f"{self._root}logs/{lease.session_id}/{first:010d}.jsonl"
        try:
            self._put(key, b"".join(lines), {"IfNoneMatch": "*"})
        except ClientError as error:
            raise taken_over(lease.session_id) from error
        self._put(self._key("heads", lease.session_id), json.dumps(head.to_json()).encode(), {})

    def delete(self, session_id: str) -> None:
        prefixes = [f"logs/{session_id}/", f"heads/{session_id}.json", f"leases/{session_id}.json"]
        for prefix in prefixes:
            found = [
                {"Key": entry["Key"], "VersionId": entry["VersionId"]}
                for page in self._pages("list_object_versions", prefix)
                for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            ]
            with translated(self.name):
                for start in range(0, len(found), _DELETED_AT_ONCE):
                    part = found[start : start + _DELETED_AT_ONCE]
                    self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": part, "Quiet": True})

    def lease(self, session_id: str) -> Lease | None:
        stored = self._get(self._key("leases", session_id))
        return Lease.from_json(json.loads(stored[0]), stored[1]) if stored else None

    def swap_lease(self, old: Lease | None, new: Lease) -> Lease:
        condition = {"IfMatch": old.version} if old else {"IfNoneMatch": "*"}
        body = json.dumps(new.to_json()).encode()
        try:
            etag = self._put(self._key("leases", new.session_id), body, condition)
        except ClientError as error:
            raise taken_over(new.session_id) from error
        return replace(new, version=etag)

    @cached_property
    def _s3(self) -> Any:
        return self._account.client("s3")

    def _key(self, kind: str, session_id: str) -> str:
        return f"{self._root}{kind}/{session_id}.json"

    def _put(self, key: str, body: bytes, condition: Mapping[str, str]) -> str:
        """Writes an object and returns its ETag.

        Raises:
            ClientError: when the condition does not hold.
        """
        encryption = {"ServerSideEncryption": "AES256"}
        if self._account.kms_key:
            encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._account.kms_key}
        with translated(self.name):
            try:
                answer = self._s3.put_object(
                    Bucket=self._bucket, Key=key, Body=body, **encryption, **condition
                )
            except self._s3.exceptions.NoSuchKey as error:  # If-Match on an object that was deleted
                raise ClientError({"Error": {"Code": "412"}}, "PutObject") from error
        return str(answer["ETag"])

    def _get(self, key: str) -> tuple[bytes, str] | None:
        with translated(self.name):
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=key)
                return answer["Body"].read(), answer["ETag"]
            except ClientError as error:
                if code_of(error) in _ABSENT:
                    return None
                raise

    def _fetch(self, keys: Sequence[str]) -> Iterator[bytes | None]:
        """The objects in order, several at once."""
        with ThreadPoolExecutor(_READERS) as pool:
            for stored in pool.map(self._get, keys):
                yield stored[0] if stored else None

    def _list(self, prefix: str) -> list[dict[str, Any]]:
        """The objects below a prefix, sorted by key, as S3 lists them."""
        return [
            entry for page in self._pages("list_objects_v2", prefix) for entry in page.get("Contents", [])
        ]

    def _pages(self, operation: str, prefix: str) -> Iterator[dict[str, Any]]:
        with translated(self.name):
            pages = self._s3.get_paginator(operation)
            yield from pages.paginate(Bucket=self._bucket, Prefix=self._root + prefix)

    def _bucket_exists(self) -> bool:
        try:
            self._s3.head_bucket(Bucket=self._bucket)
        except ClientError as error:
            if code_of(error) in {"404", "NoSuchBucket"}:
                return False
            raise
        return True

"""Bytes of Bedrock's answers: `application/vnd.amazon.eventstream` frames, and JSON."""

import json
import struct
from binascii import crc32
from collections.abc import Mapping
from typing import Any

EVENT_STREAM = "application/vnd.amazon.eventstream"
JSON = "application/json"
_STRING_HEADER = 7


def to_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def event_frame(name: str, payload: Mapping[str, Any]) -> bytes:
    return _frame({":event-type": name, ":content-type": JSON, ":message-type": "event"}, to_json(payload))


def exception_frame(name: str, payload: Mapping[str, Any]) -> bytes:
    headers = {":exception-type": name, ":content-type": JSON, ":message-type": "exception"}
    return _frame(headers, to_json(payload))


def _frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    head = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", crc32(prelude)) + head + payload
    return message + struct.pack(">I", crc32(message))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack(">B", len(key)) + key + struct.pack(">BH", _STRING_HEADER, len(text)) + text

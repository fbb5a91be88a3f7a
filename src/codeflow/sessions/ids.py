"""The ids of sessions: date, time, and the microseconds in base 36, so that they sort like time."""

import re
import string
from datetime import UTC, datetime, timedelta

_TIME = "%Y%m%d-%H%M%S"
_ID = re.compile(r"\d{8}-\d{6}-[a-z0-9]{4}")
_DIGITS = string.digits + string.ascii_lowercase
_CLOCK_STEP = timedelta(days=1)


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def id_at(moment: datetime) -> str:
    suffix, rest = "", moment.microsecond
    for _ in range(4):
        rest, digit = divmod(rest, 36)
        suffix = _DIGITS[digit] + suffix
    return f"{moment:{_TIME}}-{suffix}"


def moment_of(session_id: str) -> datetime:
    """When a session began, in UTC."""
    second = datetime.strptime(session_id[:-5], _TIME).replace(tzinfo=UTC)
    return second + timedelta(microseconds=min(int(session_id[-4:], 36), 999_999))


def id_after(newest: str | None, now: datetime) -> str:
    """An id for now that sorts behind the newest one, even when the clock was set back.

    A newest one that lies more than a day ahead was made while the clock was wrong, and does not count.
    """
    if newest is not None and is_id(newest):
        last = moment_of(newest)
        if now <= last < now + _CLOCK_STEP:
            return id_at(last + timedelta(microseconds=1))
    return id_at(now)

"""What must survive a compaction word for word, gathered from the turns that are taken out."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from codeflow.agents.context.conversation import Called, Message, calls, said
from codeflow.agents.context.cutting import clipped
from codeflow.core.values import Effect

_KEY = "codeflow_memo"
_PLAN = re.compile(r"<plan>\n.*?\n</plan>", re.DOTALL)
_RED = re.compile(r"^exit code (?!0\b)|^stopped after |^FAILED |\b[1-9][\d,]* failed\b", re.MULTILINE)
_VERDICT_LINES = 5
"""A check's verdict stands in its first lines; further down, "failed" may be anybody's word."""
_INTRODUCTION = (
    "The conversation up to here was shortened to fit your window; this stands for it. "
    "Files may have changed since you read them: read again what you need."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memo:
    """The essence of the turns taken out so far; lists are oldest first."""

    summary: str = ""
    """A model's words, or a list of calls where no model could be asked."""
    orders: tuple[str, ...] = ()
    """What the agent was asked after its first message."""
    plan: str = ""
    said: tuple[str, ...] = ()
    """The agent's own words: its findings and decisions."""
    changed: tuple[str, ...] = ()
    """Calls that changed files."""
    read: tuple[str, ...] = ()
    failing_check: str = ""
    failing: str = ""
    """Output of the last check that failed and did not succeed since."""


def recalled(task: Message) -> Memo:
    """The memo that an earlier compaction left in the first message."""
    stored = _stored(task)
    if stored is None:
        return Memo()
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()
    }
    return Memo(**values)


def _stored(task: Message) -> dict[str, Any] | None:
    stored: dict[str, Any] | None = task.get("metadata", {}).get("custom", {}).get(_KEY)
    return stored


def gathered(memo: Memo, gone: Sequence[Message], kept: Sequence[Message]) -> Memo:
    """The memo with everything that the messages that are `gone` add to it; the summary stays as it is."""
    made = [called for called in calls(gone) if called.ok]
    orders = said(gone, "user")
    plans = [plan for order in orders for plan in _PLAN.findall(order)]
    check = Memo() if failing_calls(kept) else last_failure([*gone, *kept], before=memo)
    return replace(
        memo,
        orders=(*memo.orders, *orders),
        plan=plans[-1] if plans else memo.plan,
        said=(*memo.said, *said(gone, "assistant")),
        changed=_union(memo.changed, (called.line for called in made if called.effect is Effect.WRITE)),
        read=_union(memo.read, (called.summary for called in made if called.tool == "read_file")),
        failing_check=check.failing_check,
        failing=check.failing,
    )


def last_failure(messages: Sequence[Message], before: Memo | None = None) -> Memo:
    """The last check that failed, with `failing_check` and `failing` only; one that succeeded later is forgotten."""
    memo = before or Memo()
    for called in calls(messages):
        if called.effect is not Effect.EXECUTE:
            continue
        if _is_red(called):
            memo = replace(memo, failing_check=called.line, failing=called.text)
        elif called.line in (memo.failing_check, memo.failing_check.partition(" ")[0]):
            memo = replace(memo, failing_check="", failing="")
    return memo


def failing_calls(messages: Sequence[Message]) -> set[str]:
    """The ids of the calls whose result is the last failing output."""
    failing = last_failure(messages).failing
    return {called.id for called in calls(messages) if failing and called.text == failing}


def _is_red(called: Called) -> bool:
    head = "\n".join(called.text.splitlines()[:_VERDICT_LINES])
    return not called.ok or bool(_RED.search(head))


def with_memo(task: Message, memo: Memo, limit_chars: int) -> Message:
    """The first message, its own blocks untouched, followed by the memo as a block of its own."""
    own = task["content"][:-1] if _stored(task) else task["content"]
    fitted = _fitted(memo, limit_chars)
    return {
        "role": "user",
        "content": [*own, {"text": _rendered(fitted)}],
        "metadata": {"custom": {_KEY: asdict(fitted)}},
    }


def _fitted(memo: Memo, limit_chars: int) -> Memo:
    """The memo within a limit: every part has its share, of lists the newest entries stay."""
    return Memo(
        summary=clipped(memo.summary, limit_chars * 20 // 100),
        orders=_last(memo.orders, limit_chars * 15 // 100),
        plan=clipped(memo.plan, limit_chars * 10 // 100),
        said=_last(memo.said, limit_chars * 20 // 100),
        changed=_last(memo.changed, limit_chars * 5 // 100),
        read=_last(memo.read, limit_chars * 5 // 100),
        failing_check=memo.failing_check,
        failing=clipped(memo.failing, limit_chars * 25 // 100),
    )


def _last(entries: Sequence[str], limit_chars: int) -> tuple[str, ...]:
    kept: list[str] = []
    for entry in reversed(entries):
        limit_chars -= len(entry)
        if limit_chars < 0 and kept:
            break
        kept.append(entry if limit_chars >= 0 else clipped(entry, len(entry) + limit_chars))
    return tuple(reversed(kept))


def _rendered(memo: Memo) -> str:
    parts = (
        ("summary", memo.summary),
        ("asked_since", "\n---\n".join(memo.orders)),
        ("plan", "" if any(memo.plan in order for order in memo.orders) else memo.plan),
        ("you_said", "\n---\n".join(memo.said)),
        ("you_changed", "\n".join(memo.changed)),
        ("you_read", "\n".join(memo.read)),
        ("last_failure", f"{memo.failing_check}\n{memo.failing}" if memo.failing else ""),
    )
    shown = [f"<{tag}>\n{text}\n</{tag}>" for tag, text in parts if text]
    return "\n".join(["<earlier_work>", _INTRODUCTION, *shown, "</earlier_work>"])


def _union(known: Sequence[str], more: Iterable[str]) -> tuple[str, ...]:
    """Each entry once, at its latest place."""
    ordered = reversed(dict.fromkeys(reversed([*known, *more])))
    return tuple(ordered)

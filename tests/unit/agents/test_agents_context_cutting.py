"""The law of cutting: whatever the conversation, what is left is one that a model accepts, and shorter."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codeflow.agents.context.conversation import SharedMessages, turn_starts
from codeflow.agents.context.cutting import LARGE_CHARS, newest, replaced_by, shortened, trimmed
from codeflow.agents.context.digest import digest, record
from codeflow.agents.context.memo import Memo, failing_calls, gathered, recalled, with_memo
from codeflow.models.endpoint.rules import ModelRules, broken_rules
from codeflow.models.sizes import message_tokens

TASK = {"role": "user", "content": [{"text": "<task>\nMake it work.\n</task>"}]}
NAMES = ("read_file", "edit_file", "run_tests", "run_command", "no_such_tool")

texts = st.text("ab\n ", min_size=1, max_size=40).filter(str.strip)
results = st.one_of(texts, st.integers(1, 20).map(lambda n: "exit code 1\n" + "x" * 400 * n))


@st.composite
def conversations(draw) -> list[Any]:
    """A task, then turns of zero to three calls; a turn without calls ends a visit and another one begins."""
    messages: list[Any] = [TASK]
    ids = iter(range(10_000))
    for _ in range(draw(st.integers(0, 12))):
        said: list[Any] = [{"text": draw(texts)}] if draw(st.booleans()) else []
        if draw(st.booleans()):
            said.insert(0, {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}})
        names = draw(st.lists(st.sampled_from(NAMES), max_size=3))
        uses = [{"toolUseId": f"c{next(ids)}", "name": name, "input": {"path": "a.py"}} for name in names]
        messages.append(
            {
                "role": "assistant",
                "content": [*said, *({"toolUse": use} for use in uses)]
                if uses
                else [*said, {"text": "Done."}],
            }
        )
        answers = [
            {
                "toolResult": {
                    "toolUseId": use["toolUseId"],
                    "status": draw(st.sampled_from(["success", "error"])),
                    "content": [{"text": draw(results)}],
                }
            }
            for use in uses
        ]
        messages.append({"role": "user", "content": answers or [{"text": draw(texts)}]})
    return messages


def total(messages) -> int:
    return sum(map(message_tokens, messages))


def accepted(messages) -> None:
    tools = [{"toolSpec": {"name": "read_file", "inputSchema": {"json": {"type": "object"}}}}]
    clean = [{"role": message["role"], "content": message["content"]} for message in messages]
    assert not list(
        broken_rules("Converse", {"messages": clean, "toolConfig": {"tools": tools}}, ModelRules())
    )


def thoughtless(messages) -> list[Any]:
    return [
        [block for block in message["content"] if "reasoningContent" not in block] for message in messages
    ]


@given(conversations(), st.integers(0, 4_000))
def test_cutting_keeps_the_task_and_the_newest_turns_and_leaves_no_orphan(messages, room):
    start = newest(messages, room, message_tokens)
    memo = gathered(recalled(messages[0]), messages[1:start], messages[start:])
    task = with_memo(messages[0], memo, 2_000)
    result = replaced_by(messages, start, task)
    accepted(result)
    assert result[0]["content"][0] == TASK["content"][0]
    assert thoughtless(result[1:]) == thoughtless(messages[start:])
    assert not any("reasoningContent" in block for message in result for block in message["content"])
    if starts := turn_starts(messages):
        assert start <= starts[-1]
        assert start == starts[-1] or total(messages[start:]) <= room
    if total(messages[1:start]) > 1_000:
        assert total(result) < total(messages)


@given(conversations(), st.integers(0, 4_000))
def test_taking_results_out_leaves_a_line_each_and_everything_else(messages, room):
    start = newest(messages, room, message_tokens)
    spared = failing_calls(messages[1:])
    result = trimmed(messages, start, spared, lambda called: f"[{called.id}]")
    accepted(result)
    assert thoughtless(result[start:]) == thoughtless(messages[start:])
    assert [message["role"] for message in result] == [message["role"] for message in messages]
    for message in result[:start]:
        for block in message["content"]:
            if answer := block.get("toolResult"):
                text = answer["content"][0]["text"]
                assert len(text) <= LARGE_CHARS or answer["toolUseId"] in spared
    assert total(result) <= total(messages)


@given(conversations(), st.integers(0, 3_000))
def test_shortening_cuts_the_largest_results_until_the_rest_fits(messages, room):
    result = shortened(messages, room, message_tokens, lambda called: f"[{called.id}]")
    accepted(result)
    untouched = total(messages) <= room
    assert (result == messages) if untouched else (total(result) <= total(messages))


@given(conversations(), conversations(), st.integers(500, 5_000))
def test_a_memo_survives_being_written_and_read_and_written_again(first, more, limit):
    once = with_memo(TASK, gathered(Memo(), first[1:], []), limit)
    again = with_memo(once, gathered(recalled(once), more[1:], []), limit)
    assert again["content"][0] == TASK["content"][0]
    assert len(again["content"]) == 2
    assert len(again["content"][1]["text"]) < 2 * limit + 1_000


@given(conversations(), st.integers(100, 5_000))
def test_records_and_digests_stay_within_their_limits(messages, limit):
    assert len(digest(messages, "before " * 200, limit)) <= limit + 200
    assert len(record(messages, "", limit)) <= limit + 300


@given(conversations())
def test_a_conversation_is_copied_without_copying_what_is_in_it(messages):
    from copy import deepcopy

    copy = deepcopy(SharedMessages(messages))
    assert copy == messages
    assert all(one is other for one, other in zip(copy, messages, strict=True))
    copy.append(TASK)
    assert len(copy) == len(messages) + 1


def called(number, name, given_, text, status="success") -> list[Any]:
    use = {"toolUseId": f"k{number}", "name": name, "input": given_}
    result = {"toolUseId": f"k{number}", "status": status, "content": [{"text": text}]}
    return [
        {"role": "assistant", "content": [{"text": f"I chose {number}."}, {"toolUse": use}]},
        {"role": "user", "content": [{"toolResult": result}]},
    ]


def test_the_memo_holds_orders_plan_words_files_and_the_last_failure():
    gone = [
        *called(1, "read_file", {"path": "a.py"}, "code"),
        *called(2, "edit_file", {"path": "a.py", "old_text": "x", "new_text": "y"}, "edited"),
        *called(3, "edit_file", {"path": "b.py", "old_text": "x", "new_text": "y"}, "no match", "error"),
        *called(4, "run_tests", {}, "$ pytest\n1 failed, 2 passed; exit code 1, 0.1 s\nassert 1 == 2"),
        {"role": "assistant", "content": [{"text": "Half done."}]},
        {"role": "user", "content": [{"text": "<plan>\nfirst a, then b\n</plan>\nGo on with b."}]},
    ]
    memo = gathered(Memo(), gone, [])
    assert memo.orders == ("<plan>\nfirst a, then b\n</plan>\nGo on with b.",)
    assert memo.plan == "<plan>\nfirst a, then b\n</plan>"
    assert memo.said == ("I chose 1.", "I chose 2.", "I chose 3.", "I chose 4.", "Half done.")
    assert memo.changed == ("edit_file a.py",)
    assert memo.read == ("a.py",)
    assert "assert 1 == 2" in memo.failing
    text = with_memo(TASK, memo, 4_000)["content"][1]["text"]
    assert all(part in text for part in ("Go on with b.", "Half done.", "edit_file a.py", "assert 1 == 2"))


def test_a_failure_that_was_repaired_is_forgotten_and_one_in_view_is_not_repeated():
    red = called(1, "run_tests", {}, "$ pytest\n1 failed; exit code 1, 0.1 s")
    green = called(2, "run_tests", {}, "$ pytest\n1 passed; exit code 0, 0.1 s")
    assert gathered(Memo(), red, green).failing == ""
    again = called(3, "run_tests", {}, "$ pytest\n2 failed; exit code 1, 0.1 s")
    assert gathered(Memo(), red, again).failing == ""
    assert gathered(Memo(), red, []).failing_check == "run_tests"

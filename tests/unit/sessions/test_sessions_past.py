from codeflow.core.events import ConversationCompacted, MessageAdded, ModelCalled
from codeflow.core.values import Usage
from codeflow.sessions.past import recall


def asked(text):
    return MessageAdded(agent="coder", message={"role": "user", "content": [{"text": text}]})


def answered(step, text):
    return ModelCalled(
        agent="coder",
        step=step,
        attempt=1,
        model="m",
        invoked_model="m",
        usage=Usage(),
        cost=None,
        duration_s=0.1,
        first_token_s=None,
        outcome="ok",
        stop_reason="end_turn",
        reply=({"text": text},),
    )


def test_a_compacted_conversation_replaces_what_was_said_before():
    messages = (
        {"role": "user", "content": [{"text": "task"}, {"text": "memo"}]},
        {"role": "assistant", "content": [{"text": "two"}]},
        {"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": {"$base64": "AAE="}}}}]},
    )
    compacted = ConversationCompacted(
        agent="coder", messages=messages, before_tokens=9, after_tokens=3, method="summary"
    )
    said = [asked("task"), answered(1, "one"), asked("go on"), answered(2, "two"), asked("look")]
    talk = recall([*said, compacted, answered(3, "three")]).conversations["coder"]
    assert [message["role"] for message in talk.messages] == ["user", "assistant", "user", "assistant"]
    assert talk.messages[0] == messages[0]
    assert talk.messages[2]["content"][0]["image"]["source"]["bytes"] == b"\x00\x01"
    assert talk.messages[3]["content"] == [{"text": "three"}]
    assert talk.steps == 3

from codeflow.models.sizes import GrowingSize, frame_tokens, message_tokens

ASKED = {"role": "user", "content": [{"text": "x" * 400}]}
CALLED = {
    "role": "assistant",
    "content": [{"toolUse": {"toolUseId": "1", "name": "read", "input": {"path": "a"}}}],
}
SEEN = {
    "role": "user",
    "content": [
        {
            "toolResult": {
                "toolUseId": "1",
                "content": [
                    {"text": "y" * 40},
                    {"image": {"format": "png", "source": {"bytes": b"z"}}},
                    {"document": {"format": "pdf", "name": "d", "source": {"bytes": b"z" * 100_000}}},
                ],
            }
        }
    ],
}


def test_text_calls_pictures_and_documents_all_count():
    assert message_tokens(ASKED) == 100
    assert message_tokens(CALLED) == 1 + 7
    assert message_tokens(SEEN) == 10 + 1_600 + 10_000
    assert frame_tokens([{"name": "read"}], "x" * 40) == 8 + 10


def test_a_growing_conversation_is_measured_once_and_another_one_anew():
    size = GrowingSize()
    assert size.of([ASKED]) == 100
    rewrapped = {"role": "user", "content": ASKED["content"]}  # as Strands does on the way to a model
    assert size.of([rewrapped, CALLED]) == 108
    assert size.of([ASKED]) == 100
    assert size.of([CALLED, ASKED]) == 108
    size.forget()
    assert size.of([]) == 0

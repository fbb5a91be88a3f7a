import pytest

from codeflow.app.remembering import RunNotes
from codeflow.core.events import Event
from codeflow.core.notes import NoteRemembered
from codeflow.knowledge.memory.notebook import Notebook
from codeflow.tools.notes import recall, remember


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def coder(ws, tmp_path, events):
    book = Notebook(tmp_path / "memory", ws.root, ttl_days=90, env={}, session_id="20261121-120000-aaaa")
    ws.notes = RunNotes(book, events.append)
    return ws.for_agent("coder")


async def test_a_note_is_kept_told_and_found_again(coder, events):
    (coder.root / "Makefile").write_text("unit:\n")
    done = await remember.function(coder, "Use make unit.", "make unit: exit 0", files=["Makefile"])
    (event,) = events
    assert isinstance(event, NoteRemembered)
    assert (event.note.author, event.note.session_id, event.note.files[0].path) == (
        "coder",
        "20261121-120000-aaaa",
        "Makefile",
    )
    assert done.display == f"noted as {event.note.id} until {event.note.expires:%Y-%m-%d}"
    found = await recall.function(coder, "unit")
    assert (found.display, "shown by: make unit: exit 0; about Makefile" in found.content) == (
        "1 notes",
        True,
    )


async def test_a_similar_note_is_shown_to_be_replaced(coder, events):
    await remember.function(coder, "The database listens on port 5432.", "grep")
    done = await remember.function(coder, "The database listens on port 5433.", "grep")
    assert f"call remember again with replaces={events[0].note.id}." in done.content


@pytest.mark.parametrize(
    ("text", "more", "told"),
    [
        ("token ghp_" + "a1B2" * 9, {}, "Not noted: the note seems to hold a GitHub token, and notes are kept and sent to models. Say where"),
        ("x", {"files": ["../other"]}, "is outside the workspace"),
        ("x", {"files": ["missing.py"]}, "no file of this project"),
        ("x", {"replaces": "abc"}, "recall shows the notes with their ids"),
        ("x", {"ttl_days": -1}, "ttl_days is -1"),
    ],
)  # fmt: skip
async def test_the_model_is_told_why_not_and_what_to_do(coder, events, text, more, told):
    result = await remember.function(coder, text, "seen", **more)
    assert result.is_error
    assert told in result.content
    assert not events


async def test_without_a_notebook_the_model_is_told_to_go_on(ws):
    for result in (await remember.function(ws, "x", "y"), await recall.function(ws)):
        assert result.is_error
        assert "memory.enabled" in result.content

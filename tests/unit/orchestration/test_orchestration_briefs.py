from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.consulting import Excerpt
from codeflow.core.values import GateResult, GateStatus
from codeflow.orchestration.briefs import _fair_share, consult_message, debug_message


@given(st.lists(st.integers(0, 10_000), max_size=8), st.integers(0, 20_000))
def test_parts_are_cut_so_that_all_fit_and_no_further(lengths, room):
    share = _fair_share(lengths, room)
    cut = [min(length, share) for length in lengths]
    assert sum(cut) <= room
    assert cut == lengths or sum(cut) > room - len(lengths)


RED = GateResult(
    name="tests",
    command="pytest",
    status=GateStatus.RED,
    exit_code=1,
    duration_s=1.0,
    output="x" * 9_000 + "END",
)


def test_a_long_digest_keeps_the_end_of_outputs_and_the_beginning_of_all_else():
    text = consult_message(
        task="the task", plan=None, diff="BEGIN" + "d" * 9_000, failing=[RED], tokens=1_000, question="why?",
        excerpts=[Excerpt(path="a.py", text="FIRST" + "e" * 9_000)],
    )  # fmt: skip
    assert len(text) < 4_000
    for part in ("the task", "BEGIN", "END", "FIRST", "<question>\nwhy?", 'source="a.py"'):
        assert part in text
    assert text.count("left out]") == 3


def test_unfinished_work_is_handed_on_as_such():
    told = debug_message("the task", "facts", "", (), "used all of its 2 turns")
    assert "did not finish: used all of its 2 turns" in told
    assert "<failing>" not in told
    assert debug_message("the task", "facts", "", [RED]).endswith("Make these gates green.")

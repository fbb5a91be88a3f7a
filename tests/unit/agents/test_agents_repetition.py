"""When an agent goes round in circles."""

from codeflow.agents.repetition import STOPPED_AFTER, Repetition


def test_the_same_call_with_the_same_result_is_counted_also_between_others():
    repetition = Repetition()
    seen = []
    for _ in range(STOPPED_AFTER):
        seen.append(repetition.note("run_command", {"command": "make"}, "exit code 2, 0.1 s"))
        repetition.note("read_file", {"path": "a"}, "text")
    assert seen == list(range(1, STOPPED_AFTER + 1))


def test_another_result_another_argument_or_waiting_is_no_repetition():
    repetition = Repetition()
    for number in range(STOPPED_AFTER):
        assert repetition.note("run_command", {"command": "make"}, f"{number} failed") == 1
        assert repetition.note("read_file", {"path": "a", "start_line": number}, "same") == 1
        assert repetition.note("read_output", {"id": "cmd-1"}, "running") == 1


def test_how_long_it_took_is_no_difference_and_long_ago_is_forgotten():
    repetition = Repetition()
    assert repetition.note("run_command", {}, "exit code 2, 0.1 s") == 1
    assert repetition.note("run_command", {}, "exit code 2, 31.7 s") == 2
    for number in range(30):
        repetition.note("read_file", {"path": str(number)}, "")
    assert repetition.note("run_command", {}, "exit code 2, 0.1 s") == 1

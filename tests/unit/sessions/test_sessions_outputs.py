import os

from codeflow.sessions.outputs import KEPT_DAYS, Outputs


def kept(outputs, session, changed):
    folder = outputs.of(session)
    folder.mkdir(parents=True)
    (folder / "cmd-1.txt").write_text("x")
    for path in (folder / "cmd-1.txt", folder):
        os.utime(path, (changed, changed))
    return folder


def test_outputs_go_with_their_session_or_with_time(tmp_path):
    outputs = Outputs(tmp_path / "outputs")
    outputs.remove_old()
    now = 2_000_000_000.0
    old, recent = kept(outputs, "old", now - (KEPT_DAYS + 1) * 86_400), kept(outputs, "recent", now - 86_400)
    outputs.remove_old(now)
    assert (old.exists(), recent.exists()) == (False, True)
    outputs.remove("recent")
    outputs.remove("never kept")
    assert not recent.exists()

"""A project's folder that was moved: what codeflow keeps under its old name is found again, and said until then."""

import pytest
from tests.e2e.harness import BUG, EDIT, FIXED, ROUTER, SAID, Shell

from codeflow.models.endpoint import environment

MORE = [{**ROUTER, "step": 2}, {"agent": "fast_coder", "say": "All is well."}]


@pytest.fixture
def moved(shell, project, scripted):
    """A shell in the folder that the project was renamed to, with the id of its session, and an endpoint."""
    shell = Shell(project, {**shell.env, "CODEFLOW_GATES__TESTS": "off"})
    with scripted([ROUTER, EDIT, SAID, *MORE]) as endpoint:
        done = shell.run(endpoint)
        assert done.code == 0, done.stderr
        assert shell("memory", "add", "tests need -x").code == 0
        folder = project.with_name("renamed")
        project.rename(folder)
        yield shell.at(folder), done.result["session_id"], endpoint


@pytest.mark.slow
def test_a_folder_that_was_renamed_is_told_what_to_do_and_undone(moved, project):
    shell, session, _ = moved
    for arguments in (["sessions"], ["undo"], ["resume"], ["run", "--continue", "more"]):
        told = shell(*arguments).stderr
        assert f"{project} is gone: if it is this folder now" in told, arguments
        assert f"`codeflow undo {session} --workspace .`" in told
    assert f"there are notes of {project}, which is gone" in shell("memory").stderr
    for arguments in (["undo", session], ["resume", session, "more"]):
        refused = shell(*arguments)
        assert refused.code != 0
        assert "--workspace DIR" in refused.stderr
    assert (shell.project / "calc.py").read_text() == FIXED
    undone = shell("undo", session, "--workspace", ".")
    assert undone.code == 0, undone.stderr
    assert (shell.project / "calc.py").read_text() == BUG
    again = shell("undo", session, "--workspace", ".")
    assert (again.code, "Nothing to undo" in again.stdout) == (0, True)


@pytest.mark.slow
def test_the_wrong_folder_is_not_changed(moved, tmp_path):
    shell, session, _ = moved
    other = tmp_path / "other"
    other.mkdir()
    (other / "calc.py").write_text("mine\n")
    refused = shell("undo", session, "--workspace", str(other))
    assert (refused.code, "conflict  calc.py" in refused.stdout) == (1, True)
    assert (other / "calc.py").read_text() == "mine\n"
    assert shell("undo", session, "--workspace", ".").code == 0


@pytest.mark.slow
def test_a_session_that_goes_on_where_its_folder_is_now_belongs_there(moved):
    shell, session, endpoint = moved
    done = shell("resume", session, "more", "--workspace", ".", env=environment(endpoint.url))
    assert done.code == 0, done.stderr
    assert session in shell("sessions").stdout
    assert shell("undo", session).code == 0
    assert (shell.project / "calc.py").read_text() == BUG


@pytest.mark.slow
def test_a_session_that_worked_in_two_folders_is_undone_in_each(shell, project, scripted, tmp_path):
    shell = Shell(project, {**shell.env, "CODEFLOW_GATES__TESTS": "off"})
    other = tmp_path / "other"
    other.mkdir()
    with scripted([ROUTER, EDIT, SAID, *MORE]) as endpoint:
        session = shell.run(endpoint).result["session_id"]
        done = shell("resume", session, "more", "--workspace", str(other), env=environment(endpoint.url))
        assert done.code == 0, done.stderr
    told = shell("undo", session).stdout
    assert f"`codeflow undo {session} --workspace {project}`" in told
    assert shell("undo", session, "--workspace", str(project)).code == 0
    assert (project / "calc.py").read_text() == BUG

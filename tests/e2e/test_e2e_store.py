"""A run whose session goes to a shared store, in the installed command."""

import json

from tests.e2e.harness import BUG, REPAIR


def test_a_run_is_in_the_shared_store_when_it_ends(shell, project, scripted, tmp_path):
    store = {"CODEFLOW_SESSIONS__STORE": f"sqlite:{tmp_path}/shared/s.db"}
    with scripted(REPAIR) as endpoint:
        from codeflow.models.endpoint import environment

        done = shell(
            "run", "make the failing test pass", "--output", "json", env=store | environment(endpoint.url)
        )
    assert done.code == 0, done.stderr
    elsewhere = store | {"XDG_STATE_HOME": str(tmp_path / "elsewhere")}
    (session,) = json.loads(shell("sessions", "--output", "json", env=elsewhere).stdout)
    assert (session["id"], session["stored"]) == (done.result["session_id"], "shared")
    assert (session["status"], session["cost_usd"]) == ("done", float(done.result["cost_usd"]))
    shown = shell("sessions", "show", session["id"], env=elsewhere)
    assert "• edit_file calc.py" in shown.stdout


def test_a_store_that_cannot_be_used_ends_the_run_before_a_model_is_asked(shell, project, scripted):
    with scripted([]) as endpoint:
        from codeflow.models.endpoint import environment

        done = shell(
            "run", "make the failing test pass", "--output", "json",
            env={"CODEFLOW_SESSIONS__STORE": "sqlite:/dev/null/s.db"} | environment(endpoint.url),
        )  # fmt: skip
        assert endpoint.requests == []
    assert done.code == 1
    assert "sqlite:/dev/null/s.db: sessions cannot be kept there" in done.result["error"]["message"]
    assert (project / "calc.py").read_text() == BUG

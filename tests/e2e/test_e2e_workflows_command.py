"""`codeflow workflows`: what there is, what it looks like, what is wrong with it."""

import json

from tests.e2e.test_e2e_workflows import REPAIR, workflow

__all__ = ["workflow"]  # a fixture that both files use


def test_own_workflows_are_listed_shown_and_drawn(shell, workflow):
    workflow(REPAIR)
    rows = {row["name"]: row for row in json.loads(shell("workflows", "list", "--output", "json").stdout)}
    assert rows["tiny"]["nodes"] == 4
    assert {"bugfix", "tdd", "sparc", "feature", "review"} <= rows.keys()
    assert shell("workflows", "show", "tiny").stdout.endswith(REPAIR)
    assert "debug -.->" in shell("workflows", "graph", "tiny").stdout
    assert shell("workflows", "graph", "tiny", "--format", "svg").stdout.startswith("<svg ")


def test_a_broken_one_is_named_with_its_line_and_hides_no_other(shell, workflow):
    workflow("nodes: {a: {agent: nobody, task: x}}\n")
    checked = shell("workflows", "validate")
    assert checked.code == 2
    assert "tiny.yaml:4: nodes.a.agent: no agent is called 'nobody'" in checked.stdout
    assert "bugfix.yaml: ok" in checked.stdout
    listed = shell("workflows", "list", "--output", "json")
    assert listed.code == 0
    assert any(
        row["description"].startswith("cannot run: ")
        for row in json.loads(listed.stdout)
        if row["name"] == "tiny"
    )


def test_a_file_that_could_not_be_found_by_its_name_is_no_good_and_names_do_as_well_as_files(
    shell, project, workflow
):
    workflow(REPAIR)
    folder = project / ".codeflow" / "workflows"
    (folder / "tiny.yaml").rename(folder / "foo.yaml")
    for checked in (
        shell("workflows", "validate", "foo"),
        shell("workflows", "validate", ".codeflow/workflows/foo.yaml"),
        shell("workflows", "validate"),
    ):
        assert checked.code == 2
        assert "foo.yaml:2: name: " in checked.stdout
        assert "but the file is called foo.yaml" in checked.stdout
    assert "bugfix.yaml: ok" in shell("workflows", "validate", "bugfix").stdout
    unknown = shell("workflows", "validate", "bugfux")
    assert (unknown.code, "did you mean: bugfix" in unknown.stdout) == (2, True)


def test_the_schema_is_one_and_knows_every_kind_of_node(shell):
    schema = json.loads(shell("workflows", "schema").stdout)
    assert {"AgentNode", "GateNode", "ApprovalNode", "DebateNode", "ExploreNode"} <= schema["$defs"].keys()


def test_inputs_that_do_not_fit_are_refused(shell):
    wrong = shell("run", "x", "--workflow", "upgrade-dependency", "--input", "packge=rich")
    assert (wrong.code, "did you mean: package" in wrong.stderr) == (2, True)
    missing = shell("run", "x", "--workflow", "upgrade-dependency")
    assert (missing.code, "needs the input 'package'" in missing.stderr) == (2, True)
    assert shell("run", "x", "--input", "a=b").code == 2
    assert shell("run", "x", "--workflow", "tdd", "--agent", "reviewer").code == 2


def test_a_strangers_file_does_not_take_the_place_of_a_known_workflow(shell, project, workflow):
    workflow(REPAIR, "review")
    theirs = str(project / ".codeflow")
    assert theirs not in shell("workflows", "show", "review").stdout
    assert shell("trust", "--yes", ".").code == 0
    assert theirs in shell("workflows", "show", "review").stdout

"""Workflows as pictures, and the packaged ones as they are."""

from xml.etree import ElementTree as ET

import pytest

from codeflow.agents.specialists import load_specialists
from codeflow.orchestration.workflows.drawing import mermaid, svg
from codeflow.orchestration.workflows.form import WorkflowForm
from codeflow.orchestration.workflows.loading import Shelf, find_workflows
from codeflow.tools.registry import TOOLS

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def shelf(tmp_path):
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    return Shelf(paths=find_workflows(tmp_path, env), agents=load_specialists(tmp_path, env), tools=TOOLS)


def test_mermaid_shows_what_decides_and_what_leads_back(shelf):
    assert mermaid(shelf.load("bugfix").form).splitlines() == [
        "flowchart TD",
        '    reproduce["reproduce<br/>test_engineer"]',
        '    fails{"fails<br/>gate tests, red expected"}',
        '    repair["repair<br/>fast_coder"]',
        '    check{"check<br/>gate all"}',
        '    escalate["escalate<br/>debugger"]',
        "    reproduce --> fails",
        "    fails -.->|\"fails.status != 'red', at most 1x\"| reproduce",
        "    fails -->|\"fails.status == 'red'\"| repair",
        "    repair --> check",
        "    check -->|\"check.status == 'red'\"| escalate",
        '    escalate -.->|"at most 2x"| check',
    ]


@pytest.mark.parametrize(
    "name",
    ["bugfix", "docs", "feature", "refactor", "research", "review", "sparc", "tdd", "upgrade-dependency"],
)
def test_every_packaged_workflow_can_run_and_is_drawn_whole(shelf, name):
    form = shelf.load(name).form
    picture = ET.fromstring(svg(form))
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert set(form.nodes) <= set(texts)
    assert len(list(picture.iter(f"{SVG}path"))) == len(form.all_edges) + 1  # and the tip of an arrow
    boxes = [(box.get("x"), box.get("y")) for box in picture.iter(f"{SVG}rect")]
    assert len(set(boxes)) == len(form.nodes)


def test_a_node_may_be_called_by_a_word_of_mermaids(tmp_path):
    nodes = {"end": {"gate": "all"}, "graph": {"gate": "all"}}
    data = {"codeflow_workflow": 1, "name": "a", "description": "d", "nodes": nodes}
    drawn = mermaid(WorkflowForm.model_validate({**data, "edges": [{"from": "end", "to": "graph"}]}))
    assert '    N_end{"end<br/>' in drawn
    assert "    N_end --> N_graph\n" in drawn

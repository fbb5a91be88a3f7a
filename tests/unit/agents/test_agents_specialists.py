from pathlib import Path

import pytest

from codeflow.agents.specialists import load_specialists, parse, read_specialists, require
from codeflow.core.errors import UsageError
from codeflow.core.places import resource
from codeflow.core.values import Effect
from codeflow.models.rosters import ROLES
from codeflow.tools.registry import TOOLS

SEVEN = {
    "architect",
    "senior_coder",
    "fast_coder",
    "test_engineer",
    "reviewer",
    "debugger",
    "documentation",
}
READERS = {"architect", "reviewer"}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(text)
    return path


def test_the_seven_are_there_each_with_its_role_and_purpose(tmp_path, env):
    found = dict(load_specialists(tmp_path, env))
    lead, senior = found.pop("lead_coder"), found["senior_coder"]
    assert (lead.prompt, lead.tools, lead.role) == (senior.prompt, senior.tools, "architect")
    assert set(found) == SEVEN
    assert {specialist.role for specialist in found.values()} <= set(ROLES)
    assert len({specialist.description for specialist in found.values()}) == len(SEVEN)


@pytest.mark.parametrize("name", sorted(SEVEN))
def test_each_prompt_is_short_and_says_how_to_finish(name):
    specialist = parse(resource("prompts") / "agents" / f"{name}.md")
    assert len(specialist.prompt) < 2_500
    assert "Finish with" in specialist.prompt


@pytest.mark.parametrize("name", sorted(READERS))
def test_readers_have_no_tool_that_writes(name, tmp_path, env):
    tools = load_specialists(tmp_path, env)[name].tools
    assert all(TOOLS[tool].effect is not Effect.WRITE for tool in tools)


def test_whoever_edits_may_consult_and_nobody_else(tmp_path, env):
    for specialist in load_specialists(tmp_path, env).values():
        assert ("consult" in specialist.tools) == ("edit_file" in specialist.tools)


def test_the_project_beats_the_user_and_both_beat_the_packaged(tmp_path, env):
    write(tmp_path / "config" / "codeflow" / "agents", "reviewer", "---\nname: reviewer\n---\nmine")
    assert load_specialists(tmp_path, env)["reviewer"].prompt == "mine"
    write(tmp_path / ".codeflow" / "agents", "reviewer", "---\nname: reviewer\n---\nours")
    assert load_specialists(tmp_path, env)["reviewer"].prompt == "ours"


def test_agent_files_of_other_products_load_unchanged(tmp_path, env):
    write(
        tmp_path / ".claude" / "agents",
        "helper",
        "---\nname: helper\ndescription: Use it\ntools: Read, Grep, Bash, TodoWrite\nmodel: opus\ncolor: red\n---\nHelp.",
    )
    helper = load_specialists(tmp_path, env)["helper"]
    assert helper.tools == ("read_file", "search_files", "run_command", "run_tests")
    assert (helper.role, helper.model) == ("architect", None)


def test_no_list_of_tools_means_all_of_them(tmp_path):
    assert parse(write(tmp_path, "a", "---\nname: a\n---\nx")).tools == tuple(TOOLS)


def test_what_a_specialist_subscribes_to(tmp_path, env):
    assert parse(
        write(tmp_path, "a", "---\nname: a\nsubscribes: gate_red, gate_green\n---\nx")
    ).subscribes == (
        "gate_red",
        "gate_green",
    )
    found = load_specialists(tmp_path, env).values()
    assert {one.name for one in found if one.subscribes} == {"reviewer", "test_engineer"}


def test_a_model_id_is_kept(tmp_path):
    path = write(tmp_path, "a", "---\nname: a\nmodel: qwen.qwen3-coder-next\n---\nx")
    assert parse(path).model == "qwen.qwen3-coder-next"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no front matter", "no front matter"),
        ("---\nname: a\n", "no front matter"),
        ("---\n- a\n---\nx", "no keys"),
        ("---\nname: [\n---\nx", "not YAML"),
        ("---\ndescription: x\n---\nx", "name"),
        ("---\nname: a b\n---\nx", "name"),
        ("---\nname: a\nmax_turns: 0\n---\nx", "max_turns"),
        ("---\nname: a\nsubscribes: [lunch]\n---\nx", "subscribes.0: Input should be 'code_written', "),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path, text, problem):
    path = write(tmp_path, "a", text)
    with pytest.raises(UsageError) as caught:
        parse(path)
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_is_met_with_the_nearest(tmp_path, env):
    with pytest.raises(UsageError) as caught:
        require(load_specialists(tmp_path, env), "revewer")
    assert "reviewer" in caught.value.hint


def test_what_another_product_left_is_skipped_aloud_or_read_leniently(tmp_path, env):
    folder = tmp_path / ".claude" / "agents"
    write(folder, "README", "# Our agents\n")
    write(folder, "reviewer", "---\nname: reviewer\n---\ntheirs")
    write(
        folder,
        "guest",
        "\ufeff---\nname: guest\ndescription: Use it. Examples: <example>Context: x</example>\n"
        "model: claude-sonnet-4-5-20250929\n---\nHelp.",
    )
    found, skipped = read_specialists(tmp_path, env)
    assert found["reviewer"].prompt != "theirs"
    assert (found["guest"].role, found["guest"].model) == ("senior_coder", None)
    assert len(skipped) == 2

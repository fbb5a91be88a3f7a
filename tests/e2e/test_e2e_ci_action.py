"""action.yml: what GitHub documents of its form, and its steps as a runner's shell would run them."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from tests.e2e.forge_job import Runner
from tests.e2e.harness import CODEFLOW
from tests.e2e.test_e2e_ci_review import DIVISION, at, found

from codeflow.cli.main import command_line
from codeflow.models.endpoint import environment

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
_TERM = re.compile(r"\$\{\{\s*([\w.-]+)\s*\}\}")
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def test_its_form_is_the_documented_one():
    assert set(ACTION) <= {"name", "author", "description", "branding", "inputs", "outputs", "runs"}
    assert {"name", "description", "runs"} <= set(ACTION)
    for name, one in ACTION["inputs"].items():
        assert _ID.fullmatch(name)
        assert set(one) <= {"description", "required", "default", "deprecationMessage"}
        assert one["description"]
        assert isinstance(one["default"], str)
    for name, one in ACTION["outputs"].items():
        assert _ID.fullmatch(name)
        assert set(one) == {"description", "value"}
    assert set(ACTION["runs"]) == {"using", "steps"}
    assert ACTION["runs"]["using"] == "composite"
    for step in ACTION["runs"]["steps"]:
        assert set(step) <= {
            "name",
            "id",
            "if",
            "shell",
            "env",
            "run",
            "working-directory",
            "continue-on-error",
        }
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an input in a script is a script"


def test_it_names_only_what_there_is():
    steps = ACTION["runs"]["steps"]
    text = (ROOT / "action.yml").read_text()
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])
    assert set(re.findall(r"steps\.(\w+)", text)) <= {step.get("id") for step in steps}
    (ci,) = [group for group in command_line().registered_groups if group.name == "ci"]
    assert ci.typer_instance is not None
    commands = typer.main.get_group(ci.typer_instance).commands.values()
    read = {option.envvar for command in commands for option in command.params if option.envvar}
    for step in steps:
        used = set(re.findall(r"\$\{?(\w+)", step["run"]))
        given = {name for name in step["env"] if name.startswith("CODEFLOW_CI_")}
        assert given <= used | read, step["name"]


def expanded(text: str, terms: dict[str, str]) -> str:
    return _TERM.sub(lambda term: terms[term[1]], text)


def act(runner: Runner, env: dict[str, str], **given: str) -> subprocess.CompletedProcess[str]:
    """Run the steps whose condition holds, each as GitHub starts bash."""
    inputs = {name: one["default"] for name, one in ACTION["inputs"].items()} | given
    terms = {f"inputs.{name}": value for name, value in inputs.items()}
    terms |= {"github.token": env["GITHUB_TOKEN"], "github.action_path": str(ROOT)}
    script = runner.folder / "step.sh"
    done = subprocess.CompletedProcess[str]([], 0)
    for step in ACTION["runs"]["steps"]:
        if "if" in step and inputs["install"] != "true":
            continue
        values = {name: expanded(expanded(value, terms), terms) for name, value in step["env"].items()}
        script.write_text(step["run"])
        job = {name: value for name, value in env.items() if name != "GITHUB_TOKEN"}
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)]
        done = subprocess.run(
            command, cwd=runner.workspace, env=job | values, capture_output=True, text=True, check=False
        )
        if done.returncode:
            break
    return done


def job_env(runner: Runner) -> dict[str, str]:
    env = {
        **runner.shell.env,
        **runner.env(runner.event(), "pull_request"),
        "RUNNER_TEMP": str(runner.folder),
    }
    return env | {"PATH": f"{Path(CODEFLOW).parent}:{env['PATH']}"}


@pytest.mark.slow
def test_its_steps_review_a_pull_request(runner, scripted):
    with scripted(found(correctness=[DIVISION])) as endpoint:
        env = job_env(runner) | environment(endpoint.url)
        done = act(runner, env, **{"install": "false", "fail-on": "medium", "junit-file": "found.xml"})
    assert done.returncode == 1, done.stderr
    assert [at(comment) for comment in runner.forge.comments] == [("calc.py", None, 30)]
    for name, one in ACTION["outputs"].items():
        told = _TERM.fullmatch(one["value"])
        assert told
        assert told[1] == f"steps.run.outputs.{name}"
    assert runner.outputs["medium"] == "1"
    assert (runner.workspace / "found.xml").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_installs_what_the_lock_pins(runner, scripted):
    with scripted(found()) as endpoint:
        env = job_env(runner) | environment(endpoint.url)
        env.pop("PYTHONPATH", None)
        done = act(runner, env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (runner.folder / "codeflow" / "bin" / "codeflow").exists()
    assert len(runner.forge.reviews) == 1

import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest
from inline_snapshot import snapshot

from codeflow.tools.sandbox import landlock

HEAVY = {"rich", "strands", "boto3", "botocore", "pydantic"}
LOADED = """
import sys
from codeflow.__main__ import main
main(sys.argv[1:])
sys.stderr.write(" ".join({name.partition(".")[0] for name in sys.modules}))
"""


def loaded(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout
    return HEAVY & set(done.stderr.split())


def test_help_and_version_load_nothing_heavy():
    assert loaded("--help") == loaded("--version") == set()


def test_the_help_of_a_command_loads_only_what_typer_wants_for_it():
    assert loaded("run", "--help") <= {"pydantic"}


def test_help(cli):
    assert cli("--help", COLUMNS="100").stdout == snapshot("""\
Usage: codeflow [OPTIONS] COMMAND [ARGS]...

  A coding agent for the terminal that shows executed evidence for every
  change.

Options:
  --version             Print the version and leave.
  --debug               Show the traceback of a fault.
  --install-completion  Install completion for the current shell.
  --show-completion     Show completion for the current shell, to copy it or
                        customize the installation.
  --help                Show this message and exit.

Commands:
  run          Do a task in this folder.
  plan         Let the architect plan a task; nothing is changed.
  resume       Go on with a run that was cut short.
  review       Let reviewers look at a change for security, performance,...
  setup        Choose profile, region and models, and check them.
  doctor       Check credentials, models and tools.
  models       List the known models.
  agents       List the specialists, also your own.
  audit        List who allowed what in a session.
  cost         Show what runs have cost.
  cascade      Show who begins tasks here, and why.
  undo         Put back what a session changed.
  trust        Let the files of a folder count.
  completion   Print the script by which a shell completes codeflow.
  man          Print the manual page, as codeflow.1.
  init         Prepare a project for codeflow.
  demo         Show a whole run without an account.
  replay       Run a recorded task again.
  ci           Reviews and repairs in a job of a code forge; docs/ci.md...
  tools        List what agents can do, or do it by hand.
  sessions     List the sessions of this folder, newest first.
  checkpoints  List, compare and prune checkpoints.
  memory       List and change what later runs are told.
  permissions  List the rules in force, and try a call.
  workflows    Graphs of nodes to run with `codeflow run --workflow NAME`.
  worktrees    List, merge and drop the worktrees of `run --worktree`.
""")


def test_help_of_run(cli):
    assert cli("run", "--help", COLUMNS="100").stdout == snapshot("""\
Usage: codeflow run [OPTIONS] [task]

  Do a task in this folder. Text that is piped in beside TASK is appended to
  it.

Arguments:
  task <str>  What to do; `-` reads it from stdin.

Options:
  --file <path>                   Read the task from this file.
  --untrusted FILE                What others wrote, such as an issue: added
                                  to the task as data.
  --output <text|json|stream-json>
                                  What to print on stdout.  [default: text]
  --mode <plan|ask|edit|auto>     What may be done without asking: reads,
                                  nothing, edits, everything.
  --plan FILE                     Carry out a plan of `codeflow plan`, with
                                  its task.
  --workflow NAME                 Do it by a workflow: codeflow workflows
                                  list.
  --input KEY=VALUE               An input of the workflow; repeatable.
  --pattern <single|cascade|graph|workflow>
                                  How specialists are arranged.
  --complexity <simple|medium|complex|critical>
                                  Skip the router.
  --agent <str>                   Give the task to this specialist.
  --model ROLE=ID                 Another model for a role; repeatable.
  --roster <str>                  Which models play which role.
  --max-cost USD                  Stop before this is spent.
  --max-tokens N                  Stop before so many are read and written.
  --max-turns <int>               Model calls in one visit of one agent.
  --timeout SECONDS               Stop after this time.
  --allow RULE                    Do not ask about calls such as
                                  'run_command(npm test)'; repeatable.
  --deny RULE                     Refuse calls such as 'write_file(docs/**)'.
  --workspace <path>              The folder to work in; default: this one.
  --record <path>                 Write a transcript for `codeflow replay`.
  --dry-run                       Route and plan only.
  --continue                      Go on with this folder's latest session.
  --worktree [=BRANCH]            Work in a git worktree, apart from your
                                  files, and offer to merge at the end.
  --attempts K                    Make several attempts side by side, and
                                  merge the best.  [2<=x<=8]
  --by NAME                       Who begins an attempt: agent, model, cascade
                                  or graph; repeatable.
  --keep                          Keep the worktrees of attempts that were not
                                  chosen.
  --yes                           Agree to the price of the attempts.
  --no-sandbox                    Run commands with all of your rights,
                                  outside the sandbox.
  --quiet                         Print only the answer and the changed files.
  --help                          Show this message and exit.
""")


@pytest.mark.parametrize("arguments", [["--version"], ["--version", "run"]])
def test_version(cli, arguments):
    done = cli(*arguments)
    assert (done.returncode, done.stdout) == (0, f"codeflow {version('codeflow')}\n")


def test_every_command_has_help(cli):
    for command in (
        "run",
        "setup",
        "doctor",
        "models",
        "agents",
        "sessions",
        "cost",
        "undo",
        "init",
        "demo",
        "replay",
    ):
        done = cli(command, "--help")
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["run", "--frobnicate"], "No such option: --frobnicate"),
        (["run", "fix", "--mode", "yolo"], "'yolo'"),
        (["run"], "the task is empty"),
        (["run", " "], "the task is empty"),
        (["run", "fix", "--file", "x"], "both as an argument and with --file"),
        (["run", "--file", "missing.md"], "missing.md: no such file"),
        (["run", "fix", "--workspace", "missing"], "missing: no such folder"),
        (["run", "fix", "--record", "missing/t.yaml"], "missing/t.yaml: cannot be written"),
        (["run", "fix", "--model", "architect"], "not of the form ROLE=ID"),
        (["run", "fix", "--model", "architekt=amazon.nova-pro-v1:0"], "did you mean architect"),
        (["run", "fix", "--model", "architect=nova-prro"], "unknown model 'nova-prro'"),
        (["run", "fix", "--roster", "clasic"], "did you mean classic"),
        (["run", "fix", "--agent", "reviwer"], "no agent is called 'reviwer'"),
        (["run", "fix", "--max-cost", "much"], "--max-cost: "),
        (["run", "fix", "--max-turns", "0"], "--max-turns: "),
        (["run", "fix", "--timeout", "nan"], "--timeout: "),
        (["replay", "missing.yaml"], "missing.yaml: cannot be read"),
    ],
)
def test_what_cannot_be_used_is_one_line_with_a_hint_and_exit_2(cli, folder, arguments, message):
    done = cli(*arguments)
    lines = done.stderr.splitlines()
    assert done.returncode == 2
    assert lines[0].startswith("codeflow: ")
    assert message in lines[0]
    assert len(lines) == 2
    assert done.stdout == ""
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("output", ["json", "stream-json"])
@pytest.mark.parametrize("arguments", [["run"], ["run", "fix", "--mode", "yolo"]])
def test_a_program_that_asked_for_json_gets_json_for_a_usage_fault(cli, arguments, output):
    done = cli(*arguments, "--output", output)
    shown = json.loads(done.stdout)
    assert done.returncode == shown["exit_code"] == 2
    assert shown["status"] == "usage"
    assert shown["error"]["message"]
    assert ("kind" in shown) == (output == "stream-json")


def test_an_unreadable_settings_file_is_named(cli, folder):
    (folder / ".codeflow").mkdir()
    (folder / ".codeflow/settings.toml").write_text("[run]\nmodel = 1\n")
    done = cli("run", "fix")
    assert done.returncode == 2
    assert "settings.toml: run.model: unknown setting" in done.stderr


def test_agents_are_listed_for_people_and_programs(cli):
    assert "senior_coder" in cli("agents").stdout
    listed = json.loads(cli("agents", "--output", "json").stdout)
    assert {"architect", "reviewer"} <= {agent["name"] for agent in listed}
    assert all(agent["tools"] for agent in listed)


def test_models_show_prices_and_roles_of_a_roster(cli):
    done = cli("models", "--roster", "classic", "--output", "json")
    by_model = {model["model"]: model for model in json.loads(done.stdout)}
    assert by_model["us.amazon.nova-micro-v1:0"]["roles"] == ["router"]
    assert "(" in cli("models").stdout


def test_nothing_is_coloured_or_wrapped_where_there_is_no_terminal(cli):
    shown = cli("models").stdout
    assert "\x1b" not in shown
    assert "model" in shown.splitlines()[0]


def test_a_new_user_has_no_sessions_and_no_costs(cli):
    assert cli("sessions").stdout == "no sessions yet\n"
    assert json.loads(cli("sessions", "--output", "json").stdout) == []
    assert cli("cost").stdout == "nothing has been spent\n"
    assert json.loads(cli("cost", "--by", "model", "--since", "7", "--output", "json").stdout) == []


def test_undo_without_a_session_says_so(cli):
    done = cli("undo")
    assert done.returncode == 1
    assert "no session has worked in" in done.stderr


def test_an_unknown_session_is_refused(cli):
    for arguments in (["undo", "nope"], ["sessions", "show", "nope"]):
        done = cli(*arguments)
        assert done.returncode == 2
        assert "nope" in done.stderr


def test_init_writes_what_is_missing_and_never_overwrites(cli, folder):
    (folder / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.pytest.ini_options]\n")
    (folder / "tests").mkdir()
    (folder / "tests/test_x.py").write_text("def test_x(): pass\n")
    first = cli("init")
    assert first.returncode == 0
    assert first.stdout.count("written") == 2
    assert "pytest" in (folder / "AGENTS.md").read_text()
    (folder / "AGENTS.md").write_text("mine")
    second = cli("init")
    assert second.stdout.count("kept") == 2
    assert (folder / "AGENTS.md").read_text() == "mine"


def test_the_settings_that_init_writes_change_nothing(cli, folder):
    before = cli("models").stdout
    cli("init")
    done = cli("models")
    assert (done.returncode, done.stdout) == (0, before)


def test_doctor_without_credentials_says_what_to_do(cli):
    done = cli("doctor", "--output", "json", AWS_REGION="us-east-1")
    lines = {line["name"]: line for line in json.loads(done.stdout)}
    assert done.returncode == 77
    assert lines["credentials"]["level"] == "fail"
    assert lines["credentials"]["cure"]
    assert lines["git"]["level"] == "ok"
    assert lines["checkpoints"]["level"] == "ok"


@pytest.mark.skipif(bool(landlock.problem()), reason=f"no Landlock: {landlock.problem()}")
def test_doctor_says_that_a_sandbox_is_weaker(cli):
    done = cli("doctor", "--output", "json", CODEFLOW_SANDBOX__BACKEND="landlock")
    (line,) = (line for line in json.loads(done.stdout) if line["name"] == "sandbox")
    assert (line["level"], line["detail"]) == ("warn", "landlock")
    assert "weaker than bubblewrap" in line["cure"]


@pytest.mark.parametrize(
    "command",
    [
        "models",
        "agents",
        "tools",
        "tools list --output json",
        "tools show glob",
        "sessions",
        "cost",
        "--help",
    ],
)
@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_reader_that_leaves_early_is_no_fault(home, folder, command: str, buffered: str):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "codeflow", *command.split()],
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=home | {"PYTHONUNBUFFERED": buffered},
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_fault_shows_its_traceback_only_when_asked(cli, folder):
    (folder / "AGENTS.md").mkdir()
    (folder / ".codeflow").write_text("a file where a folder belongs")
    plain = cli("init")
    assert plain.returncode == 1
    assert "Traceback" not in plain.stderr
    assert "Traceback" in cli("--debug", "init").stderr
    assert "Traceback" in cli("init", CODEFLOW_DEBUG="1").stderr


def test_an_ascii_terminal_gets_an_answer(cli):
    done = cli("models", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0

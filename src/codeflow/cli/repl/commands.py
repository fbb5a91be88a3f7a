"""What begins with a slash: commands of the REPL, commands of codeflow, and the user's own."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from codeflow.cli.leaving import Leave
from codeflow.core.errors import UsageError

if TYPE_CHECKING:
    from codeflow.cli.repl.conversation import Conversation

Codeflow = Callable[[Sequence[str]], int]
"""Runs one of codeflow's command lines."""

_COMMIT = (
    "Commit the changes in this folder, with a message that says why they were made. Change nothing else."
)


@dataclass(frozen=True, slots=True)
class Talk:
    """What a command works with."""

    conversation: "Conversation"
    codeflow: Codeflow
    own: Mapping[str, Path]
    """The user's commands: name -> file with the task."""


@dataclass(frozen=True, slots=True)
class Command:
    """`takes` is what may follow its name."""

    about: str
    do: Callable[[Talk, str], object]
    takes: str = ""


def dispatch(text: str, talk: Talk) -> None:
    """Do what a line that begins with a slash says.

    Raises:
        Leave: when that is what it says.
        UsageError: for a command that there is not, or cannot be done so.
    """
    name, _, rest = text[1:].strip().partition(" ")
    if command := COMMANDS.get(name):
        if rest and not command.takes:
            raise UsageError(f"/{name} takes nothing", hint=f"/{name}: {command.about}")
        command.do(talk, rest.strip())
        return
    if file := talk.own.get(name):
        talk.conversation.ask(filled(file, rest.strip()))
        return
    near = get_close_matches(name, [*COMMANDS, *talk.own], n=2)
    hint = " or ".join(f"/{one}" for one in near)
    raise UsageError(
        f"no command is called /{name}", hint=f"Did you mean {hint}?" if near else "/help lists them."
    )


def filled(file: Path, arguments: str) -> str:
    """The task of a command of the user's: `$ARGUMENTS` is what was typed behind it, else that comes last.

    Raises:
        UsageError: when the file cannot be read or is empty.
    """
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read: {error}", hint="A command is a text file.") from error
    if not text:
        raise UsageError(f"{file}: is empty", hint="Write the task into it.")
    if "$ARGUMENTS" in text:
        return text.replace("$ARGUMENTS", arguments)
    return f"{text}\n\n{arguments}".strip()


def _help(talk: Talk, _rest: str) -> None:
    shown = {f"/{name} {command.takes}".rstrip(): command.about for name, command in COMMANDS.items()}
    shown |= {f"/{name} [TEXT]": f"yours: {file}" for name, file in talk.own.items()}
    shown |= {
        "!COMMAND": "run a command yourself, outside the sandbox; agents are not told",
        "@FILE": "name a file; Tab completes it",
    }
    width = max(map(len, shown))
    print("\n".join(f"  {usage:<{width}}  {about}" for usage, about in shown.items()))
    print(
        "  Enter sends, Alt-Enter or a backslash at the end makes a new line, Ctrl-X Ctrl-E opens $EDITOR,\n"
        "  Shift-Tab changes the mode, Esc or Ctrl-C stops a run, Ctrl-C clears the line, Ctrl-D leaves.\n"
        "  What you send while a run goes on is told to whoever works; commands wait for its end."
    )


def _mode(talk: Talk, rest: str) -> None:
    from codeflow.core.values import Mode

    known = [mode.value for mode in Mode]
    if rest and rest not in known:
        raise UsageError(f"no mode is called {rest}", hint=f"There are {', '.join(known)}.")
    if rest:
        talk.conversation.choose(replace(talk.conversation.choices, mode=Mode(rest)))
    print(f"mode: {talk.conversation.mode}")


def _model(talk: Talk, rest: str) -> None:
    from codeflow.cli.request import role_models

    if not rest:
        talk.codeflow(["models"])
        return
    chosen = talk.conversation.choices
    talk.conversation.choose(replace(chosen, models={**chosen.models, **role_models(_words(rest))}))
    print(
        "the tasks to come use "
        + ", ".join(f"{role}={model}" for role, model in talk.conversation.choices.models.items())
    )


def _clear(talk: Talk, _rest: str) -> None:
    talk.conversation.begin_again()
    print("The next task begins a new session.")


def _resume(talk: Talk, rest: str) -> None:
    if not rest:
        if not talk.conversation.take_up():
            talk.codeflow(["sessions", "list"])
        return
    if not talk.conversation.go_back_to(rest):
        print(f"The next task goes on in session {talk.conversation.session_id}.")


def _workflow(talk: Talk, rest: str) -> None:
    name, _, task = rest.partition(" ")
    if not task.strip():
        talk.codeflow(["workflows", "list"])
        return
    talk.conversation.ask(task.strip(), workflow=name)


def _plan(talk: Talk, rest: str) -> None:
    if not rest:
        raise UsageError("/plan needs a task", hint="For example /plan let users rename their projects")
    talk.codeflow(["plan", "--", rest])


def _rewind(talk: Talk, rest: str) -> None:
    session = _session(talk)
    talk.codeflow(["undo", session, "--to", rest] if rest else ["checkpoints", "list", session])


def _diff(talk: Talk, rest: str) -> None:
    talk.codeflow(["checkpoints", "diff", _session(talk), *(_words(rest) or ["1"])])


def _session(talk: Talk) -> str:
    """Raises UsageError before the first task."""
    if talk.conversation.session_id is None:
        raise UsageError(
            "nothing was done in this session yet", hint="/sessions lists others, /resume takes one up."
        )
    return talk.conversation.session_id


def _leave(_talk: Talk, _rest: str) -> None:
    raise Leave


def _words(rest: str) -> list[str]:
    """What was typed behind a command, as a shell would split it."""
    try:
        return shlex.split(rest)
    except ValueError as error:
        raise UsageError(f"{rest}: {error}", hint="Close the quotation, or leave the quote out.") from error


def _of_codeflow(*words: str, about: str) -> Command:
    """One of codeflow's own commands, with what is typed behind it."""
    return Command(about, lambda talk, rest: talk.codeflow([*words, *_words(rest)]), "[…]")


def _of_session(*words: str, about: str) -> Command:
    """One that is about this session."""
    return Command(about, lambda talk, rest: talk.codeflow([*words, _session(talk), *_words(rest)]), "[…]")


COMMANDS: Mapping[str, Command] = {
    "help": Command("this list", _help),
    "mode": Command("what may be done without asking: plan, ask, edit, auto", _mode, "[MODE]"),
    "model": Command("the models, or another one for a role", _model, "[ROLE=ID]"),
    "clear": Command("begin a new session", _clear),
    "resume": Command(
        "go on with this session's run that was cut short, or with another session", _resume, "[SESSION]"
    ),
    "plan": Command("let the architect plan a task; nothing is changed", _plan, "TASK"),
    "workflow": Command("do a task by a workflow", _workflow, "[NAME TASK]"),
    "review": _of_codeflow("review", about="review changes, a branch or a pull request"),
    "commit": Command("let an agent commit the changes", lambda talk, _rest: talk.conversation.ask(_COMMIT)),
    "diff": Command("what this session changed, or since a step", _diff, "[STEP]"),
    "undo": _of_session("undo", about="put back what this session changed"),
    "rewind": Command("the steps of this session, or back to one", _rewind, "[STEP]"),
    "cost": _of_codeflow("cost", about="what runs have cost"),
    "sessions": _of_codeflow("sessions", about="the sessions, and what can be done with them"),
    "export": _of_session("sessions", "export", about="this session as JSON, Markdown or a page"),
    "agents": _of_codeflow("agents", about="the specialists"),
    "tools": _of_codeflow("tools", about="the tools, and one by hand"),
    "workflows": _of_codeflow("workflows", about="the workflows"),
    "memory": _of_codeflow("memory", about="what is remembered about this project"),
    "permissions": _of_codeflow("permissions", about="what is allowed, asked and denied"),
    "trust": _of_codeflow("trust", about="let this folder's settings widen what is allowed"),
    "doctor": _of_codeflow("doctor", about="check the set-up"),
    "exit": Command("leave; the session can be taken up again", _leave),
    "quit": Command("leave", _leave),
}


def own_commands(workspace: Path, *, trusted: bool) -> dict[str, Path]:
    """The user's commands, `commands/*.md` of the user's folder and of a trusted project's; the project's win."""
    from codeflow.core.places import config_home

    folders = [config_home() / "commands", *([workspace / ".codeflow" / "commands"] if trusted else [])]
    return {
        file.stem: file
        for folder in folders
        if folder.is_dir()
        for file in sorted(folder.glob("*.md"))
        if file.stem not in COMMANDS and " " not in file.stem
    }

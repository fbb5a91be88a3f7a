"""Which tool calls may go ahead, which a person is asked about, and which are refused."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from codeflow.core.errors import UsageError
from codeflow.core.notes import Scope
from codeflow.core.places import resource
from codeflow.core.values import Allow, Ask, Deny, Effect, Mode, Verdict

_PLAIN_COMMAND = re.compile(r"[A-Za-z0-9_ ./:=@,+-]+")
_LEAVES_WORKSPACE = re.compile(r"(^|[=:,])/|(^|[/=:,])\.\.(/|$)")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DeniedCommand(_Table):
    """A command that no mode runs."""

    pattern: re.Pattern[str]
    reason: str


class EditRules(_Table):
    """What the mode `edit` does not ask about; command words -> options they may carry."""

    free_tools: frozenset[str]
    free_commands: Mapping[str, tuple[str, ...]]


class Rules(_Table):
    """The content of `config/permissions.toml`."""

    denied: tuple[DeniedCommand, ...]
    edit: EditRules


def load_rules(path: Path | None = None) -> Rules:
    """The rules of a file, by default the packaged ones.

    Raises:
        UsageError: when the file cannot be used.
    """
    path = path or resource("config") / "permissions.toml"
    try:
        return Rules.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise UsageError(f"{path}: cannot be used: {error}", hint="Correct the file.") from error


def decide(mode: Mode, tool: str, effect: Effect, arguments: Mapping[str, Any], rules: Rules) -> Verdict:
    """The verdict on one tool call. What is refused is refused in every mode; reading is always allowed."""
    command = str(arguments.get("command", "")) if tool == "run_command" else ""
    if reason := _denied(command, rules):
        return Deny(f"{reason}; ask the user to run it")
    if effect is Effect.READ or _lists_branches(tool, arguments):
        return Allow()
    match mode:
        case Mode.PLAN if effect is Effect.NETWORK:
            return Ask("plan mode asks before the web is read")
        case Mode.PLAN:
            return Deny("plan mode only reads; describe the change instead of making it")
        case Mode.ASK:
            return Ask("ask mode asks before every change, every command and the web")
        case Mode.EDIT if effect is Effect.WRITE or _is_free(tool, command, rules.edit):
            return Allow()
        case Mode.EDIT:
            return Ask("edit mode asks before commands, the web, commits and branches")
        case Mode.AUTO:
            return Allow()


def decide_note(mode: Mode, scope: str, *, web_was_read: bool) -> Verdict:
    """The verdict on a note for later runs: what reaches beyond its project, or may be a stranger's words, is asked."""
    if mode is Mode.PLAN:
        return Deny("plan mode only reads; put it into your answer")
    if scope == Scope.SESSION:
        return Allow()
    if scope == Scope.USER:
        return Ask("a note of scope user is told to later runs in every project")
    if web_was_read:
        return Ask("this session has read the web, and the note is told to later runs here")
    return Ask("ask mode asks before a note is kept for later runs") if mode is Mode.ASK else Allow()


def _lists_branches(tool: str, arguments: Mapping[str, Any]) -> bool:
    return tool == "git_branch" and not arguments.get("name")


def _denied(command: str, rules: Rules) -> str | None:
    line = " ".join(re.sub(r"\n+", " ; ", command.replace("\\\n", " ")).split())
    return next((rule.reason for rule in rules.denied if rule.pattern.search(line)), None)


def _is_free(tool: str, command: str, rules: EditRules) -> bool:
    return tool in rules.free_tools or (bool(command) and _is_free_command(command, rules))


def _is_free_command(command: str, rules: EditRules) -> bool:
    """Whether a rule names the command's first words and nothing that follows could do more than look."""
    if not _PLAIN_COMMAND.fullmatch(command):
        return False
    words = command.split()
    for rule, options in rules.free_commands.items():
        named = rule.split()
        if words[: len(named)] == named:
            return all(_is_harmless(word, options) for word in words[len(named) :])
    return False


def _is_harmless(word: str, options: tuple[str, ...]) -> bool:
    if word.startswith("-"):
        return word in options or word[1:].isdecimal()
    return not _LEAVES_WORKSPACE.search(word)

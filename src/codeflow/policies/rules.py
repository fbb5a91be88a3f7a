"""Rules as values: `run_command(git push *)`, what each is about, and the files that hold them."""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from codeflow.core.errors import UsageError
from codeflow.core.permissions import Layer
from codeflow.policies.patterns import (
    BadPatternError,
    CommandPattern,
    command_pattern,
    path_regex,
    text_regex,
)

SHELL_LINES: Mapping[str, str] = {"run_command": "command", "benchmark": "command"}
"""Tools whose calls are shell lines, and the argument that holds the line."""
WRITERS = frozenset({"write_file", "edit_file", "multi_edit", "apply_patch", "code_actions", "rename_symbol"})
"""Tools that write files; a rule for write_file is about all of them, and about redirections."""
WRITES_ELSEWHERE = frozenset({"code_actions", "rename_symbol", "format_code"})
"""Tools that write files which the call does not name."""
WRITE, READ = "write_file", "read_file"
URLS: Mapping[str, str] = {"fetch_page": "url"}
NAMES: Mapping[str, str] = {
    "install_dependency": "name",
    "git_branch": "name",
    "git_stash": "action",
    "git_worktree": "action",
    "execute_code": "language",
    "run_tests": "target",
}
"""Tools whose pattern is about one argument, in which `*` is any text."""
ONLINE = frozenset({"install_dependency", "check_updates", "audit_security"})
"""Tools that start a package manager, which may be the project's own, with the network."""
READERS = frozenset({READ, "list_directory", "document_symbols", "diagnostics", "parse_ast", "git_blame"})
"""Tools that read a path; a rule for read_file is about every tool that reads and names a path."""

_RULE = re.compile(r"([A-Za-z_]\w*)(?:\((.*)\))?", re.DOTALL)


class Action(StrEnum):
    """What a rule says about the calls that it matches."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True)
class Rule:
    """One rule of a layer. `pattern` is None where it is about every call of the tool."""

    action: Action
    tool: str
    pattern: str | None
    reason: str
    layer: Layer

    @property
    def text(self) -> str:
        """As it is written."""
        return self.tool if self.pattern is None else f"{self.tool}({self.pattern})"

    @property
    def order(self) -> tuple[str, str, str, str]:
        return (str(list(Layer).index(self.layer)), self.action, self.text, self.reason)

    @cached_property
    def command(self) -> CommandPattern | None:
        """Its pattern, where it is about shell lines."""
        return (
            command_pattern(self.pattern) if self.pattern is not None and self.tool in SHELL_LINES else None
        )

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """Its pattern, where it is about a path, an address or a name: exact where the rule allows, else generous."""
        make = text_regex if self.tool in {*URLS, *NAMES} else path_regex
        return make(self.pattern or "**", strict=self.action is Action.ALLOW)


def parse_rule(text: str, action: Action, layer: Layer, tools: Collection[str], reason: str = "") -> Rule:
    """The rule of a text such as `write_file(src/**)`.

    Raises:
        ValueError: saying what is wrong with it.
    """
    found = _RULE.fullmatch(text.strip())
    if found is None:
        raise BadPatternError("it is not of the form tool or tool(pattern)")
    tool, pattern = found[1], found[2]
    if tool not in tools:
        raise BadPatternError(f"there is no tool {tool}")
    if pattern is not None:
        _check_pattern(tool, pattern)
    return Rule(action, tool, pattern, reason, layer)


def _check_pattern(tool: str, pattern: str) -> None:
    if not pattern.strip() or any(ord(character) < ord(" ") for character in pattern):
        raise BadPatternError("its pattern is empty or holds control characters")
    if tool in SHELL_LINES:
        command_pattern(pattern)
    elif tool in URLS:
        if not re.match(r"https?://[^/*]", pattern) and not re.match(r"https?://\*\.[^/*]", pattern):
            raise BadPatternError("an address begins with https://HOST or https://*.DOMAIN")
    elif tool in {*WRITERS, *READERS}:
        if ".." in pattern.split("/"):
            raise BadPatternError("a path in it goes up with `..`; begin it at the workspace, / or ~")
    elif tool not in NAMES:
        raise BadPatternError(f"{tool} takes no pattern: write just {tool}")


@dataclass(frozen=True, slots=True)
class EditRules:
    """What the mode `edit` does not ask about; words of a command -> options it may carry."""

    free_tools: frozenset[str]
    free_commands: Mapping[str, tuple[str, ...]]


def read_rules(path: Path, layer: Layer, tools: Collection[str]) -> tuple[Rule, ...]:
    """The rules of a layer's file; none where there is no file.

    Raises:
        UsageError: naming the file and the rule that cannot be used.
    """
    table = _table(path) if path.exists() else {}
    if strange := sorted(set(table) - set(Action)):
        raise _unusable(path, f"{strange[0]}: unknown key", "Its keys are allow, ask and deny.")
    return _rules(path, table, layer, tools)


def packaged_rules(path: Path, tools: Collection[str]) -> tuple[tuple[Rule, ...], EditRules]:
    """The packaged rules, and what the mode `edit` lets through.

    Raises:
        UsageError: when the file cannot be used.
    """
    table = _table(path)
    edit = table.pop("edit", {})
    commands = edit.get("free_commands", {}) if isinstance(edit, dict) else None
    if (
        not isinstance(commands, dict)
        or set(edit) - {"free_tools", "free_commands"}
        or set(table) - set(Action)
    ):
        raise _unusable(path, "unknown keys", "Correct the file.")
    free = EditRules(
        frozenset(_texts(path, "edit.free_tools", edit.get("free_tools", []))),
        {name: tuple(_texts(path, name, options)) for name, options in commands.items()},
    )
    return _rules(path, table, Layer.PACKAGED, tools), free


def flag_rules(allow: Iterable[str], deny: Iterable[str], tools: Collection[str]) -> tuple[Rule, ...]:
    """The rules of --allow and --deny.

    Raises:
        UsageError: naming the flag and the rule.
    """
    rules: list[Rule] = []
    for action, texts in ((Action.ALLOW, allow), (Action.DENY, deny)):
        for text in texts:
            try:
                rules.append(parse_rule(text, action, Layer.SESSION, tools))
            except ValueError as problem:
                raise UsageError(f"--{action} {text}: {problem}", hint=_HINT) from problem
    return tuple(rules)


_HINT = "For example run_command(git push *), write_file(src/**) or edit_file; see docs/permissions.md."


def _rules(path: Path, table: Mapping[str, Any], layer: Layer, tools: Collection[str]) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for action in Action:
        entries = table.get(action, [])
        if not isinstance(entries, list):
            raise _unusable(path, f"{action}: not a list of rules")
        for entry in entries:
            text, reason = _entry(path, action, entry)
            try:
                rules.append(parse_rule(text, action, layer, tools, reason))
            except ValueError as problem:
                raise _unusable(path, f"{action}: {text}: {problem}") from problem
    return tuple(rules)


def _entry(path: Path, action: Action, entry: object) -> tuple[str, str]:
    match entry:
        case str():
            return entry, ""
        case {"rule": str(text), **rest} if set(rest) <= {"reason"} and isinstance(
            rest.get("reason", ""), str
        ):
            return text, str(rest.get("reason", ""))
        case _:
            raise _unusable(path, f"{action}: {entry!r} is neither a rule nor {{ rule, reason }}")


def _texts(path: Path, name: str, value: object) -> Sequence[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _unusable(path, f"{name}: not a list of texts")
    return [str(one) for one in value]


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _unusable(path, f"cannot be used: {error}", "Correct or remove the file.") from error


def _unusable(path: Path, problem: str, hint: str = _HINT) -> UsageError:
    return UsageError(f"{path}: {problem}", hint=hint)


def in_order(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Each rule once, in one order whatever order they came in."""
    return tuple(sorted(dict.fromkeys(rules), key=lambda rule: rule.order))

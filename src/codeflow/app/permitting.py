"""Which rules are in force for a run, and what its tool calls are to them."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from codeflow.app.remembering import WebWatch
from codeflow.core.permissions import Layer, Reach, Ruling
from codeflow.core.places import as_named, config_home, resource
from codeflow.core.secret_files import holds_secrets, matches_any
from codeflow.core.settings import Settings
from codeflow.core.trust import is_trusted
from codeflow.core.values import Allow, Ask, Effect, Mode
from codeflow.policies.patterns import Place
from codeflow.policies.permissions import Call, Locations, Policy, decide, shortened
from codeflow.policies.remembered import Remembered
from codeflow.policies.revealing import files_shown
from codeflow.policies.rules import Action, Rule, flag_rules, packaged_rules, parse_rule, read_rules
from codeflow.tools.left import left_file
from codeflow.tools.registry import TOOLS, Tool
from codeflow.tools.sandbox.choosing import choose

FILE = "permissions.toml"
_INSTALLS = frozenset({"install_dependency"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The rules of every layer for a folder. `left_out` are those of a project that only trust would bring in."""

    policy: Policy
    left_out: tuple[Rule, ...]
    remembered: Remembered
    project_file: Path
    readable_secrets: tuple[str, ...] = ()
    """The user's globs of credential files that models may read."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        if not self.left_out:
            return ()
        note = f"{self.project_file}: its {len(self.left_out)} allow rules do not count until you trust this folder"
        return (f"{note} (`codeflow trust` shows them)",)


def load_layers(
    settings: Settings, home: Path, root: Path, env: Mapping[str, str], session: Iterable[Rule] = ()
) -> Layers:
    """The rules for work in `root`, which belongs to the project `home`.

    Raises:
        UsageError: naming the file and the rule that cannot be used.
    """
    tools = TOOLS
    packaged, free = packaged_rules(resource("config") / FILE, tools)
    user = read_rules(config_home(env) / FILE, Layer.USER, tools)
    project_file = home / ".codeflow" / FILE
    project = read_rules(project_file, Layer.PROJECT, tools)
    counting, left_out = of_project(project, trusted=is_trusted(home, settings.trusted_folders))
    remembered = Remembered(home, env)
    place = Place(root=str(root), home=str(Path.home()))
    policy = Policy(
        rules=(*packaged, *user, *counting, *remembered.rules(tools), *session),
        free=free,
        place=place,
        contained=not choose(settings.sandbox, root, env).missing,
        locate=partial(locate, place),
    )
    return Layers(
        policy=policy,
        left_out=left_out,
        remembered=remembered,
        project_file=project_file,
        readable_secrets=tuple(settings.tools.readable_secrets),
    )


def of_project(rules: Sequence[Rule], *, trusted: bool) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """A project's rules that count and those that do not: what nobody trusts can only tighten."""
    left_out = () if trusted else tuple(rule for rule in rules if rule.action is Action.ALLOW)
    return tuple(rule for rule in rules if rule not in left_out), left_out


class Permits:
    """Judges the calls of a run, and takes the rules that a person adds while it runs."""

    def __init__(self, mode: Mode, layers: Layers, web: WebWatch, approved: Iterable[str] = ()) -> None:
        """`approved` are the rules that answers have added to the session before.

        Raises:
            UsageError: when one of them means nothing any more.
        """
        self._mode = mode
        self._policy = layers.policy.with_rules(flag_rules(approved, (), TOOLS))
        self._remembered = layers.remembered
        self._readable = layers.readable_secrets
        self._web = web

    def judge(self, tool: Tool, arguments: Mapping[str, Any]) -> Ruling:
        call = as_call(tool, arguments, self._policy)
        ruling = decide(self._mode, call, self._policy, web_was_read=self._web.was_read)
        reason = self._why_asked(tool, arguments, ruling) if isinstance(ruling.verdict, Allow) else None
        return Ruling(verdict=Ask(reason)) if reason else ruling

    def _why_asked(self, tool: Tool, arguments: Mapping[str, Any], ruling: Ruling) -> str | None:
        """Why an allowed call is asked about all the same: no rule allows what a stranger's words may be behind."""
        taint = self._web.taint
        if tool.name in _INSTALLS and taint.sources:
            return f"it downloads and runs packages, and this session has read {' and '.join(sorted(taint.sources))}"
        if tool.name == "run_command":
            line = str(arguments.get("command", ""))
            return taint.why_asked(line, contained=self._policy.contained) or (
                self._why_shown(line) if ruling.layer is Layer.MODE else None
            )
        if tool.effect is Effect.WRITE and self._mode is Mode.EDIT and ruling.layer is Layer.MODE:
            found = ((path, holds_secrets(path)) for path in tool.names(arguments))
            return next((f"{path} is {kind}" for path, kind in found if kind), None)
        return None

    def _why_shown(self, line: str) -> str | None:
        """What read_file refuses is asked about where a command would print it."""
        root = Path(self._policy.place.root or "/")
        for command, path in files_shown(line):
            names = dict.fromkeys([path, *(names[0] for names in self._policy.located(path))])
            kinds = [holds_secrets(name, left_file(root, name)) for name in names]
            if any(kinds) and not any(matches_any(name, self._readable) for name in names):
                return f"`{shortened(command)}` would show {path}, which is {next(filter(None, kinds))}"
        return None

    def learn(self, text: str, reach: Reach) -> None:
        """A rule that a person gave holds from now on; raises what `Remembered` raises."""
        layer = Layer.REMEMBERED if reach is Reach.ALWAYS else Layer.SESSION
        rule = parse_rule(text, Action.ALLOW, layer, TOOLS)
        self._policy = self._policy.with_rules([rule])
        if reach is Reach.ALWAYS:
            self._remembered.add(text)


def as_call(tool: Tool, arguments: Mapping[str, Any], policy: Policy) -> Call:
    """A tool call as the rules see it."""
    paths = tuple(policy.located(path) for path in tool.names(arguments))
    return Call(tool=tool.name, effect=tool.effect, arguments=arguments, paths=paths)


def locate(place: Place, path: str) -> Locations:
    """Where a path leads, as written and with its links followed, each in every name that a rule may give it."""
    root, home = place.root or "/", place.home or "/"
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    path = as_named(root, path)
    written = os.path.normpath(os.path.join(root, path.replace("\0", "\ufffd")))  # noqa: PTH118 - not resolved
    real = os.path.realpath(written)
    first = _names(written, root, home)
    second = _names(real, os.path.realpath(root), os.path.realpath(home))
    return (first,) if first == second else (first, second)


def _names(path: str, root: str, home: str) -> tuple[str, ...]:
    if path == root:
        return (".", path)
    if path.startswith(root.rstrip("/") + "/"):
        return (path[len(root.rstrip("/")) + 1 :], path)
    if path.startswith(home.rstrip("/") + "/"):
        return ("~" + path[len(home.rstrip("/")) :], path)
    return (path,)

"""Which tool calls may go ahead, which a person is asked about, and which are refused: pure functions of values.

Every part of a call is judged by itself, and the strictest verdict is that of the call. For a part, deny wins over ask
and ask over allow, whichever layers the rules are from; where no rule speaks, the mode does.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codeflow.core.notes import Scope
from codeflow.core.permissions import Layer, Ruling
from codeflow.core.values import Allow, Ask, Deny, Effect, Mode, Verdict
from codeflow.policies.offers import offers
from codeflow.policies.patterns import Command, Match, Place
from codeflow.policies.rules import (
    NAMES,
    ONLINE,
    READ,
    SHELL_LINES,
    URLS,
    WRITE,
    WRITERS,
    WRITES_ELSEWHERE,
    Action,
    EditRules,
    Rule,
    in_order,
    parse_rule,
)
from codeflow.syntax.shell.programs import HARMLESS_SETTINGS
from codeflow.syntax.shell.reader import Doubt, Part, Redirection, Run, Setting
from codeflow.syntax.shell.running import parts_of, program
from codeflow.syntax.shell.words import HOME, Word

_LEAVES_WORKSPACE = re.compile(r"(^|[=:,])[/\1]|(^|[/=:,])\.\.(/|$)")
_RANK: Mapping[type[Verdict], int] = {Allow: 0, Ask: 1, Deny: 2}
_CHANGES_FOLDER = frozenset({"cd", "pushd", "popd"})
_SHOWN = 120


Locations = tuple[tuple[str, ...], ...]
"""Where a path leads: as it is written and, if that differs, with its links followed; each with all its names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call to judge. `paths` are those that it names."""

    tool: str
    effect: Effect
    arguments: Mapping[str, Any]
    paths: tuple[Locations, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules in force. `contained`: commands run in a sandbox, so that what nobody can read may run in mode auto."""

    rules: tuple[Rule, ...]
    free: EditRules
    place: Place
    contained: bool = False
    locate: Callable[[str], Locations] | None = None
    """Looks on disk where a path leads; None: links are not followed."""

    def with_rules(self, rules: Iterable[Rule]) -> "Policy":
        return replace(self, rules=in_order((*self.rules, *rules)))

    def located(self, path: str) -> Locations:
        if self.locate is not None:
            return self.locate(path.replace(HOME, "~"))
        return ((self.place.canonical(path).replace(HOME, "~"),),)


def decide(mode: Mode, call: Call, policy: Policy, *, web_was_read: bool = False) -> Ruling:
    """The ruling on one tool call; an asked one comes with the narrow rule that would spare the question."""
    policy = policy.with_rules(())
    ruling = _decide(mode, call, policy, web_was_read=web_was_read)
    if not isinstance(ruling.verdict, Ask) or ruling.layer is not Layer.MODE:
        return ruling
    for text in offers(call.tool, call.arguments, call.paths):
        rule = parse_rule(text, Action.ALLOW, Layer.SESSION, {call.tool})
        spared = _decide(mode, call, policy.with_rules([rule]), web_was_read=web_was_read)
        if isinstance(spared.verdict, Allow):
            return replace(ruling, offer=text)
    return ruling


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


def of_mode(mode: Mode, effect: Effect, *, free: bool) -> Verdict:
    """What the mode says of a call that no rule is about; `free` is what edit mode does not ask about."""
    if effect is Effect.READ:
        return Allow()
    match mode:
        case Mode.PLAN if effect is Effect.NETWORK:
            return Ask("plan mode asks before the web is read")
        case Mode.PLAN:
            return Deny("plan mode only reads; describe the change instead of making it")
        case Mode.ASK:
            return Ask("ask mode asks before every change, every command and the web")
        case Mode.EDIT if effect is Effect.WRITE or free:
            return Allow()
        case Mode.EDIT:
            return Ask("edit mode asks before commands, the web, commits and branches")
        case Mode.AUTO:
            return Allow()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matter:
    """Something that is judged by itself: what a rule makes of it, and what holds where no rule speaks."""

    what: str
    loosely: Callable[[Rule], Match]
    """For rules that ask or deny."""
    strictly: Callable[[Rule], bool]
    """For rules that allow."""
    otherwise: Verdict


def _decide(mode: Mode, call: Call, policy: Policy, *, web_was_read: bool) -> Ruling:
    rulings = [
        _settle(matter, policy.rules) for matter in _matters(mode, call, policy, web_was_read=web_was_read)
    ]
    strictest = max(rulings, key=lambda ruling: _RANK[type(ruling.verdict)])
    if isinstance(strictest.verdict, Allow):
        return next((ruling for ruling in rulings if ruling.rule), strictest)
    return strictest


def _settle(matter: _Matter, rules: Sequence[Rule]) -> Ruling:
    found = [(rule, matter.loosely(rule)) for rule in rules if rule.action is not Action.ALLOW]
    denied = next((rule for rule, match in found if rule.action is Action.DENY and match is Match.YES), None)
    if denied:
        return Ruling(verdict=Deny(_refusal(matter.what, denied)), rule=denied.text, layer=denied.layer)
    if isinstance(matter.otherwise, Deny):
        return Ruling(verdict=matter.otherwise)
    asked = next(((rule, match) for rule, match in found if match), None)
    if asked:
        return Ruling(verdict=Ask(_question(matter.what, *asked)), rule=asked[0].text, layer=asked[0].layer)
    allowing = (rule for rule in rules if rule.action is Action.ALLOW and matter.strictly(rule))
    allowed = next(allowing, None)
    if allowed:
        return Ruling(verdict=Allow(), rule=allowed.text, layer=allowed.layer)
    return Ruling(verdict=matter.otherwise)


def _refusal(what: str, rule: Rule) -> str:
    reason = rule.reason or f"the {rule.layer} rule {rule.text} forbids it"
    return f"{what}: {reason}; ask the user to do it" if what else f"{reason}; ask the user to do it"


def _question(what: str, rule: Rule, match: Match) -> str:
    about = f"{what}: " if what else ""
    if match is Match.MAYBE:
        return f"{about}whether the {rule.layer} rule {rule.text} is about it, only running it shows"
    return about + (rule.reason or f"the {rule.layer} rule {rule.text} asks")


def _matters(mode: Mode, call: Call, policy: Policy, *, web_was_read: bool) -> list[_Matter]:
    if call.tool in SHELL_LINES:
        found = list(_shell_matters(mode, call, policy))
        return found or [_whole_call(mode, call, policy, web_was_read=web_was_read)]
    if call.paths and call.tool not in WRITES_ELSEWHERE:
        return list(_path_matters(mode, call))
    found = [_whole_call(mode, call, policy, web_was_read=web_was_read)]
    if call.tool == "execute_code" and call.arguments.get("language") == "shell":
        found += [
            replace(matter, strictly=_never, otherwise=Allow())
            for matter in _line_matters(mode, call, str(call.arguments.get("code", "")), policy)
        ]
    return found


def _never(_rule: Rule) -> bool:
    return False


def _whole_call(mode: Mode, call: Call, policy: Policy, *, web_was_read: bool) -> _Matter:
    """The call by its tool, and by its address or name."""
    argument = {**URLS, **NAMES}.get(call.tool)
    value = str(call.arguments.get(argument) or "") if argument else None
    writes_unnamed = call.effect is Effect.WRITE or call.tool in WRITES_ELSEWHERE
    runs_programs = call.effect is Effect.EXECUTE

    def matches(rule: Rule) -> Match:
        if rule.tool != call.tool and not (rule.tool == WRITE and call.tool in WRITERS | WRITES_ELSEWHERE):
            return Match.NO
        if rule.pattern is None:
            return Match.YES
        if value is None:
            return Match.MAYBE if writes_unnamed else Match.NO
        return Match.YES if rule.regex.fullmatch(value) else Match.NO

    return _Matter(
        what=f"{call.tool} {value}".strip() if value else "",
        loosely=matches,
        strictly=lambda rule: matches(rule) is Match.YES and (rule.tool == call.tool or not runs_programs),
        otherwise=_otherwise(mode, call, policy, web_was_read=web_was_read),
    )


def _otherwise(mode: Mode, call: Call, policy: Policy, *, web_was_read: bool) -> Verdict:
    if call.effect is Effect.NOTE:
        return decide_note(mode, str(call.arguments.get("scope", "")), web_was_read=web_was_read)
    if call.tool == "git_branch" and not call.arguments.get("name"):
        return Allow()
    verdict = of_mode(mode, call.effect, free=call.tool in policy.free.free_tools)
    if call.tool in ONLINE and isinstance(verdict, Allow):
        return Ask("the package manager has the network: auto mode asks unless a rule allows it")
    return verdict


def _path_matters(mode: Mode, call: Call) -> Iterator[_Matter]:
    family = WRITE if call.effect is Effect.WRITE else READ if call.effect is Effect.READ else ""
    for locations in call.paths:
        yield _path_matter(
            f"{call.tool} {locations[0][0]}",
            locations,
            {call.tool, family},
            of_mode(mode, call.effect, free=False),
        )


def _path_matter(what: str, locations: Locations, tools: set[str], otherwise: Verdict) -> _Matter:
    def hits(rule: Rule) -> list[bool]:
        return [rule.pattern is None or any(map(rule.regex.fullmatch, names)) for names in locations]

    def loosely(rule: Rule) -> Match:
        return Match.YES if rule.tool in tools and any(hits(rule)) else Match.NO

    def strictly(rule: Rule) -> bool:
        return rule.tool in tools and all(hits(rule))

    return _Matter(what=what, loosely=loosely, strictly=strictly, otherwise=otherwise)


def _shell_matters(mode: Mode, call: Call, policy: Policy) -> Iterator[_Matter]:
    line = str(call.arguments.get(SHELL_LINES[call.tool]) or "")
    return _line_matters(mode, call, line, policy)


def _line_matters(mode: Mode, call: Call, line: str, policy: Policy) -> Iterator[_Matter]:
    parts = parts_of(line)
    runs = [part for part in parts if isinstance(part, Run)]
    moves = any(program(run.words[0]) in _CHANGES_FOLDER for run in runs)
    several = len(runs) > 1
    others = [part for part in parts if not isinstance(part, Run)]
    for part in (*others, *runs):  # what is special about a line is the better reason to ask
        if matter := _part_matter(mode, call, part, policy, moves=moves):
            yield _named(matter, part) if several else matter


def _named(matter: _Matter, part: Part) -> _Matter:
    """The mode's question about one command of several says which."""
    if isinstance(part, Run) and isinstance(matter.otherwise, Ask):
        return replace(matter, otherwise=Ask(f"{matter.what}: {matter.otherwise.reason}"))
    return matter


def _part_matter(mode: Mode, call: Call, part: Part, policy: Policy, *, moves: bool) -> _Matter | None:
    match part:
        case Run():
            return _run_matter(mode, call, part, policy)
        case Redirection():
            return _redirection_matter(mode, part, policy, moves=moves)
        case Setting() if HARMLESS_SETTINGS.fullmatch(part.name):
            return None
        case Setting():
            return _plain_matter(_cautious(mode, f"{part.name} is set, which may change what runs"))
        case Doubt():
            lets = mode is Mode.AUTO and (policy.contained or not part.hides)
            return _plain_matter(Allow() if lets else _cautious(mode, part.reason, in_auto=True))


def _cautious(mode: Mode, reason: str, *, in_auto: bool = False) -> Verdict:
    verdict = of_mode(mode, Effect.EXECUTE, free=False)
    if isinstance(verdict, Deny) or (isinstance(verdict, Allow) and not in_auto):
        return verdict
    return Ask(reason)


def _plain_matter(otherwise: Verdict) -> _Matter:
    """What no rule can allow."""
    return _Matter(what="", loosely=lambda _rule: Match.NO, strictly=_never, otherwise=otherwise)


def _run_matter(mode: Mode, call: Call, run: Run, policy: Policy) -> _Matter:
    command = Command(run.words, policy.place)

    def loosely(rule: Rule) -> Match:
        if rule.tool not in {"run_command", call.tool}:
            return Match.NO
        return Match.YES if rule.command is None else rule.command.loosely(command)

    def strictly(rule: Rule) -> bool:
        fits = command.known if rule.command is None else rule.command.strictly(command)
        return rule.tool == call.tool and fits

    free = call.tool == "run_command" and is_free(run.words, policy.free)
    verdict = of_mode(mode, Effect.EXECUTE, free=free)
    return _Matter(
        what=f"`{shortened(run.source)}`",
        loosely=loosely,
        strictly=strictly,
        otherwise=Allow() if run.wrapper and not isinstance(verdict, Deny) else verdict,
    )


def _redirection_matter(mode: Mode, part: Redirection, policy: Policy, *, moves: bool) -> _Matter:
    tool = WRITE if part.writes else READ
    sure = part.target.known and not (moves and not part.target.text.startswith(("/", HOME)))
    locations = policy.located(part.target.text) if part.target.known else ()
    inside = sure and not any(
        _LEAVES_WORKSPACE.search(names[0]) or names[0][:1] == "~" for names in locations
    )
    verb = "writes to" if part.writes else "reads"
    free = inside and not part.writes
    verdict = of_mode(mode, Effect.EXECUTE, free=free)
    known = _path_matter("", locations, {tool}, verdict)

    def loosely(rule: Rule) -> Match:
        if rule.tool != tool or rule.pattern is None or known.loosely(rule):
            return Match.NO if rule.tool != tool else Match.YES
        return Match.NO if sure else Match.MAYBE

    return _Matter(
        what=f"a redirection {verb} {shortened(part.target.source)}",
        loosely=loosely,
        strictly=lambda rule: sure and (inside or rule.pattern is not None) and known.strictly(rule),
        otherwise=_cautious(mode, f"a redirection {verb} {shortened(part.target.source)}")
        if isinstance(verdict, Ask)
        else verdict,
    )


def shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def is_free(words: Sequence[Word], rules: EditRules) -> bool:
    """Whether a rule names the command's first words and nothing that follows could do more than look."""
    if not all(word.known for word in words):
        return False
    texts = [word.text for word in words]
    for rule, options in rules.free_commands.items():
        named = rule.split()
        if texts[: len(named)] == named:
            return all(_is_harmless(text, options) for text in texts[len(named) :])
    return False


def _is_harmless(word: str, options: tuple[str, ...]) -> bool:
    if word.startswith("-"):
        return word in options or word[1:].isdecimal()
    return not _LEAVES_WORKSPACE.search(word)

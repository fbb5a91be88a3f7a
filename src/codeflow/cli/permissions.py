"""`codeflow permissions`: the rules in force, what they say of a call, and taking back what was allowed for good."""

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli.listing import ListOutput, show
from codeflow.cli.render.clean import one_line, visible
from codeflow.core.errors import UsageError
from codeflow.core.values import Allow, Mode

if TYPE_CHECKING:
    from codeflow.app.permitting import Layers
    from codeflow.core.settings import Settings
    from codeflow.policies.remembered import Remembered
    from codeflow.policies.rules import Rule
    from codeflow.tools.tool import Tool

app = typer.Typer(
    rich_markup_mode=None,
    invoke_without_command=True,
    help="List the rules in force, and try a call.",
)

Workspace = Annotated[Path | None, typer.Option(help="Whose rules; default: this folder's.")]
Output = Annotated[ListOutput, typer.Option(help="How to print it.")]


@app.callback()
def permissions(
    context: typer.Context, workspace: Workspace = None, output: Output = ListOutput.TEXT
) -> None:
    if context.invoked_subcommand is None:
        list_rules(workspace, output)


@app.command("list")
def list_rules(workspace: Workspace = None, output: Output = ListOutput.TEXT) -> None:
    """List the rules in force here, with their layers; the numbered ones were given as answers."""
    layers = _layers(workspace)[1]
    given = {rule: (number, at) for number, (rule, at) in enumerate(layers.remembered.entries(), 1)}
    rows = [_row(rule, given, counts=True) for rule in layers.policy.rules]
    rows += [_row(rule, given, counts=False) for rule in layers.left_out]
    show(rows, ["number", "layer", "says", "rule", "note"], output=output, empty="no rules")


@app.command("revoke")
def revoke(
    rule: Annotated[str, typer.Argument(metavar="RULE|NUMBER", help="As `codeflow permissions` lists it.")],
    workspace: Workspace = None,
) -> None:
    """Take back what was allowed in this folder for good."""
    remembered = _remembered(workspace)
    entries = [text for text, _at in remembered.entries()]
    number = int(rule) if rule.isascii() and rule.isdigit() else 0
    text = entries[number - 1] if 1 <= number <= len(entries) else rule
    if text not in entries:
        raise UsageError(
            f"{rule}: no answer has allowed that for good here",
            hint="`codeflow permissions` lists them; other rules stand in the files that it names.",
        )
    remembered.remove(text)
    print(f"{visible(text)} is asked about again.")


@app.command("check", context_settings={"ignore_unknown_options": True})
def check(
    tool: Annotated[str, typer.Argument(help="A tool's name.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARG...", help="A command line, a path, an address, or one JSON object."),
    ] = None,
    mode: Annotated[Mode | None, typer.Option(help="As if the run had this mode.")] = None,
    workspace: Workspace = None,
    output: Output = ListOutput.TEXT,
) -> None:
    """Say what would become of a call, and which rule of which layer decides; nothing is run."""
    from codeflow.app.permitting import Permits
    from codeflow.app.remembering import WebWatch
    from codeflow.cli.tools import named

    known = named(tool)
    settings, layers = _layers(workspace)
    permits = Permits(mode or settings.run.mode, layers, WebWatch(frozenset()))
    ruling = permits.judge(known, _given(known, arguments or []))
    says = type(ruling.verdict).__name__.lower()
    reason = "" if isinstance(ruling.verdict, Allow) else ruling.verdict.reason
    if output is ListOutput.JSON:
        row = {"verdict": says, "reason": reason, "rule": ruling.rule or None, "layer": ruling.layer.value}
        print(json.dumps(row | {"offer": ruling.offer or None}))
        return
    by = f"{ruling.layer} rule {ruling.rule}" if ruling.rule else f"mode {mode or settings.run.mode}"
    print(f"{says}, by {visible(by)}" + (f": {one_line(reason)}" if reason else ""))
    if ruling.offer:
        print(f"this would allow it: {visible(ruling.offer)}")


def _given(tool: "Tool", words: list[str]) -> dict[str, Any]:
    """The arguments of a call from what stands on the command line."""
    from codeflow.policies.rules import NAMES, SHELL_LINES, URLS

    if len(words) == 1 and words[0].startswith("{"):
        return _object(words[0])
    if tool.name in SHELL_LINES:
        return {SHELL_LINES[tool.name]: words[0] if len(words) == 1 else shlex.join(words)}
    if name := {**URLS, **NAMES}.get(tool.name):
        return {name: " ".join(words)} if words else {}
    return _paths(tool, words)


def _paths(tool: "Tool", words: list[str]) -> dict[str, Any]:
    if tool.name == "multi_edit":
        return {"edits": [{"path": word} for word in words]}
    if tool.names({"path": "x"}) and len(words) <= 1:
        return {"path": words[0]} if words else {}
    if words:
        raise UsageError(
            f"{tool.name}: cannot tell what {' '.join(words)} means",
            hint="Give its arguments as a JSON object.",
        )
    return {}


def _object(text: str) -> dict[str, Any]:
    try:
        given: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{text}: not valid JSON: {error}", hint="Give one JSON object.") from error
    return given


def _layers(workspace: Path | None) -> "tuple[Settings, Layers]":
    from codeflow.app.permitting import load_layers
    from codeflow.cli.request import existing_folder
    from codeflow.core.settings import load_settings

    root = existing_folder(workspace)
    settings = load_settings(root, env=os.environ)
    return settings, load_layers(settings, root, root, os.environ)


def _remembered(workspace: Path | None) -> "Remembered":
    from codeflow.cli.request import existing_folder
    from codeflow.policies.remembered import Remembered

    return Remembered(existing_folder(workspace))


def _row(rule: "Rule", given: dict[str, tuple[int, str]], *, counts: bool) -> dict[str, Any]:
    from codeflow.core.permissions import Layer

    number, at = given.get(rule.text, (None, None)) if rule.layer is Layer.REMEMBERED else (None, None)
    return {
        "number": number,
        "layer": rule.layer.value,
        "says": rule.action.value,
        "rule": visible(rule.text),
        "note": (rule.reason or at) if counts else "does not count until you trust this folder",
        "reason": rule.reason or None,
        "given": at,
        "counts": counts,
    }

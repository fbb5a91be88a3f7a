"""`codeflow tools`: what an agent can do, and one tool by hand."""

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli import completing
from codeflow.cli.listing import ListOutput, show
from codeflow.core.errors import UsageError
from codeflow.core.values import EXIT_CODES, Mode, Status

if TYPE_CHECKING:
    from codeflow.core.values import ToolResult
    from codeflow.tools.tool import Tool

_JSON_HINT = """For example --json '{"path": "README.md"}'."""

app = typer.Typer(
    rich_markup_mode=None, invoke_without_command=True, help="List what agents can do, or do it by hand."
)


@app.callback()
def tools(
    context: typer.Context,
    output: Annotated[ListOutput, typer.Option(help="How to print the list.")] = ListOutput.TEXT,
) -> None:
    if context.invoked_subcommand is None:
        list_tools(output)


@app.command("list")
def list_tools(
    output: Annotated[ListOutput, typer.Option(help="How to print the list.")] = ListOutput.TEXT,
) -> None:
    """List what agents can do, as `codeflow tools` alone does."""
    from codeflow.tools.registry import TOOLS

    rows = [_described(tool) for tool in TOOLS.values()]
    lines = [row | {"does": row["description"].partition("\n")[0]} for row in rows]
    shown = rows if output is ListOutput.JSON else lines
    show(shown, ["name", "effect", "does"], output=output, empty="no tools")


@app.command("show")
def show_tool(
    name: Annotated[str, typer.Argument(help="A tool's name.", autocompletion=completing.tools)],
    output: Annotated[ListOutput, typer.Option(help="How to print it.")] = ListOutput.TEXT,
) -> None:
    """Show what a model is told about one tool."""
    described = _described(named(name))
    if output is ListOutput.JSON:
        print(json.dumps(described))
        return
    schema = described["schema"]
    print(f"{name} ({described['effect']})\n{described['description']}\n")
    for argument, field in schema["properties"].items():
        must = "required" if argument in schema.get("required", ()) else f"default {field.get('default')!r}"
        print(f"  {argument}: {field.get('description', '')} ({must})")


@app.command("run")
def run_tool(
    name: Annotated[str, typer.Argument(help="A tool's name.", autocompletion=completing.tools)],
    arguments: Annotated[str, typer.Option("--json", help="The arguments, as a JSON object.")] = "{}",
    mode: Annotated[Mode | None, typer.Option(help="What may be done without asking.")] = None,
    workspace: Annotated[Path | None, typer.Option(help="The folder to work in.")] = None,
) -> int:
    """Run one tool by hand, under the rules that hold for agents, but without a session or a checkpoint.

    Exit code 0: done; 1: the tool or the rules refused; 2: no such tool, or no JSON object.
    """
    from codeflow.cli.drive import run_interruptibly
    from codeflow.cli.render.clean import visible
    from codeflow.tools.untrusted import undelimited

    tool, given = named(name), _json_object(arguments)
    result = run_interruptibly(_call(tool, given, mode, workspace))
    content = undelimited(result.content)
    print(visible(content) if sys.stdout.isatty() else content)
    return EXIT_CODES[Status.FAILED if result.is_error else Status.DONE]


async def _call(tool: "Tool", given: dict[str, Any], mode: Mode | None, folder: Path | None) -> "ToolResult":
    from codeflow.app.build import run_by_hand
    from codeflow.cli.approval import StandardInput, TerminalApproval, can_ask
    from codeflow.cli.request import existing_folder
    from codeflow.core.settings import load_settings

    root = existing_folder(folder)
    settings = load_settings(root, env=os.environ, flags={"run": {"mode": mode}} if mode else {})
    approve = TerminalApproval(StandardInput(nullcontext)) if can_ask() else None
    return await run_by_hand(tool, given, settings, root, env=os.environ, approve=approve)


def _described(tool: "Tool") -> dict[str, Any]:
    from codeflow.agents.toolbox import tool_spec
    from codeflow.tools.arguments import arguments_model

    spec = tool_spec(tool, arguments_model(tool))
    return {
        "name": tool.name,
        "effect": tool.effect.value,
        "description": spec["description"],
        "schema": spec["inputSchema"]["json"],
    }


def named(name: str) -> "Tool":
    """The tool of that name.

    Raises:
        UsageError: offering the nearest names.
    """
    from difflib import get_close_matches

    from codeflow.tools.registry import TOOLS

    if name not in TOOLS:
        near = get_close_matches(name, TOOLS)
        hint = f"Nearest: {', '.join(near)}." if near else "`codeflow tools` lists them."
        raise UsageError(f"{name}: no such tool", hint=hint)
    return TOOLS[name]


def _json_object(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"--json: not valid JSON: {error}", hint=_JSON_HINT) from error
    if not isinstance(given, dict):
        raise UsageError("--json: not a JSON object", hint=_JSON_HINT)
    return given

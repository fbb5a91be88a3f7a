"""`codeflow man`: the manual page, made from the commands themselves, so that it cannot differ from them."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import typer

from codeflow import __version__
from codeflow.core.values import EXIT_CODES, EXIT_USAGE

_FILES = {
    "~/.config/codeflow/settings.toml": "Your settings; codeflow setup writes them.",
    ".codeflow/settings.toml": "Those of a project; codeflow init writes a commented one.",
    "~/.local/state/codeflow": "Sessions, checkpoints, notes, ledger.",
}
_ENVIRONMENT = {
    "AWS_PROFILE, AWS_REGION, AWS_BEARER_TOKEN_BEDROCK": "Who asks for models, and where, as everywhere with AWS.",
    "CODEFLOW_SECTION__KEY": "A setting, such as CODEFLOW_RUN__MAX_COST=0.50.",
    "NO_COLOR": "No colours.",
    "XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_CACHE_HOME": "Where settings, sessions and caches are.",
}


def man(context: typer.Context) -> None:
    """Print the manual page, as codeflow.1.

    codeflow man | man -l - shows it; codeflow man > ~/.local/share/man/man1/codeflow.1 installs it.
    """
    root: Any = context.find_root()
    print("\n".join(_page(root)))


def _page(root: Any) -> Iterator[str]:
    """`root` is the context of the whole command line."""
    when = datetime.fromtimestamp(
        int(os.environ.get("SOURCE_DATE_EPOCH", datetime.now(UTC).timestamp())), UTC
    )
    yield f'.TH CODEFLOW 1 "{when:%Y-%m-%d}" "codeflow {__version__}" "User Commands"'
    yield from (".SH NAME", r"codeflow \- a coding agent for the terminal")
    yield from (".SH SYNOPSIS", r".B codeflow", r"[\fIcommand\fR] [\fIoptions\fR]")
    yield from (".SH DESCRIPTION", _escaped(root.command.help))
    yield "On a terminal and without a command, codeflow is a prompt."
    yield from (".SH OPTIONS", *_options(root))
    yield ".SH COMMANDS"
    yield from _commands(root)
    yield from (".SH EXIT STATUS", *_terms(_exit_codes()))
    yield from (".SH ENVIRONMENT", *_terms(_ENVIRONMENT))
    yield from (".SH FILES", *_terms(_FILES))


def _commands(group: Any) -> Iterator[str]:
    for name, command in group.command.commands.items():
        context = type(group)(command, info_name=name, parent=group)
        usage = " ".join(command.collect_usage_pieces(context))
        yield f'.SS "{_escaped(f"{context.command_path} {usage}".rstrip())}"'
        paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
        yield "\n.PP\n".join(_escaped(part) for part in paragraphs)
        yield from _options(context)
        if hasattr(command, "commands"):
            yield from _commands(context)


def _options(context: Any) -> Iterator[str]:
    records = (param.get_help_record(context) for param in context.command.get_params(context))
    yield from _terms(dict(filter(None, records)))


def _exit_codes() -> dict[str, str]:
    meanings: dict[int, list[str]] = {EXIT_USAGE: ["usage: nothing was done"]}
    for status, code in EXIT_CODES.items():
        meanings.setdefault(code, []).append(status.value.replace("_", " "))
    return {str(code): ", ".join(meanings[code]) for code in sorted(meanings)}


def _terms(meanings: dict[str, str]) -> Iterator[str]:
    for term, meaning in meanings.items():
        yield from (".TP", rf"\fB{_escaped(term)}\fR")
        if meaning:
            yield _escaped(" ".join(meaning.split()))


def _escaped(text: str) -> str:
    """What roff would take for a command stays text."""
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain

"""What Tab offers behind a flag or command, and `codeflow completion`, which prints what a shell needs for it."""

import os
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Offer = tuple[str, str]
"""A value, and what is said about it."""
_VARIABLE = "_CODEFLOW_COMPLETE"
_BASH = r"""
_codeflow_completion() {
    local line="${COMP_LINE:0:COMP_POINT}" piece="${COMP_WORDS[COMP_CWORD]}" word value
    word="${line##*[[:space:]]}"
    [[ $word == --*=* ]] && word="${word#*=}"
    [[ $piece == [=:] ]] && piece=""  # bash splits words at = and :, and replaces only the last piece
    COMPREPLY=()
    while IFS=$'\t' read -r value _; do
        [[ $value && $value == "$word"* ]] && COMPREPLY+=("${value#"${word%"$piece"}"}")
    done < <(_CODEFLOW_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \
        _TYPER_COMPLETE_ARGS="$line" "$1" 2>/dev/null)
}
complete -o default -F _codeflow_completion codeflow
"""
"""Typer's own loses the values of --flag=value, and those with a colon, as models' ids have."""


class Shell(StrEnum):
    """A shell that can be told how to complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell that will run the script.")],
) -> None:
    """Print the script by which a shell completes codeflow.

    bash: eval "$(codeflow completion bash)" in ~/.bashrc. zsh: the same with zsh, in ~/.zshrc after compinit. fish:
    codeflow completion fish > ~/.config/fish/completions/codeflow.fish. PowerShell: codeflow completion powershell
    | Out-String | Invoke-Expression, in $PROFILE.
    """
    from typer._completion_shared import get_completion_script  # no public name prints it for a named shell

    if shell is Shell.BASH:
        print(_BASH.strip())
    else:
        print(get_completion_script(prog_name="codeflow", complete_var=_VARIABLE, shell=shell.value))


def _completer(offers: Callable[[], Iterable[Offer]]) -> Callable[[str], list[Offer]]:
    """What begins with the word so far; nothing where the settings or files behind it cannot be read."""

    def complete(incomplete: str) -> list[Offer]:
        from codeflow.core.errors import CodeflowError

        try:
            found = [(value, " ".join(about.split())[:80]) for value, about in offers()]
        except (CodeflowError, OSError):  # whoever presses Tab wants no message; the command itself tells
            return []
        return [offer for offer in found if offer[0].startswith(incomplete)]

    complete.__name__ = offers.__name__
    return complete


def _sessions() -> Iterator[Offer]:
    """This folder's, from this machine alone: Tab does not wait for a network."""
    from codeflow.core.places import state_home
    from codeflow.sessions.log import SessionStore

    for info in SessionStore(state_home() / "sessions").list(Path.cwd()):
        yield info.id, info.name or info.task


def _agents() -> Iterator[Offer]:
    from codeflow.agents.specialists import load_specialists

    for specialist in load_specialists(Path.cwd()).values():
        yield specialist.name, specialist.description


def _workflows() -> Iterator[Offer]:
    from codeflow.cli.request import workflow_shelf
    from codeflow.core.settings import load_settings

    shelf = workflow_shelf(Path.cwd(), load_settings(Path.cwd(), env=os.environ))
    yield from ((name, str(path)) for name, path in shelf.paths.items())


def _rosters() -> Iterator[Offer]:
    from codeflow.models.rosters import packaged_rosters

    yield from ((name, "") for name in packaged_rosters())


def _profiles() -> Iterator[Offer]:
    from codeflow.models.aws_profiles import profiles

    yield from ((profile.name, profile.kind) for profile in profiles())


def _role_models() -> Iterator[Offer]:
    from codeflow.models.catalogue import Catalogue
    from codeflow.models.rosters import ROLES

    models = Catalogue.load().models.values()
    yield from ((f"{role}={spec.preferred_id}", spec.name) for role in ROLES for spec in models)


def _tools() -> Iterator[Offer]:
    from codeflow.tools.registry import TOOLS

    yield from ((name, "") for name in TOOLS)


sessions = _completer(_sessions)
agents = _completer(_agents)
workflows = _completer(_workflows)
rosters = _completer(_rosters)
profiles = _completer(_profiles)
role_models = _completer(_role_models)
tools = _completer(_tools)

"""Tools for a project's dependencies: install one, look for newer ones, look for known vulnerabilities."""

import asyncio
import re
import shlex
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.commands import verdict
from codeflow.tools.packages_managers import (
    Manager,
    find_managers,
    is_unreached,
    manager_program,
    pip_of,
    python_of,
)
from codeflow.tools.packages_requirements import normal_name
from codeflow.tools.process import execute
from codeflow.tools.process_stdout import run_for_stdout
from codeflow.tools.project_declared import declaration
from codeflow.tools.project_managers import INSTALL
from codeflow.tools.project_scripts import package_section
from codeflow.tools.tool import Mistake, argument, failure, tool
from codeflow.tools.workspace import Workspace

if TYPE_CHECKING:
    from codeflow.tools.packages_manifest import Wish

Ecosystem = Literal["auto", "python", "javascript", "rust", "go"]

_NAME = re.compile(r"[A-Za-z0-9@][\w@./:<>=~!,^*+\[\]-]*")
_LOCAL = re.compile(r"\b(?:file|link|portal):|(?:^|[/@:])\.\.?(?:/|$)")
"""A folder instead of a package."""
_REMOTE = re.compile(r"://|^git@|(?:^|@)(?:git|github|gitlab|bitbucket|gist):")
"""An address instead of a package of the index; what stands there may be anybody's."""
_SHORT_REMOTE = re.compile(r"[\w.-]+/")
"""To JavaScript's managers, a repository on GitHub."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_TRACKED = [
    "pyproject.toml",
    "uv.lock",
    "poetry.lock",
    "requirements.txt",
    "requirements-dev.txt",
    "package.json",
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "Cargo.toml",
    "Cargo.lock",
    "go.mod",
    "go.sum",
]
_IN_PRODUCTION = ("dependencies", "optionalDependencies")
"""Sections of package.json that an installation without development dependencies takes."""
_KEEPING = {"uv": ("--inexact",), "poetry": ("--no-interaction",)}
"""Manager -> how it installs what is declared without removing what the user has put into the environment."""
_OTHER_STORE = "ERR_PNPM_UNEXPECTED_STORE"
_INSTALL_TIMEOUT_S = 600.0
_SETTINGS = {"PIP_NO_INPUT": "1", "POETRY_VIRTUALENVS_IN_PROJECT": "true"}
"""Poetry makes its environments in the user's cache otherwise, where a sandbox keeps nothing."""


@tool(effect=Effect.EXECUTE, summary=argument("name"))
async def install_dependency(
    ws: Workspace, name: str, dev: bool = False, ecosystem: Ecosystem = "auto"
) -> ToolResult:
    """Install a package into the project's own environment and add it to its manifest.

    Args:
        name: Package, with a version if wanted, as the package manager writes it.
        dev: Only for development.
        ecosystem: For projects in several languages.
    """
    _refuse_what_is_no_package(name)
    manager = _one_manager(find_managers(ws.root), ecosystem)
    if manager.language == "javascript" and _SHORT_REMOTE.match(name) and not (ws.root / name).is_file():
        raise _not_of_the_index(name)
    if manager.language == "javascript" and dev:
        _refuse_to_move(ws, name)
    before, had_store = _manifests(ws), _store_in(ws).exists()
    wish = await asyncio.to_thread(_wish, ws, name, dev=dev) if manager.name == "pip" else None
    command = await (
        _pip_command(ws, manager, wish) if wish else _install_command(ws, manager, name, dev=dev)
    )
    outcome = await execute(
        command,
        cwd=ws.root,
        env=ws.env | _SETTINGS,
        timeout_s=_INSTALL_TIMEOUT_S,
        output_limit_chars=ws.settings.output_limit_chars,
        memory_bytes=ws.memory_bytes,
        redact=ws.redactor.redact,
        confine=ws.confining(manager.name),
    )
    ending = verdict(outcome, _INSTALL_TIMEOUT_S)
    shown = f"$ {command}\n{ending}"
    if outcome.exit_code != 0:
        raise _failed(ws, name, shown, outcome.output, dev=dev)
    if wish:
        await _list(ws, manager, name, wish, dev=dev)
    after = _manifests(ws)
    changed = tuple(file for file in after if after[file] != before.get(file))
    if wish and wish.listed:
        told = f"The manifest listed it before: {wish.listed.requirement!r} in {wish.listed.file}."
    else:
        told = f"Changed {', '.join(changed)}." if changed else "The manifest listed it before."
    if manager.language == "javascript" and not dev and _is_for_development_only(ws, name):
        told += " It stays among the devDependencies, where it was; to move it, edit package.json."
    if manager.name == "pnpm" and not had_store and _store_in(ws).exists():
        told += (
            " Its packages came from a store in node_modules, as the user's own is out of reach. Tell the user that outside "
            "of codeflow pnpm wants `pnpm install` before anything is added."
        )
    return ToolResult(content=f"{shown}\n{told}", display=f"{name}: {ending}", changed=changed)


def _refuse_what_is_no_package(name: str) -> None:
    if not _NAME.fullmatch(name) or _LOCAL.search(name):
        raise Mistake(f"{name!r} is not a package; write it like requests, requests>=2.32 or left-pad@1.3.0.")
    if _REMOTE.search(name):
        raise _not_of_the_index(name)


def _failed(ws: Workspace, name: str, shown: str, output: str, *, dev: bool) -> Mistake:
    if _OTHER_STORE in output:
        command = shlex.join(["pnpm", *_pnpm_words(ws, name, dev=dev)])
        return Mistake(
            f"{name} was not installed: node_modules is linked from pnpm's store, which the user's projects share and "
            f"which commands of codeflow may not change. Ask the user to run: {command}"
        )
    why = ": its index cannot be reached" if is_unreached(output) else ""
    return Mistake(f"{name} was not installed{why}.\n{shown}\n{output.strip()}")


def _store_in(ws: Workspace) -> Path:
    return ws.root / "node_modules/.pnpm-store"


def _not_of_the_index(name: str) -> Mistake:
    return Mistake(
        f"{name!r} is not a package of the index, but code from an address. Name a released package, or ask the user to "
        "add it."
    )


def _refuse_to_move(ws: Workspace, name: str) -> None:
    """JavaScript's managers would take the package from the dependencies, where a production install looks for it."""
    bare = _without_version(name)
    for section in _IN_PRODUCTION:
        if bare in package_section(ws.root, section):
            raise Mistake(
                f"{bare} is in {section} of package.json, and dev would move it to devDependencies, so a production "
                "install would lack it. Install it without dev."
            )


def _is_for_development_only(ws: Workspace, name: str) -> bool:
    bare = _without_version(name)
    return bare in package_section(ws.root, "devDependencies") and not any(
        bare in package_section(ws.root, section) for section in _IN_PRODUCTION
    )


def _without_version(name: str) -> str:
    """The name of a JavaScript package, whose scope begins with an @ too."""
    return name[:1] + name[1:].partition("@")[0]


def _one_manager(managers: Sequence[Manager], ecosystem: Ecosystem) -> Manager:
    fitting = [manager for manager in managers if ecosystem in {"auto", manager.language}]
    if len(fitting) == 1:
        return fitting[0]
    languages = ", ".join(manager.language for manager in managers)
    raise Mistake(f"The project's packages are for: {languages}. Say which with ecosystem.")


async def _install_command(ws: Workspace, manager: Manager, name: str, *, dev: bool) -> str:
    subcommand, options = INSTALL[manager.name]
    program = manager_program(ws, manager)
    if declared := await asyncio.to_thread(_declared, ws, manager, name, dev=dev):
        return shlex.join([program, *declared, *_KEEPING[manager.name]])
    command = [program, *subcommand, *(options if dev else ())]
    line = shlex.join(
        [program, *_pnpm_words(ws, name, dev=dev)] if manager.name == "pnpm" else [*command, name]
    )
    # cargo add only edits the manifest
    return f"{line} && {shlex.join([command[0], 'fetch'])}" if manager.name == "cargo" else line


def _pnpm_words(ws: Workspace, name: str, *, dev: bool) -> list[str]:
    subcommand, options = INSTALL["pnpm"]
    at_root = ["--workspace-root"] if (ws.root / "pnpm-workspace.yaml").exists() else []
    return [*subcommand, *(options if dev else ()), *at_root, name]


def _declared(ws: Workspace, manager: Manager, name: str, *, dev: bool) -> list[str]:
    """The words with which uv or poetry installs what pyproject.toml has already; poetry would not add it again."""
    if manager.name not in _KEEPING or not _PLAIN_NAME.fullmatch(name):
        return []
    known = declaration(ws.root, normal_name(name))
    if known is None or known.file != "pyproject.toml" or not (dev or known.is_production):
        return []
    return shlex.split(known.install)[1:]


def _wish(ws: Workspace, name: str, *, dev: bool) -> "Wish":
    from codeflow.tools.packages_manifest import wish

    return wish(ws.root, name, dev=dev)


async def _pip_command(ws: Workspace, manager: Manager, wish: "Wish") -> str:
    constraints = [f"--constraint={file}" for file in wish.constraints]
    return shlex.join([*await pip_of(ws, manager), "install", *constraints, *wish.requirements])


async def _list(ws: Workspace, manager: Manager, name: str, wish: "Wish", *, dev: bool) -> None:
    """Pip leaves manifests alone; a requirement without a version gets the installed one as its lowest."""
    from codeflow.tools.packages_manifest import add_to_manifest

    version = ""
    if _PLAIN_NAME.fullmatch(name):
        probe = f"import importlib.metadata as m; print(m.version({name!r}))"
        outcome, printed = await run_for_stdout(ws, [await python_of(ws, manager), "-c", probe])
        version = printed.strip() if outcome.exit_code == 0 else ""
        if not version and any(";" in requirement for requirement in wish.requirements):
            raise Mistake(f"{name} was not installed: {' and '.join(wish.requirements)} rules it out here.")
    if not wish.listed:
        requirement = f"{name}>={version}" if version else name
        await asyncio.to_thread(add_to_manifest, ws, requirement, dev=dev)


def _manifests(ws: Workspace) -> dict[str, bytes]:
    return {name: (ws.root / name).read_bytes() for name in _TRACKED if (ws.root / name).is_file()}


@tool(effect=Effect.EXECUTE, summary=lambda _: "")
async def check_updates(ws: Workspace) -> ToolResult:
    """List the project's dependencies of which a newer version exists."""
    from codeflow.tools.packages_updates import updates

    return await _of_each_manager(ws, updates)


@tool(effect=Effect.EXECUTE, summary=lambda _: "")
async def audit_security(ws: Workspace) -> ToolResult:
    """Look for known vulnerabilities in the project's dependencies. Says plainly what could not be audited."""
    from codeflow.tools.packages_audit import audit

    return await _of_each_manager(ws, audit)


async def _of_each_manager(
    ws: Workspace, look: Callable[[Workspace, Manager], Awaitable[ToolResult]]
) -> ToolResult:
    results: list[ToolResult] = []
    for manager in find_managers(ws.root):
        try:
            results.append(await look(ws, manager))
        except Mistake as mistake:
            results.append(failure(f"{manager.name}: {mistake}"))
    return ToolResult(
        content="\n\n".join(result.content for result in results),
        display="; ".join(result.display for result in results),
        is_error=any(result.is_error for result in results),
    )

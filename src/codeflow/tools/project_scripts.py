"""Which scripts of package.json can serve as gates: those that end and leave the files alone."""

import json
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from codeflow.tools.project_files import Found, ProjectFiles, Unusable, small_text
from codeflow.tools.project_managers import managers_by_language

_NEVER_ENDS = re.compile(
    r"--watch\b(?!=false)|(?<!-)\bwatch\b|(?<=\s)-w\b|\bnodemon\b|\bdev\b|\bserve\b|\bstart\b"
)
_CHANGES_FILES = re.compile(
    r"--fix\b(?!-dry-run)|--write\b|--apply\b|--unsafe\b|\bgit (add|commit|push|tag|checkout)\b"
    r"|\bpublish\b|\bdeploy\b|\brelease\b"
)
_CALLS = re.compile(r"\b(?:npm|pnpm|yarn|bun|run-s|run-p|npm-run-all)((?: +[\w:.*-]+)+)")
_OUTPUT_FOLDERS = ("dist", "build", "lib", "out", ".next", ".nuxt", ".output", ".svelte-kit", "public", "es")
_WRITES_NOTHING = re.compile(r"--noEmit\b|--no-emit\b")


def script_gate(files: ProjectFiles, names: Sequence[str]) -> Found | Unusable | None:
    """The command for the first of these scripts, or why it cannot be a gate; None when there is no such script."""
    scripts = package_scripts(files.root)
    name = next((name for name in names if scripts.get(name)), None)
    if name is None:
        return None
    source = f"package.json's script {name}"
    everything = _with_what_it_calls(name, scripts)
    manager = managers_by_language(files.root).get("javascript", "npm")
    command = f"{manager} run {name}"
    if found := _NEVER_ENDS.search(everything):
        problem, cure = f"may never end ({found[0].strip()})", _ANOTHER_SCRIPT
    elif found := _CHANGES_FILES.search(everything):
        problem, cure = f"changes files ({found[0].strip()})", _ANOTHER_SCRIPT
    elif name == "build" and not _WRITES_NOTHING.search(everything) and not _ignores_output(files):
        problem = "may write into the tree: no output folder such as dist is in .gitignore"
        cure = "ignore the output folder, or set gates.build"
    elif not _is_installed(files):
        problem, cure = "needs the packages that package.json lists", f"run {manager} install"
    elif not files.installed(manager):
        problem, cure = f"needs {manager}, which is not installed", f"install {manager}"
    else:
        return Found(command, source)
    return Unusable(f"{source} {problem}", cure)


_ANOTHER_SCRIPT = "give package.json a script that only checks, or set the gate in your settings"


def package_scripts(root: Path) -> Mapping[str, str]:
    """The scripts of package.json; none when it cannot be read."""
    return package_section(root, "scripts")


def package_section(root: Path, name: str) -> Mapping[str, str]:
    """The texts by their names in a section of package.json; none when it cannot be read."""
    try:
        package = json.loads(small_text(root / "package.json") or "{}")
    except json.JSONDecodeError:
        return {}
    section = package.get(name) if isinstance(package, dict) else None
    if not isinstance(section, dict):
        return {}
    return {key: text for key, text in section.items() if isinstance(text, str)}


def _with_what_it_calls(name: str, scripts: Mapping[str, str]) -> str:
    """The text of a script, of its pre and post scripts, and of all scripts that they name."""
    texts: dict[str, str] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in texts or current not in scripts:
            continue
        texts[current] = scripts[current]
        words = " ".join(_CALLS.findall(scripts[current])).split()
        waiting += [
            f"pre{current}",
            f"post{current}",
            *(s for s in scripts for word in words if fnmatch(s, word)),
        ]
    return "\n".join(texts.values())


def _ignores_output(files: ProjectFiles) -> bool:
    ignored = {line.strip().strip("/").removesuffix("/*") for line in files.text(".gitignore").splitlines()}
    return any(folder in ignored or f"**/{folder}" in ignored for folder in _OUTPUT_FOLDERS)


def _is_installed(files: ProjectFiles) -> bool:
    """Whether there is something to run the scripts with; a workspace keeps its packages in a folder above."""
    wanted = re.search(r'"(devD|d)ependencies"\s*:\s*\{\s*"', files.text("package.json"))
    folders = (files.root, *files.root.parents)
    return not wanted or any(
        (folder / "node_modules").is_dir() or (folder / ".pnp.cjs").is_file() for folder in folders
    )

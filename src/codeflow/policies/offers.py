"""The narrow rule that a person is offered when a call is asked: this call, and those that differ in little."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from codeflow.policies.patterns import as_pattern_word
from codeflow.policies.rules import NAMES, SHELL_LINES, URLS, WRITERS
from codeflow.syntax.shell.programs import INTERPRETERS, LINE_RUNNERS, SHELLS, WRAPPERS, word_set
from codeflow.syntax.shell.reader import Run
from codeflow.syntax.shell.running import parts_of, program

_LEFT_OPEN = word_set("add blame commit diff fetch log pull push show switch")
"""Git's commands whose last operand may differ; any other command is offered as it is."""
_NEVER = word_set(
    "rm rmdir dd mkfs shred find awk gawk sed tee chmod chown kill pkill killall source . alias trap crontab at"
)
"""Programs of which no pattern is narrow."""
_GUARDED = re.compile(r"(^|/)(\.git|\.github|\.codeflow|\.claude|\.vscode|\.idea)(/|$)|^[/~]|^\.\.")
_WIDENS_FROM = 4
"""Words from which the last operand is left open: program, subcommand, and something that stays."""
_NO_OFFER = frozenset({"execute_code", "remember", "rename_symbol", "code_actions", "stop_command"})


def offers(
    tool: str, arguments: Mapping[str, Any], paths: Sequence[Sequence[Sequence[str]]]
) -> Iterator[str]:
    """Rules that might spare the question, widest first; the caller tries whether one does."""
    if tool in SHELL_LINES:
        yield from _of_line(tool, str(arguments.get(SHELL_LINES[tool]) or ""))
    elif tool in _NO_OFFER:
        return
    elif tool in WRITERS:
        yield from _of_folder(tool, paths)
    elif tool in URLS:
        host = urlsplit(str(arguments.get(URLS[tool]) or ""))
        if host.scheme in {"http", "https"} and re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?", host.netloc):
            yield f"{tool}({host.scheme}://{host.netloc}/*)"
    elif tool in NAMES:
        value = str(arguments.get(NAMES[tool]) or "")
        if value and value.isprintable() and "*" not in value:
            yield f"{tool}({value})"
        elif not value:
            yield tool
    elif re.fullmatch(r"[A-Za-z_]\w*", tool):
        yield tool


def _of_line(tool: str, line: str) -> Iterator[str]:
    parts = parts_of(line)
    runs = [part for part in parts if isinstance(part, Run) and not part.wrapper]
    if len(runs) != 1 or not all(isinstance(part, Run) for part in parts) or len(line) > 500:  # noqa: PLR2004 - a line that can be read
        return
    words = [word.text for word in runs[0].words]
    name = re.sub(r"[\d.]+$", "", program(runs[0].words[0]))
    runs_others = name in {*SHELLS, *WRAPPERS, *LINE_RUNNERS, *_NEVER}
    if runs_others or not name or not all(text.isprintable() for text in words):
        return
    if name in INTERPRETERS and words[1:2] != ["-m"]:
        return
    exact = [as_pattern_word(text) for text in words]
    left_open = name == "git" and words[1:2] and words[1] in _LEFT_OPEN
    if left_open and len(words) >= _WIDENS_FROM and not words[-1].startswith("-"):
        yield f"{tool}({' '.join(exact[:-1])} *)"
    yield f"{tool}({' '.join(exact)})"


def _of_folder(tool: str, paths: Sequence[Sequence[Sequence[str]]]) -> Iterator[str]:
    names = [names[0] for locations in paths for names in locations]
    if not names or any(_GUARDED.search(path) or set(path) & set("*?") for path in names):
        return
    folders = {path.rpartition("/")[0] for path in names}
    if len(folders) == 1 and folders != {""}:
        yield f"{tool}({folders.pop()}/*)"
    elif len(set(names)) == 1:
        yield f"{tool}({names[0]})"

"""What git shows of files, without those that are there to hold credentials: read_file does not show them either."""

import re

from codeflow.tools.git_runner import LITERAL, inert_environment, must, raw
from codeflow.tools.output import HeadTail
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

PREFIXES = ("--src-prefix=a/", "--dst-prefix=b/")
_MOST_BYTES = 20_000_000
_FILE = re.compile(rb"^(?=diff --(?:git|cc|combined) )", re.MULTILINE)
_NAME = re.compile(rb'^(?:--- "?a/|\+\+\+ "?b/)(.+?)"?\t?$', re.MULTILINE)
_HUNK = re.compile(rb"^@@", re.MULTILINE)


async def shown(ws: Workspace, *arguments: str) -> str:
    """The output of a command of git that prints patches between `PREFIXES`, bounded; a Mistake when it fails."""
    env = await inert_environment(ws)
    output = await must(ws, LITERAL, *arguments, env=env, most_bytes=_MOST_BYTES)
    bounded = HeadTail(ws.settings.output_limit_chars, ws.redactor.redact)
    for part in _FILE.split(output):
        bounded.add(_without_secrets(ws, part))
    return bounded.text().rstrip()


def _without_secrets(ws: Workspace, part: bytes) -> bytes:
    """The patch of one file; its header only where the file holds credentials."""
    hunks = _HUNK.search(part)
    if not hunks or not part.startswith(b"diff --"):
        return part
    header, lines = part[: hunks.start()], part[hunks.start() :]
    for name in {match.decode(errors="replace") for match in _NAME.findall(header)}:
        if kind := ws.secret(name, lines):
            return header + f"[{name} is {kind} and is not shown]\n".encode()
    return part


async def refuse_secret_object(ws: Workspace, revision: str) -> None:
    """A Mistake where a revision is the content of a file with credentials, or of one that it does not name."""
    _, colon, path = revision.partition(":")
    if colon:
        path = re.sub(r"^[0-3]:", "", path)  # a stage of the index
        content = await raw(ws, "cat-file", "blob", revision, cwd=ws.root)
        if kind := ws.secret(path, content):
            raise Mistake(f"{path} is {kind} and is not shown. Ask the user for what you need of it.")
    elif (await raw(ws, "cat-file", "-t", revision, cwd=ws.root)).strip() == b"blob":
        raise Mistake(f"{revision} is a file's content without its name; show it as COMMIT:PATH.")

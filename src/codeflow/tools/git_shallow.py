"""Says where the history that git has here ends because older commits were never fetched."""

import re

from codeflow.tools.git_runner import raw
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

_UNKNOWN = re.compile(r"There is no commit, branch or tag|no merge base")
_DEEPEN = (
    "`git fetch --deepen=100` fetches older commits, `git fetch --unshallow` all of them: by run_command, or by the user "
    "where commands have no network"
)


async def is_shallow(ws: Workspace) -> bool:
    """Whether the repository is a shallow clone, whose oldest commits seem to have no parents."""
    return (await raw(ws, "rev-parse", "--is-shallow-repository", cwd=ws.root)).strip() == b"true"


def cut_off(what: str) -> str:
    """A note on what a tool has shown of a shallow clone."""
    return f"[this is a shallow clone: {what}. {_DEEPEN}]"


async def refusal(ws: Workspace, refused: Mistake) -> Mistake:
    """A refusal with what a shallow clone has to do with it, where that can be."""
    if _UNKNOWN.search(str(refused)) and await is_shallow(ws):
        return Mistake(
            f"{refused} This is a shallow clone: an older commit may exist and not be here. {_DEEPEN}."
        )
    return refused


async def is_oldest(ws: Workspace, revision: str) -> bool:
    """Whether a revision is a commit without the parents that a shallow clone has left out."""
    parents = await raw(ws, "log", "-1", "--format=%H %P", revision, "--", cwd=ws.root)
    return len(parents.split()) == 1 and await is_shallow(ws)

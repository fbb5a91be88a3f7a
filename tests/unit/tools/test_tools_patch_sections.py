from collections.abc import Callable

import pytest
from tests.unit.tools.test_tools_patch import patch, tree, write

from codeflow.tools.workspace import Workspace


def function(name: str, call: str = "log") -> str:
    return f"def {name}(x):\n    # {name}\n    a = 1\n    b = 2\n    if x:\n        {call}(x)\n    d = 4\n    return d\n\n\n"


@pytest.mark.parametrize(
    "now",
    [
        function("b") + "# c is gone\n",
        function("b") + function("c", "err"),
        function("c", "err") + function("b"),
        "class A:\n    y = 1\n" + function("c", "err") + function("b"),
    ],
    ids=["gone", "changed", "changed, its twin below", "the twin at the very line"],
)
async def test_a_hunk_is_refused_outside_the_section_that_git_names(
    ws: Workspace, git: Callable[..., str], now: str
):
    diff = _diff_of_c(ws, git)
    write(ws, f=now)
    result = await patch(ws, diff)
    assert result.is_error
    assert "'def c(x):', which the line after @@" in result.content
    assert tree(ws) == {"f": now}


async def test_the_section_that_git_names_is_chosen_over_a_line_number(
    ws: Workspace, git: Callable[..., str]
):
    diff = _diff_of_c(ws, git)
    write(ws, f=function("a") + function("b") + function("c"))
    result = await patch(ws, diff)
    assert not result.is_error, result.content
    assert tree(ws) == {"f": function("a") + function("b") + function("c", "warn")}


def _diff_of_c(ws: Workspace, git: Callable[..., str]) -> str:
    """A change of the second of two functions that are alike where it stands."""
    write(ws, f=function("b") + function("c"))
    git("add", ".")
    write(ws, f=function("b") + function("c", "warn"))
    diff = git("diff", "-U2")
    assert "@@ def c(x):" in diff
    return diff

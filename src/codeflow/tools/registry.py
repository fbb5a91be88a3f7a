"""Every tool by its name."""

from collections.abc import Mapping

from codeflow.tools.commands import run_command, run_tests
from codeflow.tools.editing import apply_patch, edit_file, multi_edit, write_file
from codeflow.tools.files import list_directory, read_file
from codeflow.tools.git import git_branch, git_commit, git_diff, git_status
from codeflow.tools.search import search_files
from codeflow.tools.tool import Tool

__all__ = ["TOOLS", "Tool"]

TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        read_file,
        write_file,
        edit_file,
        multi_edit,
        apply_patch,
        list_directory,
        search_files,
        run_tests,
        run_command,
        git_status,
        git_diff,
        git_branch,
        git_commit,
    )
}

"""Every tool by its name."""

from collections.abc import Mapping

from codeflow.tools.code import (
    diagnostics,
    document_symbols,
    find_references,
    get_type_info,
    go_to_definition,
    workspace_symbols,
)
from codeflow.tools.commands import run_command, run_tests
from codeflow.tools.editing import edit_file, write_file
from codeflow.tools.files import list_directory, read_file
from codeflow.tools.git import git_branch, git_commit, git_diff, git_status
from codeflow.tools.refactoring import code_actions, rename_symbol
from codeflow.tools.search import search_files
from codeflow.tools.tool import Tool

__all__ = ["TOOLS", "Tool"]

TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        read_file,
        write_file,
        edit_file,
        list_directory,
        search_files,
        find_references,
        go_to_definition,
        get_type_info,
        document_symbols,
        workspace_symbols,
        diagnostics,
        code_actions,
        rename_symbol,
        run_tests,
        run_command,
        git_status,
        git_diff,
        git_branch,
        git_commit,
    )
}

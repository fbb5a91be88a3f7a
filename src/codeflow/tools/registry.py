"""Every tool by its name."""

from collections.abc import Mapping

from codeflow.tools.analysis import analyze_complexity, parse_ast, repo_map
from codeflow.tools.commands import run_command, run_tests
from codeflow.tools.editing import edit_file, write_file
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
        list_directory,
        search_files,
        repo_map,
        parse_ast,
        analyze_complexity,
        run_tests,
        run_command,
        git_status,
        git_diff,
        git_branch,
        git_commit,
    )
}

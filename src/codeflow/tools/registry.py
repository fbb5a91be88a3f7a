"""Every tool by its name."""

from collections.abc import Mapping

from codeflow.tools.analysis import parse_ast, repo_map
from codeflow.tools.code import (
    diagnostics,
    document_symbols,
    find_references,
    get_type_info,
    go_to_definition,
    workspace_symbols,
)
from codeflow.tools.commands import read_output, run_command, stop_command
from codeflow.tools.complexity import analyze_complexity
from codeflow.tools.consult import consult
from codeflow.tools.docs import docs_search
from codeflow.tools.editing import apply_patch, edit_file, multi_edit, write_file
from codeflow.tools.execution import execute_code
from codeflow.tools.files import list_directory, read_file
from codeflow.tools.git import git_blame, git_diff, git_log, git_show, git_status
from codeflow.tools.git_changes import git_branch, git_commit, git_stash, git_worktree
from codeflow.tools.git_conflicts import git_conflicts
from codeflow.tools.messages import send_message
from codeflow.tools.notes import recall, remember
from codeflow.tools.packages import audit_security, check_updates, install_dependency
from codeflow.tools.quality import format_code, run_linter
from codeflow.tools.refactoring import code_actions, rename_symbol
from codeflow.tools.search import glob, search_files
from codeflow.tools.testing.benchmark import benchmark
from codeflow.tools.testing.coverage import coverage_report
from codeflow.tools.testing.run import run_tests
from codeflow.tools.tool import Tool
from codeflow.tools.web import fetch_page, stackoverflow_search, web_search

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
        glob,
        find_references,
        go_to_definition,
        get_type_info,
        document_symbols,
        workspace_symbols,
        diagnostics,
        code_actions,
        rename_symbol,
        repo_map,
        parse_ast,
        analyze_complexity,
        run_tests,
        coverage_report,
        benchmark,
        run_linter,
        format_code,
        install_dependency,
        check_updates,
        audit_security,
        execute_code,
        run_command,
        read_output,
        stop_command,
        git_status,
        git_diff,
        git_log,
        git_blame,
        git_show,
        git_conflicts,
        git_branch,
        git_commit,
        git_stash,
        git_worktree,
        docs_search,
        fetch_page,
        web_search,
        stackoverflow_search,
        remember,
        recall,
        consult,
        send_message,
    )
}

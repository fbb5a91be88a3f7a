"""Every tool by its name."""

from collections.abc import Mapping

from codeflow.tools.commands import read_output, run_command, stop_command
from codeflow.tools.editing import edit_file, write_file
from codeflow.tools.execution import execute_code
from codeflow.tools.files import list_directory, read_file
from codeflow.tools.git import git_branch, git_commit, git_diff, git_status
from codeflow.tools.packages import audit_security, check_updates, install_dependency
from codeflow.tools.quality import format_code, run_linter
from codeflow.tools.search import search_files
from codeflow.tools.testing.benchmark import benchmark
from codeflow.tools.testing.coverage import coverage_report
from codeflow.tools.testing.run import run_tests
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
        git_branch,
        git_commit,
    )
}

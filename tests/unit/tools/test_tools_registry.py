import inspect

import pytest

from codeflow.core.values import Effect
from codeflow.tools.registry import TOOLS, Tool
from codeflow.tools.workspace import Workspace


def test_every_tool_is_there_with_its_effect():
    assert {name: tool.effect for name, tool in TOOLS.items()} == {
        "read_file": Effect.READ,
        "write_file": Effect.WRITE,
        "edit_file": Effect.WRITE,
        "multi_edit": Effect.WRITE,
        "apply_patch": Effect.WRITE,
        "list_directory": Effect.READ,
        "search_files": Effect.READ,
        "glob": Effect.READ,
        "find_references": Effect.READ,
        "go_to_definition": Effect.READ,
        "get_type_info": Effect.READ,
        "document_symbols": Effect.READ,
        "workspace_symbols": Effect.READ,
        "diagnostics": Effect.READ,
        "code_actions": Effect.WRITE,
        "rename_symbol": Effect.WRITE,
        "repo_map": Effect.READ,
        "parse_ast": Effect.READ,
        "analyze_complexity": Effect.READ,
        "run_tests": Effect.EXECUTE,
        "coverage_report": Effect.EXECUTE,
        "benchmark": Effect.EXECUTE,
        "run_linter": Effect.EXECUTE,
        "format_code": Effect.EXECUTE,
        "install_dependency": Effect.EXECUTE,
        "check_updates": Effect.EXECUTE,
        "audit_security": Effect.EXECUTE,
        "execute_code": Effect.EXECUTE,
        "run_command": Effect.EXECUTE,
        "read_output": Effect.READ,
        "stop_command": Effect.EXECUTE,
        "git_status": Effect.READ,
        "git_diff": Effect.READ,
        "git_log": Effect.READ,
        "git_blame": Effect.READ,
        "git_show": Effect.READ,
        "git_conflicts": Effect.READ,
        "git_branch": Effect.EXECUTE,
        "git_commit": Effect.EXECUTE,
        "git_stash": Effect.EXECUTE,
        "git_worktree": Effect.EXECUTE,
        "docs_search": Effect.READ,
        "fetch_page": Effect.NETWORK,
        "web_search": Effect.NETWORK,
        "stackoverflow_search": Effect.NETWORK,
        "remember": Effect.NOTE,
        "recall": Effect.READ,
        "consult": Effect.READ,
        "send_message": Effect.READ,
    }


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_every_tool_describes_itself_and_each_argument(tool: Tool):
    documentation = inspect.getdoc(tool.function) or ""
    parameters = list(inspect.signature(tool.function).parameters.values())
    assert parameters[0].annotation is Workspace
    assert all(f"{parameter.name}: " in documentation for parameter in parameters[1:])
    assert len(documentation) < 600
    assert tool.summary({}) == ""

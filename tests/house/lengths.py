"""Fails when a file or function outgrows the house's budgets (docs of the rule: AGENTS.md)."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 400
FUNCTION_LINES = 60
FUNCTION_P90 = 30
NESTING = 3

_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def depth(node: ast.AST) -> int:
    """Blocks inside blocks; `elif` is no deeper than its `if`, and an inner function counts for itself."""
    below = [0]
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        below.append(depth(child) + (isinstance(child, _BLOCKS) and not is_elif))
    return max(below)


def main() -> int:
    problems: list[str] = []
    lengths: list[int] = []
    for path in sorted([*Path("src").rglob("*.py"), *Path("tests").rglob("*.py")]):
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > FILE_LINES:
            problems.append(f"{path}: {lines} lines (at most {FILE_LINES})")
        for function in functions(ast.parse(text)):
            place = f"{path}:{function.lineno} {function.name}"
            if path.parts[0] == "src":
                lengths.append(length(function))
            if length(function) > FUNCTION_LINES:
                problems.append(f"{place}: {length(function)} lines (at most {FUNCTION_LINES})")
            if depth(function) > NESTING:
                problems.append(f"{place}: blocks nested {depth(function)} deep (at most {NESTING})")
    p90 = sorted(lengths)[len(lengths) * 9 // 10]
    if p90 > FUNCTION_P90:
        problems.append(f"src: nine functions of ten should fit in {FUNCTION_P90} lines, now {p90}")
    sys.stdout.write("\n".join([*problems, f"{len(lengths)} functions, p90 {p90} lines\n"]))
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""A first map of a repository: which files matter for a task, and what they define."""

import ast
import re
import stat
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import log1p
from pathlib import Path

from codeflow.knowledge.project import leads_into
from codeflow.knowledge.text import fit, printable

MAX_FILES = 3000
MAX_FILE_BYTES = 200_000
MAX_TOTAL_BYTES = 20_000_000
MAX_NAMES_SHOWN = 12
TASK_WORD_WEIGHT = 10.0

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_WORD = re.compile(r"[A-Za-z_]\w{2,}")
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_STOP_WORDS = frozenset(
    {"add", "and", "for", "from", "make", "not", "should", "that", "the", "this", "use", "with"}
)
_SCRIPT = re.compile(
    r"^(?:export[ \t]+)?(?:default[ \t]+)?(?:abstract[ \t]+)?(?:async[ \t]+)?"
    r"(?:function\*?|class|interface|enum|type|const)[ \t]+(\w+)",
    re.MULTILINE,
)
_DEFINITIONS = {
    ".py": re.compile(r"^[ \t]*(?:async[ \t]+def|def|class)[ \t]+(\w+)", re.MULTILINE),
    **dict.fromkeys((".js", ".jsx", ".mjs", ".ts", ".tsx"), _SCRIPT),
    ".go": re.compile(r"^(?:func[ \t]+(?:\([^)\n]*\)[ \t]*)?|type[ \t]+)(\w+)", re.MULTILINE),
    ".rs": re.compile(
        r"^[ \t]*(?:pub(?:\([^)\n]*\))?[ \t]+)?(?:async[ \t]+)?(?:fn|struct|enum|trait)[ \t]+(\w+)",
        re.MULTILINE,
    ),
    ".java": re.compile(
        r"^[ \t]*(?:(?:public|protected|private|static|final|abstract)[ \t]+)*(?:class|interface|enum|record)[ \t]+(\w+)",
        re.MULTILINE,
    ),
}


@dataclass(frozen=True, slots=True)
class _Source:
    path: str
    text: str
    defined: tuple[str, ...]
    words: frozenset[str]


def repository_map(workspace: Path, paths: Sequence[str], *, task: str, tokens: int) -> str:
    """Lines `path: name(args), Class.method(args), …`, the files nearest to the task first.

    The rank counts the task's words in a file's path and definitions, then how many other files mention these. It
    depends on the content alone. Reads at most 3000 files of 200 kB and 20 MB together.
    """
    wanted = set(_parts(task)) - _STOP_WORDS
    sources = list(_read(workspace, paths, wanted))
    mentions = Counter(chain.from_iterable(source.words for source in sources))
    definers = Counter(chain.from_iterable(set(source.defined) for source in sources))

    def rank(source: _Source) -> tuple[float, str]:
        own = wanted & set(_parts(" ".join((source.path, *source.defined))))
        used = sum(log1p(max(mentions[name] - 1, 0) / definers[name]) for name in set(source.defined))
        return -(TASK_WORD_WEIGHT * len(own) + used), source.path

    ranked = sorted((source for source in sources if source.defined), key=rank)
    # no line is shorter than eight characters, so that more files could never fit
    lines = [f"{printable(source.path)}: {', '.join(_outline(source))}" for source in ranked[: tokens // 2]]
    return "\n".join(fit(lines, tokens))


def _parts(text: str) -> Iterator[str]:
    """The lower-case words of prose and of snake_case and camelCase names, from three letters on."""
    return (part.lower() for part in _PART.findall(text) if len(part) > 2)  # noqa: PLR2004 - said above


def _read(workspace: Path, paths: Sequence[str], wanted: Collection[str]) -> Iterator[_Source]:
    def nearness(path: str) -> tuple[int, int, str]:
        return -len(set(_parts(path)) & set(wanted)), path.count("/"), path

    room = MAX_TOTAL_BYTES
    code = [path for path in paths if Path(path).suffix in _DEFINITIONS]
    for path in sorted(code, key=nearness)[:MAX_FILES]:
        text = _text(workspace, path)
        room -= len(text)
        if room < 0:
            return
        defined = dict.fromkeys(_DEFINITIONS[Path(path).suffix].findall(text))
        yield _Source(path, text, tuple(defined), frozenset(_WORD.findall(text)))


def _text(workspace: Path, path: str) -> str:
    """A file's text; empty for one that is too large, gone, or leads out of the workspace."""
    file = workspace / path
    try:
        facts = file.lstat()
        if (
            not stat.S_ISREG(facts.st_mode)
            or facts.st_size > MAX_FILE_BYTES
            or not leads_into(file, workspace)
        ):
            return ""
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # unreadable or deleted meanwhile: a map without it is still a map
        return ""


def _outline(source: _Source) -> list[str]:
    names = list(_python_outline(source.text)) if source.path.endswith(".py") else []
    names = list(dict.fromkeys(names or source.defined))
    left_out = len(names) - MAX_NAMES_SHOWN
    return names[:MAX_NAMES_SHOWN] + ([f"… {left_out} more"] if left_out > 0 else [])


def _python_outline(text: str) -> Iterator[str]:
    """Top-level functions, and classes with their public methods; nothing for text that is not Python 3."""
    try:
        with warnings.catch_warnings(action="ignore"):
            module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
            methods = [member for member in node.body if isinstance(member, _FUNCTIONS)]
            yield from (f"{node.name}.{_signature(method)}" for method in methods if method.name[0] != "_")
        elif isinstance(node, _FUNCTIONS):
            yield _signature(node)


def _signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    names += [f"*{arguments.vararg.arg}"] if arguments.vararg else []
    names += [argument.arg for argument in arguments.kwonlyargs]
    names += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    return f"{function.name}({', '.join(name for name in names if name not in ('self', 'cls'))})"

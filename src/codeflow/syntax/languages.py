"""Which language a file is in, and the tree-sitter grammar and queries of each, loaded on first use."""

import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tree_sitter

QUERIES = Path(__file__).parent / "queries"
_SHEBANG = re.compile(r"#!.*?\b(python|bash|sh|zsh|dash|ksh|node|ruby|php)[\d.]*(?:\s|$)")


@dataclass(frozen=True, slots=True)
class Language:
    """`endings` are lower case; `queries` name the files that are joined into its query."""

    name: str
    package: str
    endings: tuple[str, ...]
    queries: tuple[str, ...]
    function: str = "language"

    @property
    def family(self) -> str:
        """The same for languages that use each other's definitions."""
        return self.queries[0]

    def grammar(self) -> "tree_sitter.Language":
        """The compiled grammar."""
        return _grammar(self)

    def query(self) -> "tree_sitter.Query":
        """Finds definitions and references; `queries/README.md` names its captures."""
        return _query(self)


LANGUAGES = (
    Language("python", "tree_sitter_python", (".py", ".pyi", ".pyw"), ("python",)),
    Language(
        "javascript",
        "tree_sitter_javascript",
        (".js", ".jsx", ".mjs", ".cjs"),
        ("ecmascript", "javascript", "jsx"),
    ),
    Language(
        "typescript",
        "tree_sitter_typescript",
        (".ts", ".mts", ".cts"),
        ("ecmascript", "typescript"),
        "language_typescript",
    ),
    Language("tsx", "tree_sitter_typescript", (".tsx",), ("ecmascript", "typescript", "jsx"), "language_tsx"),
    Language("go", "tree_sitter_go", (".go",), ("go",)),
    Language("rust", "tree_sitter_rust", (".rs",), ("rust",)),
    Language("java", "tree_sitter_java", (".java",), ("java",)),
    Language("c", "tree_sitter_c", (".c",), ("c",)),
    Language(
        "c++",
        "tree_sitter_cpp",
        (".cc", ".cpp", ".cxx", ".c++", ".h", ".hh", ".hpp", ".hxx"),  # most C headers are C++ too
        ("c", "cpp"),
    ),
    Language("c#", "tree_sitter_c_sharp", (".cs",), ("c_sharp",)),
    Language("ruby", "tree_sitter_ruby", (".rb", ".rake", ".gemspec"), ("ruby",)),
    Language("php", "tree_sitter_php", (".php",), ("php",), "language_php"),
    Language("bash", "tree_sitter_bash", (".sh", ".bash"), ("bash",)),
)
_BY_NAME = {language.name: language for language in LANGUAGES}
_BY_ENDING = {ending: language for language in LANGUAGES for ending in language.endings}
_BY_FILE_NAME = {"rakefile": "ruby", "gemfile": "ruby", ".bashrc": "bash", ".profile": "bash"}
_BY_INTERPRETER = {"node": "javascript", "python": "python", "ruby": "ruby", "php": "php"}


def language_of(path: str, text: str = "") -> Language | None:
    """By the file's name, else by the first line of its text."""
    name = PurePath(path).name.lower()
    if language := _BY_ENDING.get(PurePath(name).suffix) or _BY_NAME.get(_BY_FILE_NAME.get(name, "")):
        return language
    if found := _SHEBANG.match(text.partition("\n")[0][:200]):
        return _BY_NAME[_BY_INTERPRETER.get(found[1], "bash")]
    return None


def has_known_ending(path: str) -> bool:
    """Whether the name alone tells a known language."""
    return PurePath(path).suffix.lower() in _BY_ENDING


@cache
def _grammar(language: Language) -> "tree_sitter.Language":
    import tree_sitter

    return tree_sitter.Language(getattr(import_module(language.package), language.function)())


@cache
def _query(language: Language) -> "tree_sitter.Query":
    import tree_sitter

    source = "\n".join((QUERIES / f"{name}.scm").read_text(encoding="utf-8") for name in language.queries)
    return tree_sitter.Query(_grammar(language), source)

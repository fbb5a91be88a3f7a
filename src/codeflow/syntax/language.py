"""A language: its files, its tree-sitter grammar, and the query that finds definitions, both loaded on first use."""

import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import tree_sitter

QUERIES = Path(__file__).parent / "queries"
PACK = "tree_sitter_language_pack"
"""An optional package that holds the grammars of many languages; from its version 1 on it downloads them."""


@dataclass(frozen=True, slots=True)
class Language:
    """`endings` are lower case; `queries` name the files that are joined into its query.

    `function` is the function of the package that returns the grammar, or the grammar's name in the pack.
    """

    name: str
    package: str
    endings: tuple[str, ...]
    queries: tuple[str, ...]
    function: str = "language"
    errors: Literal["certain", "macros", "unsure"] = "certain"
    """What an error in the tree means: that the code is wrong, that or a macro, or perhaps only that the grammar is."""
    is_code: bool = True
    """Whether its definitions belong into a map of the repository: markup and data would flood it."""

    @property
    def family(self) -> str:
        """The same for languages that use each other's definitions."""
        return self.queries[0] if self.queries else self.name

    @property
    def installed(self) -> bool:
        """Whether its grammar can be loaded."""
        return _is_installed(self.package)

    def grammar(self) -> "tree_sitter.Language":
        """The compiled grammar."""
        return _grammar(self)

    def query(self) -> "tree_sitter.Query | None":
        """Finds definitions and references; `queries/README.md` names its captures. None where we have none."""
        return _query(self) if self.queries else None


@cache
def _is_installed(package: str) -> bool:
    return find_spec(package) is not None


@cache
def _grammar(language: Language) -> "tree_sitter.Language":
    import tree_sitter

    module = import_module(language.package)
    if language.package == PACK:
        found: tree_sitter.Language = module.get_language(language.function)
        return found
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # perl's gives a bare address
        return tree_sitter.Language(getattr(module, language.function)())


@cache
def _query(language: Language) -> "tree_sitter.Query":
    import tree_sitter

    source = "\n".join((QUERIES / f"{name}.scm").read_text(encoding="utf-8") for name in language.queries)
    return tree_sitter.Query(_grammar(language), source)

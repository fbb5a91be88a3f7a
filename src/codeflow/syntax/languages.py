"""Which language a file is in."""

import re
from pathlib import PurePath

from codeflow.syntax.catalogue import FILE_NAMES, INTERPRETERS, LANGUAGES
from codeflow.syntax.language import Language

_SHELLS = ("bash", "sh", "zsh", "dash", "ksh")
_SHEBANG = re.compile(rf"#!.*?\b({'|'.join([*_SHELLS, *INTERPRETERS])})[\d.]*(?:\s|$)", re.IGNORECASE)
_BY_NAME = {language.name: language for language in LANGUAGES}
_BY_ENDING = {ending: language for language in LANGUAGES for ending in language.endings}


def language_of(path: str, text: str = "") -> Language | None:
    """By the file's name, else by the first line of its text. Its grammar need not be installed."""
    name = PurePath(path).name.lower()
    if named := FILE_NAMES.get(name) or (
        FILE_NAMES.get(name.partition(".")[0]) if "dockerfile" in name else ""
    ):
        return _BY_NAME[named]
    if language := _BY_ENDING.get(PurePath(name).suffix):
        return language
    if found := _SHEBANG.match(text.partition("\n")[0][:200]):
        return _BY_NAME[INTERPRETERS.get(found[1].lower(), "bash")]
    return None


def is_code(path: str) -> bool:
    """Whether the name alone tells a language whose definitions belong into a map of the repository."""
    language = language_of(path)
    return language is not None and language.is_code and bool(language.queries)

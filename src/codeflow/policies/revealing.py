"""Which files a shell line shows by name, in the work tree or in git's objects, as far as its words tell."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from codeflow.syntax.shell.programs import word_set
from codeflow.syntax.shell.reader import Redirection, Run
from codeflow.syntax.shell.running import parts_of, program
from codeflow.syntax.shell.words import Word

_SHOWS = word_set("""
    cat tac nl head tail less more most bat batcat view pr fold column cut sort uniq tr rev paste join expand fmt
    strings xxd od hexdump base32 base64 basenc uuencode diff cmp comm sdiff split csplit
    tar zip gzip bzip2 xz zstd 7z openssl gpg curl wget scp rsync nc""")
"""Programs that print a file that they are given, or send or pack it."""
_INTO = frozenset({"-o", "-out", "-keyout", "--output"})
"""Options of theirs whose value is written."""
_SEARCHES = word_set("grep egrep fgrep zgrep rg ag ack sed awk gawk mawk jq yq")
"""The same; their first argument is no file."""
_COPIES = word_set("cp mv ln install")
"""Their last argument is where to."""
_GIT_SHOWS = word_set("""
    show cat-file diff diff-tree diff-index diff-files log whatchanged blame annotate format-patch archive stash
    range-diff difftool""")


def files_shown(line: str) -> Iterator[tuple[str, str]]:
    """(the command's words, a path that it names and whose content it prints or copies), in the order of the line."""
    for part in parts_of(line):
        if isinstance(part, Redirection) and not part.writes:
            yield f"< {part.target.source}", part.target.text
        elif isinstance(part, Run) and part.words:
            for word in _files(part.words):
                yield part.source, _path(word.text)


def _files(words: Sequence[Word]) -> Sequence[Word]:
    """The words of a command that may be files whose content comes out."""
    name = program(words[0])
    plain = [word for word in words[1:] if not word.text.startswith("-") or "=" in word.text]
    if name in _SHOWS:
        return [word for before, word in pairwise(words) if before.text not in _INTO]
    if name in _SEARCHES:
        return plain[1:]
    if name in _COPIES:
        return plain[:-1]
    if name == "dd":
        return plain
    return _of_git(plain) if name == "git" else ()


def _of_git(words: Sequence[Word]) -> Sequence[Word]:
    for at, word in enumerate(words):
        if word.text in _GIT_SHOWS:
            return words[at + 1 :]
        if word.text == "grep":
            return words[at + 2 :]
    return ()


def _path(text: str) -> str:
    """What of a word may be a path: of COMMIT:PATH, --option=PATH or @PATH the last part."""
    return re.split(r"[:=@]", text)[-1]

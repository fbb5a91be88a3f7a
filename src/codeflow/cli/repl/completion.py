"""Completes commands behind a slash and files behind an at sign."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from typing_extensions import override

from codeflow.cli.repository import project_files

_MOST = 50


class ReplCompleter(Completer):
    """`helps`: what each command is for, by its name."""

    def __init__(self, helps: Mapping[str, str], workspace: Path) -> None:
        self._helps = helps
        self._workspace = workspace
        self._files: list[str] = []

    @override
    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        if text.startswith("/") and " " not in text:
            for name, about in self._helps.items():
                if name.startswith(text[1:]):
                    yield Completion(
                        name, start_position=1 - len(text), display=f"/{name}", display_meta=about
                    )
            return
        word = text.rsplit(maxsplit=1)[-1] if text and not text[-1].isspace() else ""
        if word.startswith("@"):
            if word == "@" or not self._files:  # git is asked once a name and not once a letter
                self._files = project_files(self._workspace)
            for path in matching(self._files, word[1:])[:_MOST]:
                yield Completion(path, start_position=1 - len(word))


def matching(paths: Iterable[str], typed: str) -> list[str]:
    """The paths that hold the letters in their order: first those whose name begins so, then whole words, then others."""
    wanted = typed.lower()
    ranked = [(rank, len(path), path) for path in paths if (rank := _rank(path, wanted)) is not None]
    return [path for _, _, path in sorted(ranked)]


def _rank(path: str, wanted: str) -> int | None:
    lowered = path.lower()
    if lowered.startswith(wanted) or lowered.rpartition("/")[2].startswith(wanted):
        return 0
    if wanted in lowered:
        return 1
    letters = iter(lowered)
    return 2 if all(letter in letters for letter in wanted) else None

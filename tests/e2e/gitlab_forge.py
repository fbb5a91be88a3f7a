"""GitLab's REST API on the loopback, as far as a review needs it: merge request 7 of project 5."""

import re
from collections.abc import Callable
from typing import Any

from tests.e2e.forge import TOKEN, Answer, Call, Forge

ME = {"id": 1, "username": "project_5_bot"}


class GitLabForge(Forge):
    """The repository of `Forge`, with threads in the place of reviews."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.threads: list[dict[str, Any]] = []

    def knows(self, headers: Any) -> bool:
        return bool(headers.get("PRIVATE-TOKEN") == TOKEN)

    @property
    def notes(self) -> list[dict[str, Any]]:
        return [note for thread in self.threads for note in thread["notes"]]

    def refs(self) -> dict[str, str]:
        base = self.git("merge-base", "main", "refs/pull/7/head")
        return {
            "base_sha": base,
            "start_sha": self.git("rev-parse", "main"),
            "head_sha": self.pull()["head"]["sha"],
        }

    def pushed(self) -> None:
        """GitLab moves positions along; a line that is gone keeps the position of the version that had it."""
        for note in self.notes:
            if at := note.get("position"):
                shown = self.git("show", f"refs/pull/7/head:{at['new_path']}").split("\n")
                if note["_text"] in shown:
                    at |= {"new_line": shown.index(note["_text"]) + 1, "head_sha": self.refs()["head_sha"]}

    def answer(self, call: Call, query: dict[str, list[str]]) -> Answer:
        routes: list[tuple[str, str, Callable[..., Answer]]] = [
            ("GET", r"", lambda: (200, self._merge_request())),
            ("GET", r"diffs", lambda: self._page(self._diffs(), query)),
            ("GET", r"discussions", lambda: self._page(self.threads, query)),
            ("POST", r"discussions", lambda: self._thread(call.body)),
            ("POST", r"notes", lambda: self._note(call.body, None)),
            ("PUT", r"notes/(\d+)", lambda number: self._edit(self.notes, number, call.body)),
            ("DELETE", r"notes/(\d+)", self._remove),
        ]
        if call.path == "/user":
            return 200, ME
        below = call.path.removeprefix("/projects/5/merge_requests/7").lstrip("/")
        for method, pattern, do in routes:
            match = re.fullmatch(pattern, below)
            if match and method == call.method:
                return do(*match.groups())
        return 404, {"message": "404 Not found"}

    def _merge_request(self) -> dict[str, Any]:
        return {
            "title": "add faster",
            "source_branch": "feat",
            "target_branch": "main",
            "source_project_id": 5,
            "target_project_id": 5,
            "diff_refs": self.refs(),
            "web_url": "https://gitlab.com/acme/calc/-/merge_requests/7",
        }

    def _diffs(self) -> list[dict[str, Any]]:
        return [{"old_path": name, "new_path": name, "diff": patch} for name, patch in self.patches().items()]

    def _thread(self, body: Any) -> Answer:
        at = body["position"]
        if {name: at[name] for name in self.refs()} != self.refs() or at["position_type"] != "text":
            return 400, {"message": "position is invalid"}
        if (at["new_line"], at.get("old_line")) not in self._lines(at["new_path"]):
            return 400, {"message": '400 Bad request - Note {:line_code=>["can\'t be blank"]}'}
        return self._note(body, at)

    def _lines(self, path: str) -> set[tuple[int, int | None]]:
        """New and old numbers of what the diff shows: an added line has no old one, another one has to have it."""
        pairs: set[tuple[int, int | None]] = set()
        old = new = 0
        for line in self.patches().get(path, "").splitlines():
            if line.startswith("@@"):
                old, new = (int(part.split(",")[0][1:]) for part in line.split(" ")[1:3])
                continue
            if line.startswith("+"):
                pairs.add((new, None))
            elif line.startswith(" "):
                pairs.add((new, old))
            old += line[:1] in {"-", " "}
            new += line[:1] in {"+", " "}
        return pairs

    def _note(self, body: Any, at: dict[str, Any] | None) -> Answer:
        note = {"id": self._next(), "body": body["body"], "author": ME, "system": False, "position": at}
        if at:
            note["_text"] = self.git("show", f"{at['head_sha']}:{at['new_path']}").split("\n")[
                at["new_line"] - 1
            ]
        self.threads.append({"id": f"d{note['id']}", "notes": [note]})
        return 201, note

    def _remove(self, number: str) -> Answer:
        before = len(self.threads)
        self.threads[:] = [one for one in self.threads if one["notes"][0]["id"] != int(number)]
        return (204, None) if len(self.threads) < before else (404, {"message": "404 Not found"})

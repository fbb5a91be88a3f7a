"""GitHub's REST API on the loopback: it refuses what GitHub would refuse, and remembers the rest."""

import json
import re
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghs_" + "x7" * 18  # made up, in the form that GitHub documents
REPOSITORY = "acme/calc"
BOT = "github-actions[bot]"
_LONGEST_BODY = 65_536

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    body: Any


@dataclass
class Fault:
    """Answers to the next requests of a method to a path that contains something, instead of the real ones."""

    method: str
    contains: str
    status: int
    times: int
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "no"


def hunk_lines(patch: str) -> list[set[int]]:
    """The numbers on the right side of each hunk, straight from the format's definition."""
    hunks: list[set[int]] = []
    number = 0
    for line in patch.splitlines():
        if line.startswith("@@"):
            number = int(line.split("+")[1].split(",")[0].split(" ")[0])
            hunks.append(set())
        elif hunks and line[:1] in {"+", " "}:
            hunks[-1].add(number)
            number += 1
    return hunks


class Forge:
    """One repository with one pull request, number 7, whose branches are in a bare git repository on disk."""

    def __init__(self, bare: Path) -> None:
        self.bare = bare
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.comments: list[dict[str, Any]] = []
        self.reviews: list[dict[str, Any]] = []
        self.issue_comments: list[dict[str, Any]] = []
        self.pulls: list[dict[str, Any]] = []
        self.permissions = {"owner": "admin", "maintainer": "write", "reader": "read"}
        self.knows_drafts = True
        self.fork = False
        self.branch = "feat"
        self._ids = 100
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.bare), *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def pull(self) -> dict[str, Any]:
        repository = {"full_name": REPOSITORY}
        return {
            "number": 7,
            "title": "add faster",
            "head": {
                "sha": self.git("rev-parse", "refs/pull/7/head"),
                "ref": self.branch,
                "repo": {"full_name": "mallory/calc"} if self.fork else repository,
            },
            "base": {"sha": self.git("rev-parse", "main"), "ref": "main", "repo": repository},
        }

    def pushed(self) -> None:
        """A comment whose line the new diff does not show as it was is outdated."""
        for comment in self.comments:
            shown = self.git("show", f"refs/pull/7/head:{comment['path']}").split("\n")
            same = [number for number, text in enumerate(shown, 1) if text == comment["_text"]]
            comment["line"] = same[0] if same else None

    def patches(self) -> dict[str, str]:
        names = self.git("diff", "--name-only", "main...refs/pull/7/head").splitlines()
        whole = {name: self.git("diff", "main...refs/pull/7/head", "--", name) for name in names}
        return {name: patch[patch.index("@@") :] if "@@" in patch else "" for name, patch in whole.items()}

    def made(self, method: str, contains: str) -> list[Call]:
        return [call for call in self.calls if call.method == method and contains in call.path]

    def answer(self, call: Call, query: dict[str, list[str]]) -> Answer:
        routes: list[tuple[str, str, Callable[..., Answer]]] = [
            ("GET", r"pulls/7", lambda: (200, self.pull())),
            ("GET", r"pulls/7/files", lambda: self._page(self._files(), query)),
            ("GET", r"pulls/7/comments", lambda: self._page(self.comments, query)),
            ("GET", r"pulls/7/reviews", lambda: self._page(self.reviews, query)),
            ("POST", r"pulls/7/reviews", lambda: self._review(call.body)),
            ("PUT", r"pulls/7/reviews/(\d+)", lambda number: self._edit(self.reviews, number, call.body)),
            ("PATCH", r"pulls/comments/(\d+)", lambda number: self._edit(self.comments, number, call.body)),
            ("DELETE", r"pulls/comments/(\d+)", self._delete),
            ("GET", r"collaborators/([^/]+)/permission", self._permission),
            ("GET", r"", lambda: (200, {"default_branch": "main"})),
            ("POST", r"issues/(\d+)/comments", lambda number: self._remark(number, call.body)),
            (
                "PATCH",
                r"issues/comments/(\d+)",
                lambda number: self._edit(self.issue_comments, number, call.body),
            ),
            ("POST", r"pulls", lambda: self._open(call.body)),
        ]
        if call.path == "/graphql":
            return 200, {"data": {"viewer": {"login": BOT}}}
        below = call.path.removeprefix(f"/repos/{REPOSITORY}").lstrip("/")
        for method, pattern, do in routes:
            match = re.fullmatch(pattern, below)
            if match and method == call.method:
                return do(*match.groups())
        return 404, {"message": "Not Found"}

    def _page(self, listed: list[dict[str, Any]], query: dict[str, list[str]]) -> Answer:
        size, page = int(query["per_page"][0]), int(query["page"][0])
        shown = [{key: value for key, value in one.items() if key != "_text"} for one in listed]
        return 200, shown[(page - 1) * size : page * size]

    def _files(self) -> list[dict[str, Any]]:
        return [
            {"filename": name, "status": "modified", "patch": patch} for name, patch in self.patches().items()
        ]

    def _review(self, body: Any) -> Answer:
        commits = self.git("rev-list", "main..refs/pull/7/head").splitlines()
        problems = [] if body.get("commit_id") in commits else ["commit_id is not part of the pull request"]
        problems += (
            [] if body.get("event") in {"COMMENT", "APPROVE", "REQUEST_CHANGES"} else ["event is invalid"]
        )
        problems += [] if body.get("body") else ["Body can't be blank"]
        for comment in body.get("comments", ()):
            problems += self._wrong(comment)
        if problems:
            return 422, {"message": "Unprocessable Entity", "errors": problems}
        review = {"id": self._next(), "body": body["body"], "user": {"login": BOT}}
        review["html_url"] = f"https://github.com/{REPOSITORY}/pull/7#pullrequestreview-{review['id']}"
        self.reviews.append(review)
        for comment in body.get("comments", ()):
            text = self.git("show", f"{body['commit_id']}:{comment['path']}").split("\n")[comment["line"] - 1]
            more = {
                "id": self._next(),
                "user": {"login": BOT},
                "pull_request_review_id": review["id"],
                "_text": text,
            }
            self.comments.append({**comment, **more})
        return 200, review

    def _wrong(self, comment: dict[str, Any]) -> list[str]:
        if set(comment) - {"path", "line", "side", "start_line", "start_side", "body"}:
            return ["unknown field"]
        if not comment.get("body") or len(comment["body"]) > _LONGEST_BODY:
            return ["body is missing or too long"]
        if comment.get("side") != "RIGHT":
            return ["these are lines of the new files"]
        hunks = hunk_lines(self.patches().get(comment["path"], ""))
        if not any(comment["line"] in hunk for hunk in hunks):
            return ["Pull request review thread line must be part of the diff"]
        first = comment.get("start_line", comment["line"])
        if "start_line" in comment and (first >= comment["line"] or comment.get("start_side") != "RIGHT"):
            return ["start_line must precede the end line."]
        if not any({first, comment["line"]} <= hunk for hunk in hunks):
            return ["Pull request review thread start line must be part of the same hunk as the line."]
        return []

    def _edit(self, listed: list[dict[str, Any]], number: str, body: Any) -> Answer:
        for one in listed:
            if one["id"] == int(number) and body.get("body"):
                one["body"] = body["body"]
                return 200, one
        return 404, {"message": "Not Found"}

    def _delete(self, number: str) -> Answer:
        before = len(self.comments)
        self.comments[:] = [one for one in self.comments if one["id"] != int(number)]
        return (204, None) if len(self.comments) < before else (404, {"message": "Not Found"})

    def _permission(self, login: str) -> Answer:
        known = self.permissions.get(login)
        return (200, {"permission": known}) if known else (404, {"message": "Not Found"})

    def _remark(self, number: str, body: Any) -> Answer:
        comment = {"id": self._next(), "issue": int(number), "body": body["body"], "user": {"login": BOT}}
        self.issue_comments.append(comment)
        return 201, comment

    def _open(self, body: Any) -> Answer:
        if body.get("draft") and not self.knows_drafts:
            return 422, {"message": "Draft pull requests are not supported in this repository."}
        heads = self.git("for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()
        if body["head"] not in heads or body["base"] not in heads:
            return 422, {"message": "Validation Failed", "errors": [{"field": "head", "code": "invalid"}]}
        number = 20 + len(self.pulls)
        self.pulls.append(
            {**body, "number": number, "html_url": f"https://github.com/{REPOSITORY}/pull/{number}"}
        )
        return 201, self.pulls[-1]

    def _next(self) -> int:
        self._ids += 1
        return self._ids

    def knows(self, headers: Any) -> bool:
        return bool(headers.get("Authorization") == f"Bearer {TOKEN}")

    def respond(
        self, call: Call, query: dict[str, list[str]], headers: Any
    ) -> tuple[int, Any, dict[str, str]]:
        self.calls.append(call)
        for fault in self.faults:
            if fault.times and fault.method == call.method and fault.contains in call.path:
                fault.times -= 1
                return fault.status, {"message": fault.message}, fault.headers
        if not self.knows(headers):
            return 401, {"message": "Bad credentials"}, {}
        status, content = self.answer(call, query)
        return status, content, {}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                split = urlsplit(self.path)
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                call = Call(self.command, split.path, json.loads(raw) if raw else None)
                status, content, headers = forge.respond(call, parse_qs(split.query), self.headers)
                sent = b"" if content is None else json.dumps(content).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(sent)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(sent)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names are http.server's

            def log_message(self, *_: object) -> None:  # a test's output is its own
                pass

        return Handler

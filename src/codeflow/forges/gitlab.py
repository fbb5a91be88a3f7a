"""GitLab's REST API: a merge request's diff, its threads and notes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from codeflow.forges.diffs import FileDiff, parse_hunks
from codeflow.forges.pulls import Published, PullRequest
from codeflow.forges.remarks import SUMMARY, Place, Posted, Remark, compare, mark_of, marked, unmarked
from codeflow.forges.wire import ForgeError, Wire

MOST_CHARS = 900_000
"""Of one note; GitLab takes a million."""
_BAD_REQUEST = 400


class GitLab:
    """The merge requests of one project, as the owner of a token sees them."""

    def __init__(self, wire: Wire, project: str) -> None:
        """`project` is the number of the project.

        Raises:
            ForgeError: when it is not.
        """
        if not project.isdecimal():
            raise ForgeError(f"{project!r} is no project", hint="CI_MERGE_REQUEST_PROJECT_ID is a number.")
        self._wire = wire
        self._at = f"projects/{project}/merge_requests"

    def merge_request(self, number: int) -> PullRequest:
        """A merge request as it is now."""
        told = self._told(number)
        return PullRequest(
            number=number,
            title=str(told.get("title") or ""),
            head_sha=told["diff_refs"]["head_sha"],
            head_branch=told["source_branch"],
            base_sha=told["diff_refs"]["base_sha"],
            base_branch=told["target_branch"],
            is_fork=told["source_project_id"] != told["target_project_id"],
        )

    def suggestion(self, where: Place) -> str:
        """What opens a block that can be applied: so many lines above the one that the note is at, and none below."""
        return f"suggestion:-{where.last - where.first}+0"

    def diffs(self, number: int) -> dict[str, FileDiff]:
        """The files of a merge request, by their new names, with the hunks that GitLab shows."""
        return {
            one["new_path"]: FileDiff(one["new_path"], one["old_path"], parse_hunks(one.get("diff") or ""))
            for one in self._wire.pages(f"{self._at}/{number}/diffs")
            if not one.get("deleted_file")
        }

    def publish(
        self, number: int, commit: str, remarks: Sequence[Remark], summary: str, *, complete: bool
    ) -> Published:
        """Begin a thread for each new remark, and bring what an earlier review has said up to date."""
        told = self._told(number)
        ours, notes = self._posted(number, commit)
        changes = compare(remarks, ours, complete=complete)
        for posted, body in changes.edited:
            self._wire.send("PUT", f"{self._at}/{number}/notes/{posted.id}", {"body": body})
        for posted in changes.gone:
            self._take_back(number, posted, commit)
        refused = [remark for remark in changes.new if not self._began(number, remark, told["diff_refs"])]
        whole = "\n\n".join(
            [summary]
            + [f"`{one.place.path.replace('`', '')}:{one.place.last}`\n\n{one.body}" for one in refused]
        )
        note = self._summarize(number, notes, marked(whole[:MOST_CHARS], SUMMARY))
        return Published(
            url=f"{told['web_url']}#note_{note}",
            new=len(changes.new) - len(refused),
            edited=len(changes.edited),
            gone=len(changes.gone),
            refused=len(refused),
        )

    def _told(self, number: int) -> Mapping[str, Any]:
        told: Mapping[str, Any] = self._wire.get(f"{self._at}/{number}")
        if not told.get("diff_refs"):
            raise ForgeError(f"!{number} has no diff yet", hint="Run the job again in a moment.")
        return told

    def _posted(self, number: int, commit: str) -> tuple[list[Posted], list[int]]:
        """Our remarks, and the ids of our summaries: marked, and written by the token's owner."""
        me = self._wire.get("user")["id"]
        remarks: list[Posted] = []
        summaries: list[int] = []
        for thread in self._wire.pages(f"{self._at}/{number}/discussions"):
            first, *replies = thread["notes"]
            key = mark_of(first.get("body") or "")
            if key is None or first["author"]["id"] != me:
                continue
            at = first.get("position")
            if at is None:
                summaries.append(first["id"])
                continue
            is_current = (
                at.get("head_sha") == commit
            )  # GitLab moves a position along as long as its line is there
            answered = any(not reply.get("system") for reply in replies)
            posted = Posted(id=str(first["id"]), key=key, path=at["new_path"], line=None, body=first["body"])
            remarks.append(
                replace(posted, line=at.get("new_line") if is_current else None, has_replies=answered)
            )
        return remarks, summaries

    def _take_back(self, number: int, posted: Posted, commit: str) -> None:
        """Delete it; where people have answered it, their words keep what they answer."""
        note = f"{self._at}/{number}/notes/{posted.id}"
        if posted.has_replies:
            body = f"_No longer found at {commit[:12]}._\n\n{unmarked(posted.body)}"
            self._wire.send("PUT", note, {"body": body})
        else:
            self._wire.send("DELETE", note)

    def _began(self, number: int, remark: Remark, refs: Mapping[str, str]) -> bool:
        """Whether GitLab took the line; a line that the change left as it was has two numbers."""
        where = remark.place
        position: dict[str, Any] = {
            "position_type": "text",
            **{name: refs[name] for name in ("base_sha", "start_sha", "head_sha")},
            "old_path": where.old_path,
            "new_path": where.path,
            "new_line": where.last,
        }
        if where.old_line is not None:
            position["old_line"] = where.old_line
        body = marked(remark.body[:MOST_CHARS], where.key)
        try:
            self._wire.send("POST", f"{self._at}/{number}/discussions", {"body": body, "position": position})
        except ForgeError as error:
            if error.status_code != _BAD_REQUEST:
                raise
            return False
        return True

    def _summarize(self, number: int, notes: Sequence[int], body: str) -> int:
        """The one note that belongs to no line; its id."""
        at = f"{self._at}/{number}/notes"
        if notes:
            self._wire.send("PUT", f"{at}/{notes[0]}", {"body": body})
            return notes[0]
        return int(self._wire.send("POST", at, {"body": body})["id"])

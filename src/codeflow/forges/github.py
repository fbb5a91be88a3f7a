"""GitHub's REST API: a pull request's diff, its reviews, comments, permissions."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from codeflow.forges.diffs import FileDiff, parse_hunks
from codeflow.forges.pulls import Published, PullRequest
from codeflow.forges.remarks import SUMMARY, Place, Posted, Remark, compare, mark_of, marked, unmarked
from codeflow.forges.wire import ForgeError, Wire

MOST_CHARS = 65_000
"""Of one comment; GitHub takes 65,536."""
_UNPROCESSABLE = 422
_WRITERS = frozenset({"admin", "maintain", "write"})
_SUPERSEDED = "_A later review of codeflow's takes the place of this one._"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_LOGIN = re.compile(r"[\w.-]+(\[bot\])?")


class GitHub:
    """One repository, as the owner of a token sees it."""

    def __init__(self, wire: Wire, repository: str, graphql_url: str) -> None:
        """`repository` is owner/name.

        Raises:
            ForgeError: when it is not.
        """
        if not _REPOSITORY.fullmatch(repository):
            raise ForgeError(f"{repository!r} is no repository", hint="GITHUB_REPOSITORY holds owner/name.")
        self._wire = wire
        self._at = f"repos/{repository}"
        self._graphql_url = graphql_url
        self._login = ""

    def suggestion(self, where: Place) -> str:  # noqa: ARG002 - GitLab's depends on the lines
        """What opens a block that can be applied to the lines of a comment."""
        return "suggestion"

    def pull_request(self, number: int) -> PullRequest:
        """A pull request as it is now."""
        return pull_request(self._wire.get(f"{self._at}/pulls/{number}"))

    def diffs(self, number: int) -> dict[str, FileDiff]:
        """The files of a pull request, by their new names, with the hunks that GitHub shows."""
        listed = self._wire.pages(f"{self._at}/pulls/{number}/files")
        return {
            one["filename"]: FileDiff(
                one["filename"],
                one.get("previous_filename") or one["filename"],
                parse_hunks(one.get("patch") or ""),
            )
            for one in listed
            if one.get("status") != "removed"
        }

    def may_write(self, login: str) -> bool:
        """Whether somebody may push to the repository."""
        if not _LOGIN.fullmatch(login):
            return False
        try:
            told = self._wire.get(f"{self._at}/collaborators/{login}/permission")
        except ForgeError as error:
            if error.status_code == 404:  # noqa: PLR2004 - nobody of that name
                return False
            raise
        return told.get("permission") in _WRITERS

    def publish(
        self, number: int, commit: str, remarks: Sequence[Remark], summary: str, *, complete: bool
    ) -> Published:
        """Post one review with what is new, and bring what an earlier one has said up to date."""
        comments = list(self._wire.pages(f"{self._at}/pulls/{number}/comments"))
        changes = compare(remarks, self._posted(comments), complete=complete)
        for posted, body in changes.edited:
            self._edit_remark(posted, body)
        for posted in changes.gone:
            self._take_back(posted, commit)
        done = self._review(number, commit, changes.new, summary)
        return Published(
            url=done["html_url"],
            new=len(changes.new),
            edited=len(changes.edited),
            gone=len(changes.gone),
            refused=done.get("refused", 0),
        )

    def comment(self, number: int, body: str) -> str:
        """Comment an issue or a pull request; the id of the comment."""
        return str(
            self._wire.send("POST", f"{self._at}/issues/{number}/comments", {"body": body[:MOST_CHARS]})["id"]
        )

    def edit_comment(self, comment: str, body: str) -> None:
        """Change a comment that `comment` has made."""
        self._wire.send("PATCH", f"{self._at}/issues/comments/{comment}", {"body": body[:MOST_CHARS]})

    def default_branch(self) -> str:
        """The branch that pull requests go to."""
        return str(self._wire.get(self._at)["default_branch"])

    def open_draft(self, *, branch: str, base: str, title: str, body: str) -> tuple[int, str]:
        """Open a pull request that is a draft, where the repository knows drafts; its number and address."""
        request = {"title": title, "head": branch, "base": base, "body": body[:MOST_CHARS]}
        try:
            opened = self._wire.send("POST", f"{self._at}/pulls", {**request, "draft": True})
        except ForgeError as error:
            if error.status_code != _UNPROCESSABLE or "draft" not in str(error).lower():
                raise
            opened = self._wire.send("POST", f"{self._at}/pulls", request)
        return opened["number"], opened["html_url"]

    def _me(self) -> str:
        """The login behind the token. REST tells it to people's tokens only, GraphQL to those of workflows as well."""
        if not self._login:
            asked = {"query": "query { viewer { login } }"}
            told = self._wire.send("POST", self._graphql_url, asked)
            login = ((told.get("data") or {}).get("viewer") or {}).get("login")
            if not login:
                raise ForgeError("GitHub does not say whose token this is", hint="Use another token.")
            self._login = login
        return self._login

    def _is_mine(self, comment: Mapping[str, Any]) -> bool:
        """Anybody can write a mark, so it counts only in what the token's owner has written."""
        if mark_of(comment.get("body") or "") is None:
            return False
        return (comment.get("user") or {}).get("login") == self._me()

    def _posted(self, comments: Iterable[Mapping[str, Any]]) -> list[Posted]:
        comments = list(comments)
        answered = {comment.get("in_reply_to_id") for comment in comments}
        return [
            Posted(
                id=str(comment["id"]),
                key=mark_of(comment["body"]) or "",
                path=comment["path"],
                line=comment.get("line"),
                body=comment["body"],
                has_replies=comment["id"] in answered,
            )
            for comment in comments
            if self._is_mine(comment)
        ]

    def _edit_remark(self, posted: Posted, body: str) -> None:
        self._wire.send("PATCH", f"{self._at}/pulls/comments/{posted.id}", {"body": body[:MOST_CHARS]})

    def _take_back(self, posted: Posted, commit: str) -> None:
        """Delete it; where people have answered it, their words keep what they answer."""
        if posted.has_replies:
            self._edit_remark(posted, f"_No longer found at {commit[:12]}._\n\n{unmarked(posted.body)}")
        else:
            self._wire.send("DELETE", f"{self._at}/pulls/comments/{posted.id}")

    def _review(self, number: int, commit: str, remarks: Sequence[Remark], summary: str) -> Mapping[str, Any]:
        """One review: a new one when there are new remarks or none was there, else the last one edited."""
        reviews = f"{self._at}/pulls/{number}/reviews"
        earlier = [review for review in self._wire.pages(reviews) if self._is_mine(review)]
        body = marked(summary[:MOST_CHARS], SUMMARY)
        if earlier and not remarks:
            *older, last = earlier
            done: Mapping[str, Any] = self._wire.send("PUT", f"{reviews}/{last['id']}", {"body": body})
        else:
            older = earlier
            done = self._post_review(reviews, commit, remarks, body)
        for review in older:
            self._wire.send("PUT", f"{reviews}/{review['id']}", {"body": _SUPERSEDED})
        return done

    def _post_review(
        self, reviews: str, commit: str, remarks: Sequence[Remark], body: str
    ) -> Mapping[str, Any]:
        review = {"commit_id": commit, "event": "COMMENT", "body": body}
        comments = [_comment(remark) for remark in remarks]
        try:
            return dict(self._wire.send("POST", reviews, {**review, "comments": comments}))
        except ForgeError as error:
            if error.status_code != _UNPROCESSABLE or not comments:
                raise
        listed = "\n\n".join(
            f"`{remark.place.path.replace('`', '')}:{remark.place.last}`\n\n{remark.body}"
            for remark in remarks
        )
        whole = marked(f"{unmarked(body)}\n\n{listed}"[:MOST_CHARS], SUMMARY)
        done = self._wire.send("POST", reviews, {**review, "body": whole})
        return {**done, "refused": len(comments)}


def _comment(remark: Remark) -> dict[str, Any]:
    where = remark.place
    comment: dict[str, Any] = {"path": where.path, "line": where.last, "side": "RIGHT"}
    if where.first != where.last:
        comment |= {"start_line": where.first, "start_side": "RIGHT"}
    return comment | {"body": marked(remark.body[:MOST_CHARS], where.key)}


def pull_request(told: Mapping[str, Any]) -> PullRequest:
    """A pull request as the API and the payload of an event tell it.

    Raises:
        ForgeError: when something of it is missing.
    """
    try:
        head, base = told["head"], told["base"]
        inside = (head.get("repo") or {}).get("full_name")  # no repository: the fork has been deleted
        return PullRequest(
            number=int(told["number"]),
            title=str(told.get("title") or ""),
            head_sha=str(head["sha"]),
            head_branch=str(head["ref"]),
            base_sha=str(base["sha"]),
            base_branch=str(base["ref"]),
            is_fork=inside != base["repo"]["full_name"],
        )
    except (KeyError, TypeError, ValueError) as error:
        hint = "GITHUB_EVENT_PATH is the file that GitHub writes for a job."
        raise ForgeError(
            f"the event does not describe a pull request: {error} is missing", hint=hint
        ) from error

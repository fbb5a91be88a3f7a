"""Where a repository's HEAD, index and stash stand; checkpoints note it, and undo says how to move them back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from codeflow.sessions.repository import Git, Project

_SHORT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """`head` is a commit, None before the first one; `branch` a ref, None when HEAD is detached.

    `index` is a digest of what is staged, `stash` the newest stash.
    """

    head: str | None
    branch: str | None
    index: str
    stash: str | None


def git_state(project: Project) -> GitState | None:
    """The state of the workspace's repository; None without one."""
    git = project.git
    if git is None:
        return None
    return GitState(
        head=git.text("rev-parse", "--quiet", "--verify", "HEAD^{commit}", accept=(0, 1)) or None,
        branch=git.text("symbolic-ref", "--quiet", "HEAD", accept=(0, 1)) or None,
        index=sha256(git.run("ls-files", "--stage", "-z", "--full-name", ":/")).hexdigest(),
        stash=git.text("rev-parse", "--quiet", "--verify", "refs/stash", accept=(0, 1)) or None,
    )


def switched(before: GitState | None, now: GitState | None) -> str | None:
    """Where HEAD was and is, for people; None while it is on the same branch, or detached at the same commit."""
    if (
        before is None
        or now is None
        or (before.branch == now.branch and (now.branch or before.head == now.head))
    ):
        return None
    return f"HEAD is on {_name(now)} and was on {_name(before)}"


def way_to(state: GitState) -> str:
    """The git command that checks out what HEAD was on."""
    if state.branch:
        return f"git switch {_name(state)}"
    return f"git switch --detach {_short(state.head)}"


Moves = Sequence[tuple[GitState, GitState]]
"""States before and after, each time."""


def ways_back(
    before: GitState | None, project: Project, by_run: Moves, by_user: Moves = ()
) -> tuple[str, ...]:
    """What an undo of files leaves to the user, one sentence each; pushed commits are never to be taken back.

    What only the user has moved is no matter of an undo, and no command is told that would take it back.
    """
    now, git = git_state(project), project.git
    if before is None:
        return () if now is None else ("The git repository in this folder is new; it was left as it is.",)
    if now is None or git is None:
        return ("The git repository itself is gone or damaged: checkpoints hold files, not `.git`.",)
    return (*_head_back(before, now, git, by_run, by_user), *_rest_back(before, now, git, by_run))


def _head_back(before: GitState, now: GitState, git: Git, by_run: Moves, by_user: Moves) -> Iterator[str]:
    if _place(before) == _place(now):
        return
    if not any(_place(earlier) != _place(later) for earlier, later in by_run):
        moved = (
            switched(before, now) or f"{_name(now)} is at {_short(now.head)} and was at {_short(before.head)}"
        )
        yield f"{moved}, not by the run: it was left there."
    elif any(_place(earlier) != _place(later) for earlier, later in by_user):
        yield f"HEAD was on {_name(before)}, and both the run and you have moved it: `git reflog` shows how."
    elif before.branch != now.branch:
        target = (
            f"symbolic-ref HEAD {before.branch}"
            if before.branch
            else f"update-ref --no-deref HEAD {before.head}"
        )
        yield (
            f"HEAD was on {_name(before)} and is on {_name(now)}: "
            f"`git {target}` moves it back and leaves the files alone."
        )
    elif before.head is None:
        if now.head is not None:
            yield f"{_name(now)} had no commit: `git update-ref -d HEAD` takes the new ones back."
    elif before.head != now.head:
        yield _moved(before, now, git)


def _rest_back(before: GitState, now: GitState, git: Git, by_run: Moves) -> Iterator[str]:
    if before.index != now.index and any(earlier.index != later.index for earlier, later in by_run):
        yield "What is staged has changed: `git diff --cached` shows it, `git add` and `git restore --staged` mend it."
    if before.stash != now.stash and any(earlier.stash != later.stash for earlier, later in by_run):
        if before.stash and before.stash not in git.text("stash", "list", "--format=%H").split():
            yield f"The stash has lost what was newest in it: `git stash store {before.stash}` puts it back."
        else:
            yield "The stash has changed: `git stash list` shows it."


def _moved(before: GitState, now: GitState, git: Git) -> str:
    """Another commit on the same branch, or under a detached HEAD."""
    moved = f"{_name(now)} was at {_short(before.head)} and is at {_short(now.head)}"
    lost = git.text("rev-list", "--max-count=1", f"{before.head}..{now.head}", accept=(0, 128))
    public = git.text("for-each-ref", "--format=%(refname:short)", f"--contains={now.head}", "refs/remotes")
    if lost and public:
        remote = public.splitlines()[0]
        return f"{moved}, which {remote} has too: do not rewrite it, `git revert` takes its commits back."
    return f"{moved}: `git reset --soft {_short(before.head)}` moves it back and leaves the files alone."


def _name(state: GitState) -> str:
    return state.branch.removeprefix("refs/heads/") if state.branch else f"no branch ({_short(state.head)})"


def _place(state: GitState) -> tuple[str | None, str | None]:
    return state.branch, state.head


def _short(commit: str | None) -> str:
    return (commit or "no commit")[:_SHORT]

"""What git's refusals mean for the one who called a tool, and what to do next: git's own hints name its commands."""

import re

_ADVICE = (
    (r"(?i)not a git repository", "The workspace is not a git repository; work without git."),
    (
        r"must be run in a work tree",
        (
            "This is a bare repository, or git's own folder: it holds history and no files to work on. git_log, git_show and "
            "git_diff with a range read it. To change files, ask the user to clone it, or to add a work tree to it, and to "
            "start codeflow there."
        ),
    ),
    (
        (
            r"does not have any commits yet|ambiguous argument 'HEAD'|bad revision 'HEAD'|invalid object name:? '?HEAD"
            r"|not a valid object name: 'HEAD'|invalid reference: HEAD|You do not have the initial commit yet"
            r"|HEAD is unborn"
        ),
        "The current branch has no commits yet. git_status shows the files; git_commit makes the first one.",
    ),
    (
        r"unable to normalize alternate object path|bad object HEAD",
        (
            "The repository keeps its objects elsewhere (a clone with --shared or --reference; .git/objects/info/alternates "
            "names the folder), or HEAD is broken. Ask the user to add that folder to sandbox.readable in their own settings."
        ),
    ),
    (
        r"path '(?P<path>[^']+)' (?:exists on disk, but not|does not exist) in '(?P<ref>[^']+)'",
        "{path} is not in {ref}. git_log with path={path} shows the commits that have it.",
    ),
    (
        (
            r"ambiguous argument '(?P<ref>[^']+)'|bad revision '(?P<ref2>[^']+)'|[Ii]nvalid object name '(?P<ref3>[^']+)'"
            r"|bad object (?P<ref4>\S+)"
        ),
        "There is no commit, branch or tag {ref}. git_branch lists the branches, git_log the commits.",
    ),
    (
        r"no such path '?(?P<path>[^'\n]+?)'? in HEAD",
        "{path} is not in the last commit; git_status shows whether it is new.",
    ),
    (
        r"file (?P<path>.+) has only (?P<lines>\d+) lines?",
        "{path} has {lines} lines; choose start_line among them.",
    ),
    (
        r"CONFLICT[^\n]*[\s\S]*stash entry is kept",
        "The stash was applied with conflicts, and is kept. git_conflicts shows them; resolve them by edit_file.",
    ),
    (
        r"needs merge|unmerged files|because you have unmerged|is not possible because you have unmerged",
        (
            "There are unresolved conflicts. git_conflicts shows them; resolve them by edit_file and conclude with "
            "git_commit, then do this again."
        ),
    ),
    (
        r"cannot switch branch while merging|MERGE_HEAD exists",
        "A merge is under way. git_conflicts shows what is unresolved; conclude it with git_commit first.",
    ),
    (
        r"cannot switch branch while (?P<what>rebasing|cherry-picking|reverting|bisecting)",
        "The user is {what} here. Leave the branch as it is, and ask the user to finish that first.",
    ),
    (
        r"'(?P<branch>[^']+)' is already (?:checked out|used by worktree) at '(?P<path>[^']+)'",
        "{branch} is checked out in {path}; work there, or choose another branch.",
    ),
    (
        r"local changes to the following files would be overwritten[^\n]*\n(?P<files>(?:\t[^\n]+\n?)+)",
        "Uncommitted changes of {files} are in the way. Put them aside with git_stash, or commit them with git_commit.",
    ),
    (
        (
            r"untracked working tree files would be overwritten[^\n]*\n(?P<files>(?:\t[^\n]+\n?)+)"
            r"|(?P<files2>[^\n]+) already exists, no checkout"
        ),
        "The untracked files {files} are in the way. Move them, or add them by git_commit.",
    ),
    (
        r"'(?P<path>[^']+)' contains modified or untracked files",
        (
            "{path} has uncommitted changes, so it was not removed. Commit or stash them there first: {path} is a work tree "
            "of its own."
        ),
    ),
    (
        r"'(?P<path>[^']+)' is not a working tree",
        "There is no work tree {path}; git_worktree list shows them.",
    ),
    (r"'(?P<path>[^']+)' already exists$", "{path} exists already; use it, or choose another branch."),
    (
        r"'(?P<branch>[^']+)' is not a valid branch name",
        "{branch!r} cannot be the name of a branch; choose another.",
    ),
    (
        r"No stash entries found|stash@\{\d+\} is not a valid reference|log for 'stash' only has",
        "There is no such stash; git_stash list shows them.",
    ),
    (
        r"paths are ignored by one of your \.gitignore files:\n(?P<files>(?:[^\n]+\n)+?)hint:",
        "{files} is ignored by .gitignore, so it is not committed. Leave it out of paths.",
    ),
    (
        r"pathspec '(?P<path>[^']+)' did not match any file",
        "{path} does not exist and is not tracked; git_status names the changed files.",
    ),
    (
        r"Author identity unknown|unable to auto-detect email address|Please tell me who you are",
        "git does not know who commits. Ask the user to set user.name and user.email with git config.",
    ),
    (
        r"previous cherry-pick is now empty",
        (
            "Nothing of the picked commit is left, so there is nothing to commit. Leave it out with run_command: "
            "git cherry-pick --skip, or in a rebase git rebase --skip."
        ),
    ),
    (
        r"nothing to commit|no changes added to commit|nothing added to commit",
        "Nothing was committed: these files are as in the last commit. git_status shows what has changed.",
    ),
    (
        r"Unable to create '(?P<path>[^']+\.lock)': File exists",
        "Another git process is at work ({path}). Try again; if it stays, ask the user to remove that file.",
    ),
)
_COMPILED = [(re.compile(pattern, re.MULTILINE), advice) for pattern, advice in _ADVICE]


def advice(output: str) -> str | None:
    """One sentence on what git refused and the next step; None for a refusal that is not known."""
    for pattern, text in _COMPILED:
        if match := pattern.search(output):
            found = {name.rstrip("234"): _listed(value) for name, value in match.groupdict().items() if value}
            return text.format(**found)
    return None


def _listed(lines: str) -> str:
    return ", ".join(line.strip() for line in lines.strip().splitlines())

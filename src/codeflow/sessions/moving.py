"""A project's folder that was moved or renamed: what is kept under its old name follows it."""

from pathlib import Path

from codeflow.sessions.log import SessionStore
from codeflow.sessions.repository import REFS, Store


def bring_checkpoints(session_id: str, old: Path, new: Path, home: Path) -> None:
    """Let a session of a folder that is gone have its checkpoints where the folder is now; `home` has all stores.

    Nothing is done when it has some there already. The store of the old name keeps them, until they are pruned.

    Raises:
        SessionError: when they cannot be copied.
    """
    source, target = Store(old, home), Store(new, home)
    refs = f"{REFS}/{session_id}"
    if not source.exists or (target.exists and target.run("for-each-ref", "--count=1", f"{refs}/")):
        return
    target.create()
    target.run("fetch", "--quiet", "--no-tags", str(source.path), f"{refs}/*:{refs}/*")


def similar_and_gone(store: SessionStore, folder: Path) -> tuple[Path, str] | None:
    """A folder that is gone and may be this one, by its name or the folder it was in, and its newest session."""
    for known in store.list():
        if known.workspace and is_similar_and_gone(Path(known.workspace), folder):
            return Path(known.workspace), known.id
    return None


def is_similar_and_gone(old: Path, folder: Path) -> bool:
    return (old.name == folder.name or old.parent == folder.parent) and not old.exists()

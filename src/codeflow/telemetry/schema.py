"""The tables of the ledger, and how a file of an older codeflow gets the newer columns."""

import sqlite3

_VERSION = 2
_CALLS = """
CREATE TABLE calls (
    run INTEGER NOT NULL REFERENCES runs,
    at TEXT NOT NULL,
    agent TEXT NOT NULL,
    model TEXT NOT NULL,
    outcome TEXT NOT NULL,
    input_tokens INTEGER,       -- all five NULL when the service did not report them
    output_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_write_tokens INTEGER,
    cache_write_1h_tokens INTEGER,
    cost TEXT                   -- US dollars as a decimal; NULL when unknown
);
CREATE INDEX calls_at ON calls (at);
"""
_STEPS = (
    f"""
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    workspace TEXT NOT NULL,
    repository TEXT NOT NULL,
    started TEXT NOT NULL,      -- ISO 8601, UTC; as is calls.at
    complexity TEXT,
    status TEXT,                -- NULL while running, and for ever after a kill
    duration_s REAL
);
{_CALLS}
""",
    # What a run teaches about who should begin; all NULL in runs of before, which teach nothing.
    """
-- project: the main work tree's path, the same in every work tree; begun_by: the first specialist;
-- gates: green or red, NULL when no gate decided anything
ALTER TABLE runs ADD COLUMN project TEXT;
ALTER TABLE runs ADD COLUMN kind TEXT;
ALTER TABLE runs ADD COLUMN begun_by TEXT;
ALTER TABLE runs ADD COLUMN begun_model TEXT;
ALTER TABLE runs ADD COLUMN escalations INTEGER;
ALTER TABLE runs ADD COLUMN gates TEXT;
CREATE INDEX runs_project ON runs (project);
CREATE INDEX calls_run ON calls (run);
""",
)
"""What leads from each version to the next, the first from an empty file."""


def prepare(database: sqlite3.Connection) -> None:
    """Bring a file to this version; several processes may do so at once.

    Raises:
        sqlite3.Error: when it is no ledger, or a newer codeflow's.
    """
    version = _version(database)
    if version > _VERSION:
        raise sqlite3.DatabaseError("it was written by a newer codeflow")
    database.execute("PRAGMA synchronous = NORMAL")
    if version == _VERSION:
        return
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("BEGIN IMMEDIATE")
    try:
        for statement in "".join(_STEPS[_version(database) :]).split(";\n"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {_VERSION}")
    except sqlite3.Error:
        database.rollback()
        raise
    database.commit()


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version

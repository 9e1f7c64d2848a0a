"""The runs, in SQLite: what it says is what the workspace knows after a crash."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.workspace.jobs.model import Run, Submission, TaskRun, TaskSpec, Times
from airflow_dataloader.workspace.jobs.states import ENDS, Code, End, LifeCycle, Result, Stop

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    parent INTEGER REFERENCES run ON DELETE CASCADE,
    idempotency_token TEXT UNIQUE,
    submission TEXT NOT NULL,
    life_cycle TEXT NOT NULL,
    code TEXT, result TEXT, message TEXT NOT NULL DEFAULT '',
    stop TEXT,
    submitted INTEGER NOT NULL, started INTEGER NOT NULL DEFAULT 0, ended INTEGER NOT NULL DEFAULT 0,
    pid INTEGER, born TEXT, session TEXT, token_hash TEXT, server TEXT
);
CREATE INDEX IF NOT EXISTS run_parent ON run (parent);
CREATE INDEX IF NOT EXISTS run_token_hash ON run (token_hash) WHERE token_hash IS NOT NULL;
CREATE INDEX IF NOT EXISTS run_alive ON run (id) WHERE ended = 0 AND parent IS NULL;
"""


class RunStore:
    """Runs and their tasks; a task is a run with a parent. Safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        """Open the database in ``path``. Raises ConfigurationError where it cannot be read or written."""
        self._lock = threading.Lock()
        try:
            self._open(path)
        except sqlite3.Error as error:
            raise ConfigurationError(
                f"{path} cannot be used: {error}.",
                field="DATALOADER_HOME",
                fix="make room there, or move the file away: the workspace then begins without runs",
            ) from error

    def _open(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        with contextlib.suppress(PermissionError):
            # Of a file of ours, a file system without modes refuses it; WorkspaceHome has warned of that.
            path.chmod(0o600)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(_SCHEMA)
        with self._changing() as connection:
            # Numbers of an earlier database in this folder must not come again: others remember them.
            connection.execute(
                "INSERT INTO sqlite_sequence (name, seq) SELECT 'run', ? "
                "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'run')",
                (_now(),),
            )

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def submit(self, submission: Submission, *, end: End | None = None) -> tuple[int, bool]:
        """Return the run of this submission's token, or a new one, and whether it is new.

        With ``end`` a new run is over before anybody can take it up.
        """
        with self._changing() as connection:
            if submission.idempotency_token is not None:
                known = connection.execute(
                    "SELECT id FROM run WHERE idempotency_token = ?", (submission.idempotency_token,)
                ).fetchone()
                if known is not None:
                    return int(known["id"]), False
            life_cycle = LifeCycle.QUEUED if submission.queued else LifeCycle.PENDING
            run_id = self._insert(None, submission.idempotency_token, asdict(submission), life_cycle)
            tasks = [self._insert(run_id, None, asdict(task), LifeCycle.PENDING) for task in submission.tasks]
            if end is not None:
                for ended in (run_id, *tasks):
                    self._end(ended, end)
            return run_id, True

    def run(self, run_id: int) -> Run | None:
        """Return a run by its id or that of one of its tasks, or None if there is none."""
        with self._lock:
            row = self._connection.execute(
                "SELECT * FROM run WHERE id = (SELECT coalesce(parent, id) FROM run WHERE id = ?)", (run_id,)
            ).fetchone()
            return None if row is None else self._run(row)

    def page(
        self,
        *,
        limit: int,
        offset: int,
        active: bool | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> list[Run]:
        """Return runs, the newest first; ``active`` None means all; times in ms, inclusive."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT * FROM run WHERE parent IS NULL AND (:active IS NULL OR (ended = 0) = :active) "
                "AND (:since IS NULL OR submitted >= :since) AND (:until IS NULL OR submitted <= :until) "
                "ORDER BY id DESC LIMIT :limit OFFSET :offset",
                {"active": active, "since": since, "until": until, "limit": limit, "offset": offset},
            ).fetchall()
            return [self._run(row) for row in rows]

    def alive(self) -> dict[int, Stop | None]:
        """Return the runs that have not ended, the oldest first, and why each is to end, if it is."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT id, stop FROM run WHERE ended = 0 AND parent IS NULL ORDER BY id"
            ).fetchall()
            return {row["id"]: Stop(row["stop"]) if row["stop"] else None for row in rows}

    def ended_before(self, moment: int) -> list[int]:
        """Return the runs that ended before a moment, in ms."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT id FROM run WHERE ended > 0 AND ended < ? AND parent IS NULL ORDER BY id", (moment,)
            ).fetchall()
            return [int(row["id"]) for row in rows]

    def move(self, run_id: int, life_cycle: LifeCycle, message: str = "") -> None:
        """Put a living run or task into a state; its first RUNNING is its start."""
        with self._changing() as connection:
            connection.execute(
                "UPDATE run SET life_cycle = :state, message = :message, "
                "started = iif(started = 0 AND :state = 'RUNNING', :now, started) "
                "WHERE id = :id AND ended = 0",
                {"id": run_id, "state": life_cycle, "message": message, "now": _now()},
            )

    def prepare(self, task_run_id: int, session: str, token_hash: str, server: str) -> None:
        """Record the session, its server and the token that a task is about to get."""
        with self._changing() as connection:
            connection.execute(
                "UPDATE run SET session = ?, token_hash = ?, server = ? WHERE id = ?",
                (session, token_hash, server, task_run_id),
            )

    def begin(self, task_run_id: int, pid: int, born: str) -> None:
        """Record the process of a task, which runs from now on."""
        with self._changing() as connection:
            connection.execute(
                "UPDATE run SET pid = ?, born = ?, life_cycle = 'RUNNING', message = '', "
                "started = iif(started = 0, ?, started) WHERE id = ?",
                (pid, born, _now(), task_run_id),
            )

    def end(self, run_id: int, end: End) -> None:
        """Record how a run or task ended; the first end stays, and its token is worth nothing any more."""
        with self._changing():
            self._end(run_id, end)

    def stop(self, run_id: int, reason: Stop) -> None:
        """Record that a run is to end; the first reason stays."""
        with self._changing() as connection:
            connection.execute(
                "UPDATE run SET stop = coalesce(stop, ?) WHERE id = ? AND ended = 0", (reason, run_id)
            )

    def forget(self, run_id: int) -> None:
        """Know nothing of a run any more, nor of its idempotency token."""
        with self._changing() as connection:
            connection.execute("DELETE FROM run WHERE id = ?", (run_id,))

    def knows_token(self, token_hash: str) -> bool:
        """Whether this is the token of a task that has not ended."""
        with self._lock:
            return (
                self._connection.execute("SELECT 1 FROM run WHERE token_hash = ?", (token_hash,)).fetchone()
                is not None
            )

    def _insert(
        self, parent: int | None, token: str | None, submission: dict[str, Any], state: LifeCycle
    ) -> int:
        cursor = self._connection.execute(
            "INSERT INTO run (parent, idempotency_token, submission, life_cycle, submitted) "
            "VALUES (?, ?, ?, ?, ?)",
            (parent, token, json.dumps(submission), state, _now()),
        )
        return int(cursor.lastrowid or 0)

    def _end(self, run_id: int, end: End) -> None:
        self._connection.execute(
            "UPDATE run SET life_cycle = ?, code = ?, result = ?, message = ?, ended = ?, "
            "token_hash = NULL WHERE id = ? AND ended = 0",
            (end.life_cycle, end.code, end.result, end.message, _now(), run_id),
        )

    def _run(self, row: sqlite3.Row) -> Run:
        tasks = self._connection.execute("SELECT * FROM run WHERE parent = ? ORDER BY id", (row["id"],))
        found = json.loads(row["submission"])
        found["tasks"] = tuple(_spec(task) for task in found["tasks"])
        return Run(
            run_id=row["id"],
            submission=Submission(**found),
            life_cycle=LifeCycle(row["life_cycle"]),
            times=_times(row),
            tasks=tuple(_task(task) for task in tasks),
            end=_end(row),
            stop=Stop(row["stop"]) if row["stop"] else None,
            message=row["message"],
        )

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def _now() -> int:
    return time.time_ns() // 1_000_000


def _spec(found: dict[str, Any]) -> TaskSpec:
    texts = {name: tuple(found[name]) for name in ("parameters", "depends_on")}
    return TaskSpec(**(found | texts))


def _task(row: sqlite3.Row) -> TaskRun:
    return TaskRun(
        run_id=row["id"],
        spec=_spec(json.loads(row["submission"])),
        life_cycle=LifeCycle(row["life_cycle"]),
        times=_times(row),
        end=_end(row),
        pid=row["pid"],
        born=row["born"],
        session=row["session"],
        server=row["server"],
    )


def _times(row: sqlite3.Row) -> Times:
    return Times(submitted=row["submitted"], started=row["started"], ended=row["ended"])


def _end(row: sqlite3.Row) -> End | None:
    life_cycle = LifeCycle(row["life_cycle"])
    if life_cycle not in ENDS:
        return None
    return End(
        code=Code(row["code"]),
        result=Result(row["result"]) if row["result"] else None,
        message=row["message"],
        life_cycle=life_cycle,
    )

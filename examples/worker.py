#!/usr/bin/env python3
"""worker.py TYPE: a worker in Python with psycopg 3.

It waits for tasks of a type, calls handle() for each, and says what came of it.
SIGTERM or Ctrl-C lets it finish the task it has and stop, within 5 seconds plus
the task.  The environment (PGHOST, PGDATABASE and so on) says where.
"""
import signal
import sys
import threading
import time

import psycopg
from psycopg.rows import namedtuple_row

stop = threading.Event()


def handle(task, lost):
    """The work.  Raise an exception to have it tried again.  A long task looks at
    lost.is_set() now and then, and gives up when the task is no longer its own."""
    print(f"task {task.id}, attempt {task.attempt}: {task.payload}", flush=True)
    time.sleep(task.payload.get("seconds", 0))
    if task.payload.get("fail"):
        raise RuntimeError(task.payload["fail"])
    return '{"handled": true}'


class Heartbeat:
    """Extends the lease every third of its length, on a connection of its own."""

    def __init__(self, task):
        self.task, self.lost, self.done = task, threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self.lost

    def __exit__(self, *exc):
        self.done.set()
        self.thread.join()

    def run(self):
        pause = self.task.lease.total_seconds() / 3
        while not self.done.wait(pause):
            try:
                with psycopg.connect(autocommit=True) as conn:
                    row = conn.execute("SELECT goque_heartbeat(%s, %s)", (self.task.id, self.task.token)).fetchone()
                if row[0] is None:
                    self.lost.set()
                    return
            except psycopg.OperationalError as error:
                print(f"heartbeat: {error}", file=sys.stderr)


def finish(conn, task):
    try:
        with Heartbeat(task) as lost:
            result = handle(task, lost)
    except Exception as error:  # pylint: disable=broad-except
        message = f"{type(error).__name__}: {error}"
        conn.execute("SELECT goque_fail(%s, %s, %s)", (task.id, message, task.token))
        return
    mine = conn.execute("SELECT goque_complete(%s, %s, %s)", (task.id, task.token, result)).fetchone()[0]
    if not mine:
        print(f"task {task.id} was no longer ours", file=sys.stderr)


def serve(conn, task_type):
    while not stop.is_set():
        cursor = conn.cursor(row_factory=namedtuple_row)
        for task in cursor.execute("SELECT * FROM goque_fetch(%s, wait => '5 s')", (task_type,)).fetchall():
            finish(conn, task)


def main():
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        try:
            with psycopg.connect(autocommit=True, application_name="worker.py") as conn:
                serve(conn, sys.argv[1])
        except psycopg.OperationalError as error:  # the server is away: come back
            print(error, file=sys.stderr)
            stop.wait(2)


if __name__ == "__main__":
    main()

"""The private server: databases, restarts, processor time, a standby."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import psycopg2

TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """bench/run made and started it; it may be restarted with other settings."""

    def __init__(self):
        self.work = Path(os.environ["WORK"])
        self.bindir = Path(os.environ["BENCH_BINDIR"])
        self.data = Path(os.environ["BENCH_DATA"])
        self.extra = ""
        (self.data / "bench.conf").write_text("")
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write("include 'bench.conf'\n")

    def connect(self, db="bench", autocommit=True):
        conn = psycopg2.connect(dbname=db, host=str(self.work), user="postgres", application_name="bench")
        conn.autocommit = autocommit
        return conn

    def query(self, sql, db="bench"):
        conn = self.connect(db)
        try:
            with conn.cursor() as cur:
                cur.execute(sql)
                return cur.fetchall() if cur.description else []
        finally:
            conn.close()

    def psql(self, path, db="bench", **variables):
        args = [self.bindir / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", db, "-f", path]
        for name, value in variables.items():
            args += ["-v", f"{name}={value}"]
        done = subprocess.run(args, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{path}: {done.stderr.strip()}")
        return done.stdout

    def fresh_database(self, synchronous_commit):
        self.query("DROP DATABASE IF EXISTS bench WITH (FORCE)", "postgres")
        self.query("CREATE DATABASE bench", "postgres")
        self.query(f"ALTER DATABASE bench SET synchronous_commit = {synchronous_commit}", "postgres")

    def pg_ctl(self, *args):
        subprocess.run([self.bindir / "pg_ctl", "-s", "-w", "-t", "120", "-D", self.data, "-l",
                        self.data.parent / "server.log", *args], check=True, stdout=subprocess.DEVNULL)

    def configure(self, extra):
        """Restarts the server unless it has these settings already."""
        if extra == self.extra:
            return
        (self.data / "bench.conf").write_text(extra)
        self.extra = extra
        self.restart("fast")

    def restart(self, mode):
        self.pg_ctl("restart", "-m", mode)

    def postmaster(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def cpu_seconds(self):
        """Of the postmaster, its children, and those that have ended."""
        parent = self.postmaster()
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return cpu_of(parent) + sum(cpu_of(int(c)) for c in children)

    def settings(self):
        return self.query("SELECT name, setting || coalesce(unit, '') FROM pg_settings"
                          " WHERE source IN ('configuration file', 'command line')"
                          " AND name !~ 'path|destdir|directories|lc_|log_|DateStyle|TimeZone|default_text' ORDER BY name", "postgres")

    def start_standby(self):
        """A standby with hot_standby_feedback; returns how to end it, and its connect()."""
        copy = self.work / "standby"
        shutil.rmtree(copy, ignore_errors=True)
        subprocess.run([self.bindir / "pg_basebackup", "-D", copy, "-R", "-c", "fast", "-X", "stream"], check=True)
        sockets = self.work / "standby.sockets"
        sockets.mkdir(exist_ok=True)
        with open(copy / "postgresql.auto.conf", "a") as conf:
            conf.write(f"hot_standby_feedback = on\nunix_socket_directories = '{sockets}'\nwal_receiver_status_interval = 1\n")
        ctl = [self.bindir / "pg_ctl", "-s", "-w", "-D", copy, "-l", self.work / "standby.log"]
        subprocess.run([*ctl, "start"], check=True, stdout=subprocess.DEVNULL)

        def stop():
            subprocess.run([*ctl, "stop", "-m", "immediate"], check=False)
            shutil.rmtree(copy, ignore_errors=True)

        return stop, lambda: psycopg2.connect(dbname="bench", host=str(sockets), user="postgres")


def cpu_of(pid):
    """Seconds of a process and its children that have ended; 0: it has ended itself."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return sum(int(f) for f in re.sub(r"^.*\) ", "", text).split()[11:15]) / TICKS

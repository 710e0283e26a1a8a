"""A contender: a folder of bench/contenders.  bench/README.md tells what is in it."""
import configparser
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ROOT / "contenders"
LIBRARY_ABILITIES = {"rate", "depth"}


class Skipped(Exception):
    """This contender cannot do that; the message says why."""


class Contender:
    def __init__(self, name):
        self.name = name
        self.folder = FOLDERS / name
        ini = configparser.ConfigParser(interpolation=None)
        if not ini.read(self.folder / "contender.ini"):
            raise SystemExit(f"bench/run: no contender {name}: there is no {self.folder}/contender.ini")
        self.conf = ini["contender"]
        self.title = self.conf["title"]
        self.kind = self.conf["kind"]
        self.abilities = set(self.conf.get("can", "").split())
        if self.kind == "sql":
            self.abilities |= {"batch", "cycle", "processes"}
        self.folders = [self.folder] + [FOLDERS / f for f in self.conf.get("like", "").split()]
        self.version = "?"
        self.sql_folder = None

    def file(self, name):
        """The path of a file of this contender or of the one that it is like; None: it has none."""
        return next((f / name for f in self.folders if (f / name).exists()), None)

    def text(self, name):
        path = self.file(name)
        return path.read_text() if path else None

    def environment(self, server, **more):
        cache = Path(os.environ["BENCH_CACHE"]) / self.name
        cache.mkdir(parents=True, exist_ok=True)
        env = dict(os.environ, PGDATABASE="bench", PGHOST=str(server.work), PGUSER="postgres",
                   BENCH_CACHE=str(cache), BENCH_BINDIR=str(server.bindir), BENCH_FOLDER=str(self.folder))
        env.update({k: str(v) for k, v in more.items() if v is not None})
        return env

    def call(self, server, what, seconds, **more):
        """The contender's own driver: install, version or prepare."""
        done = subprocess.run([self.folder / "driver", what], env=self.environment(server, **more), cwd=self.folder,
                              capture_output=True, text=True, timeout=seconds)
        if done.returncode:
            raise Skipped(f"{what} failed: {(done.stderr or done.stdout).strip()[-300:]}")
        return done.stdout.strip()

    def install(self, server):
        """Once a run, before anything else; raises Skipped."""
        if self.kind == "driver":
            self.call(server, "install", 900)
            self.version = self.call(server, "version", 60)
            return
        # one folder with all the files, those of "like" too, for the SQL driver
        self.sql_folder = server.work / "sql" / self.name
        self.sql_folder.mkdir(parents=True, exist_ok=True)
        for folder in reversed(self.folders):
            for path in folder.glob("*.sql"):
                (self.sql_folder / path.name).write_text(path.read_text())
        server.fresh_database("on")
        self.prepare(server)
        self.version = server.query(self.conf["version"])[0][0]

    def prepare(self, server):
        """Its tables, in a fresh database."""
        if self.kind == "driver":
            self.call(server, "prepare", 120)
            return
        try:
            server.psql(self.file("schema.sql"))
        except RuntimeError as e:
            raise Skipped(str(e)) from e

    def command(self):
        return [os.environ["BENCH_DRIVER"]] if self.kind == "sql" else [self.folder / "driver", "run"]

    def start(self, server, **options):
        """A driver process whose standard output is the stream of records."""
        env = self.environment(server, PGOPTIONS=self.conf.get("pgoptions"), BENCH_SQL=self.sql_folder, BENCH_POLL_MS=self.conf.get("poll_ms"),
                               **{f"BENCH_{k.upper()}": v for k, v in options.items()})
        return subprocess.Popen(self.command(), env=env, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)

    def plans(self, server):
        """(statement, plan, is it good) for the statements whose plan must use an index."""
        found = []
        for name in self.conf.get("index_plans", "").split():
            sql = self.text(name + ".sql").strip().rstrip(";")
            names = ["id", "ids", "token", "tokens", "n", "type", "lease"]
            used = []
            for word in sorted(names, key=len, reverse=True):
                if f":{word}" in sql.replace("::", "  "):
                    used.append(word)
                    sql = sql.replace("::", "\0").replace(f":{word}", f"${len(used)}").replace("\0", "::")
            values = {"id": "'1'", "ids": "'{1,2,3}'", "token": "'1'", "tokens": "'{1,1,1}'", "n": "'100'", "type": "'bench'", "lease": "'30 s'"}
            conn = server.connect()
            with conn.cursor() as cur:
                for setting in self.conf.get("pgoptions", "").replace("-c", " ").split():
                    cur.execute("SET " + setting)
                cur.execute("SET plan_cache_mode = force_generic_plan")
                cur.execute(f"PREPARE s AS {sql}")
                arguments = f"({', '.join(values[u] for u in used)})" if used else ""
                cur.execute(f"EXPLAIN EXECUTE s{arguments}")
                plan = "\n".join(r[0] for r in cur.fetchall())
            conn.close()
            found.append((name, plan, "Seq Scan" not in plan))
        return found


def all_names():
    return sorted(p.parent.name for p in FOLDERS.glob("*/contender.ini"))

import asyncio
import os
import sys
from dataclasses import dataclass

import awa
import bench_client as bench

URL = f"postgresql://postgres@localhost/{os.environ['PGDATABASE']}?host={os.environ['PGHOST']}"


@dataclass
class Task:
    n: int
    t: int
    x: str


class Queue:
    async def connect(self):
        self.client = awa.AsyncClient(URL, max_connections=max(bench.WORKERS, bench.PRODUCERS) + 10)

    async def add(self, payloads):
        if len(payloads) == 1:
            await self.client.insert(Task(**payloads[0]), queue="bench")
        else:
            await self.client.enqueue_many_copy([Task(**p) for p in payloads], queue="bench")

    async def start(self, handle):
        @self.client.task(Task, queue="bench")
        async def work(job):
            await handle({"n": job.args.n, "t": job.args.t})

        await self.client.start([("bench", bench.WORKERS * bench.BATCH)], poll_interval_ms=50)

    async def stop(self):
        if bench.WORKERS:
            await self.client.shutdown(5000)


async def prepare():
    client = awa.AsyncClient(URL)
    await client.migrate()

    # the first worker of a new database switches it to the queue storage
    @client.task(Task, queue="bench")
    async def work(_job):
        pass

    await client.start([("bench", 1)])
    await asyncio.sleep(0.5)
    await client.shutdown(5000)


if sys.argv[1] == "prepare":
    asyncio.run(prepare())
else:
    bench.run(Queue())

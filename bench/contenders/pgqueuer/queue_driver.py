import asyncio
import json
import sys

import asyncpg
import bench_client as bench
import uvloop
from pgqueuer.db import AsyncpgDriver
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries


class Queue:
    async def connect(self):
        connections = [await asyncpg.connect() for _ in range(max(bench.PRODUCERS, 1))]
        self.free = [Queries(AsyncpgDriver(c)) for c in connections]

    async def add(self, payloads):
        queries = self.free.pop()
        try:
            if len(payloads) == 1:
                await queries.enqueue("bench", json.dumps(payloads[0]).encode())
            else:
                n = len(payloads)
                await queries.enqueue(["bench"] * n, [json.dumps(p).encode() for p in payloads], [0] * n)
        finally:
            self.free.append(queries)

    async def start(self, handle):
        self.manager = QueueManager(Queries(AsyncpgDriver(await asyncpg.connect())))

        @self.manager.entrypoint("bench")
        async def work(job):
            await handle(json.loads(job.payload))

        self.task = asyncio.create_task(self.manager.run(batch_size=min(10 * bench.WORKERS, 100)))

    async def stop(self):
        if bench.WORKERS:
            self.manager.shutdown.set()
            done, _ = await asyncio.wait([self.task], timeout=10)
            for task in done:
                if task.exception():
                    print(f"run: {task.exception()!r}", file=sys.stderr)


async def prepare():
    await Queries(AsyncpgDriver(await asyncpg.connect())).install()


uvloop.install()
if sys.argv[1] == "prepare":
    asyncio.run(prepare())
else:
    bench.run(Queue())

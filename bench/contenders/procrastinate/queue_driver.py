import asyncio
import sys

import bench_client as bench
from queue_app import app, task

class Queue:
    async def connect(self):
        await app.open_async()

    async def add(self, payloads):
        if len(payloads) == 1:
            await task.defer_async(**payloads[0])
        else:
            await task.batch_defer_async(*payloads)

    async def start(self, _handle):
        self.worker = asyncio.create_task(app.run_worker_async(
            queues=["bench"], concurrency=bench.WORKERS, delete_jobs="successful", install_signal_handlers=False, shutdown_graceful_timeout=3))

    async def stop(self):
        if bench.WORKERS:
            self.worker.cancel()
            await asyncio.wait([self.worker], timeout=5)


async def prepare():
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


if sys.argv[1] == "prepare":
    asyncio.run(prepare())
else:
    bench.run(Queue())

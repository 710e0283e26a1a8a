"""For drivers in Python: options, producers, records.  The protocol is in bench/README.md.

A driver gives run() an object with coroutines connect(), add(payloads), start(handle), stop();
handle(payload) is the work of a task, and records it when it returns.
"""
import array
import asyncio
import json
import os
import sys
import time


def option(name, default=0):
    return float(os.environ.get("BENCH_" + name) or default)


WORKERS, PRODUCERS, BATCH, TASKS, DEPTH, FIRST = (int(option(n, d)) for n, d in (
    ("WORKERS", 0), ("PRODUCERS", 0), ("BATCH", 1), ("TASKS", 0), ("DEPTH", 1000), ("FIRST", 0)))
SECONDS, RATE, DRAIN, WORK = option("SECONDS"), option("RATE"), option("DRAIN"), option("WORK_MS") / 1000
FILLER = "0" * max(int(option("PAYLOAD", 100)) - 50, 1)
QUIET = option("QUIET", 1)


def now():
    return time.time() * 1e6


class Stream:
    def __init__(self):
        self.buffer = array.array("d")
        self.added = self.done = 0
        self.next = FIRST
        self.last = now()
        self.begun = None

    def record(self, n, added, started=0.0, finished=0.0):
        self.buffer.extend((n, added, started, finished, 0.0))
        if len(self.buffer) >= 500:
            self.flush()

    def finished(self, payload, started):
        """payload: the dict that was added."""
        self.last = now()
        self.done += 1
        self.record(payload["n"], payload["t"], started, self.last)

    def flush(self):
        sys.stdout.buffer.write(self.buffer.tobytes())
        sys.stdout.buffer.flush()
        self.buffer = array.array("d")

    def payloads(self, count, at):
        first, self.next = self.next, self.next + count
        return [{"n": n, "t": int(at), "x": FILLER} for n in range(first, first + count)]


stream = Stream()


async def add(queue, count, at):
    some = stream.payloads(count, at)
    try:
        await queue.add(some)
        stream.added += count
    except Exception as e:
        print(f"add: {e!r}", file=sys.stderr)
        for payload in some:
            stream.record(-2, payload["n"])


async def produce(queue, number, end):
    if TASKS:
        while (left := FIRST + TASKS - stream.next) > 0:
            await add(queue, min(BATCH, left), now())
        return
    k = number
    while True:
        if RATE:
            at = stream.begun + k * 1e6 / RATE
            k += PRODUCERS
            if at >= end:
                return
            await asyncio.sleep(max(at - now(), 0) / 1e6)
            await add(queue, 1, at)
        elif now() >= end:
            return
        elif FIRST + stream.added - stream.done < DEPTH:
            await add(queue, BATCH, now())
        else:
            await asyncio.sleep(0.001)


async def flusher():
    while True:
        await asyncio.sleep(0.1)
        stream.flush()


async def handle(payload):
    started = now()
    if WORK:
        await asyncio.sleep(WORK)
    stream.finished(payload, started)


async def main(queue):
    await queue.connect()
    stream.begun = stream.last = now()
    end = stream.begun + SECONDS * 1e6
    stream.record(-3, stream.begun)
    stream.flush()
    tasks = [asyncio.create_task(flusher())]
    if WORKERS:
        await queue.start(handle)
    await asyncio.gather(*(produce(queue, i, end) for i in range(PRODUCERS)))
    stream.last = now()
    while WORKERS and now() < end + DRAIN * 1e6 and FIRST + stream.added > stream.done and now() - stream.last < QUIET * 1e6:
        await asyncio.sleep(0.02)
    stream.record(-1, stream.added)
    stream.flush()
    for task in tasks:
        task.cancel()
    await queue.stop()
    stream.flush()
    os._exit(0)


def run(queue):
    asyncio.run(main(queue))


def dumps(payload):
    return json.dumps(payload)

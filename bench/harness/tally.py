"""What became of the tasks: counts, latencies, lost and doubled ones, from the drivers' records."""
import threading

import numpy as np

RECORD = 5  # doubles: number, added, started, finished, length of the fetch
BINS_PER_DECADE = 50
BINS = 9 * BINS_PER_DECADE  # 1 us to 1,000 s
BLOCK = 10 ** 8  # numbers of tasks of one adding process


def histogram(us):
    index = (np.log10(np.maximum(us, 1.0)) * BINS_PER_DECADE).astype(np.int64)
    return np.bincount(np.minimum(index, BINS - 1), minlength=BINS)


def percentile(bins, p):
    """In milliseconds; the bin's upper bound.  None: nothing was counted."""
    total = bins.sum()
    if total == 0:
        return None
    at = int(np.searchsorted(np.cumsum(bins), total * p / 100.0))
    return 10 ** ((min(at, BINS - 1) + 1) / BINS_PER_DECADE) / 1000.0


class Tally:
    def __init__(self, server_time):
        self.lock = threading.Lock()
        self.start = server_time  # until the first driver says when it began
        self.begun = False
        self.seconds = 0
        self.done = np.zeros(64, np.int64)
        self.latency = np.zeros((64, BINS), np.int64)
        self.fetch = np.zeros((64, BINS), np.int64)
        self.blocks = {}
        self.in_doubt = {}
        self.acked = self.refused = self.failures = self.unnumbered = 0

    def take(self, data):
        """Bytes of whole records."""
        rows = np.frombuffer(data, "<f8").reshape(-1, RECORD)
        with self.lock:
            control = rows[rows[:, 0] < 0]
            for row in control:
                self.take_control(int(row[0]), row[1])
            if len(control) < len(rows):
                self.take_tasks(rows[rows[:, 0] >= 0])

    def take_control(self, kind, value):
        if kind == -1:
            self.acked += int(value)
        elif kind == -2:
            self.in_doubt.setdefault(int(value) // BLOCK, []).append(int(value) % BLOCK)
        elif kind == -3 and not self.begun:
            self.start, self.begun = value, True
        elif kind == -4:
            self.refused += int(value)
        elif kind == -5:
            self.failures += int(value)
        elif kind == -9:
            self.unnumbered += 1

    def take_tasks(self, rows):
        second = np.maximum((rows[:, 3] - self.start) // 1000000, 0).astype(np.int64)
        self.grow(int(second.max()))
        np.add.at(self.done, second, 1)
        for s in np.unique(second):
            some = rows[second == s]
            self.latency[s] += histogram(some[:, 2] - some[:, 1])
            timed = some[some[:, 4] > 0]
            if len(timed):
                self.fetch[s] += histogram(timed[:, 4])
        number = rows[:, 0].astype(np.int64)
        for block in np.unique(number // BLOCK):
            self.mark(int(block), number[number // BLOCK == block] % BLOCK)

    def mark(self, block, numbers):
        counts = self.blocks.get(block, np.zeros(1 << 16, np.uint8))
        while len(counts) <= numbers.max():
            counts = np.concatenate([counts, np.zeros_like(counts)])
        np.add.at(counts, numbers, 1)
        self.blocks[block] = counts

    def mark_once(self, number):
        block, number = divmod(number, BLOCK)
        counts = self.blocks.get(block)
        if counts is None or number >= len(counts) or counts[number] == 0:
            self.mark(block, np.array([number]))

    def grow(self, second):
        self.seconds = max(self.seconds, second + 1)
        while len(self.done) <= second:
            self.done = np.concatenate([self.done, np.zeros_like(self.done)])
            self.latency = np.concatenate([self.latency, np.zeros_like(self.latency)])
            self.fetch = np.concatenate([self.fetch, np.zeros_like(self.fetch)])

    def total(self):
        with self.lock:
            return int(self.done.sum())

    def distinct(self):
        return sum(int((b > 0).sum()) for b in self.blocks.values())

    def doubled(self):
        return sum(int((b > 1).sum()) for b in self.blocks.values())

    def doubtful_done(self):
        """Tasks whose adding got no answer, and that were done."""
        found = 0
        for block, numbers in self.in_doubt.items():
            seen = self.blocks.get(block, np.zeros(1, np.uint8))
            found += sum(1 for n in numbers if n < len(seen) and seen[n])
        return found

    def window(self, first, last):
        """Rate and latencies of the whole seconds from first to before last."""
        with self.lock:
            first, last = int(first), max(int(last), int(first) + 1)
            self.grow(last)
            latency, fetch = self.latency[first:last].sum(0), self.fetch[first:last].sum(0)
            return {
                "tasks_s": float(self.done[first:last].sum()) / (last - first),
                "start_p50": percentile(latency, 50), "start_p95": percentile(latency, 95),
                "start_p99": percentile(latency, 99), "fetch_p99": percentile(fetch, 99),
                "latency": latency,
            }

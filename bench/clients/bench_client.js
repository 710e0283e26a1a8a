// For drivers in JavaScript: options, producers, records.  The protocol is in bench/README.md.
// A driver gives run() an object with async connect(), add(payloads), start(), stop(); it calls
// handle(payload) for the work of a task, or finished(payload, started) when that is done.
"use strict";
const fs = require("fs");

const option = (name, otherwise = 0) => Number(process.env["BENCH_" + name] || otherwise);
const opt = {
  workers: option("WORKERS"), producers: option("PRODUCERS"), batch: option("BATCH", 1), tasks: option("TASKS"),
  depth: option("DEPTH", 1000), first: option("FIRST"), seconds: option("SECONDS"), rate: option("RATE"),
  drain: option("DRAIN"), quiet: option("QUIET", 1), work: option("WORK_MS"), filler: "0".repeat(Math.max(option("PAYLOAD", 100) - 50, 1)),
};
const now = () => (performance.timeOrigin + performance.now()) * 1000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const PER_BUFFER = 100;
const buffer = new Float64Array(PER_BUFFER * 5);
const state = { used: 0, added: 0, done: 0, next: opt.first, last: now(), begun: 0, ended: false };

function flush() {
  const bytes = Buffer.from(buffer.buffer, 0, state.used * 8);
  for (let at = 0; at < bytes.length;) at += fs.writeSync(1, bytes, at);
  state.used = 0;
}

function record(n, added, started = 0, finished = 0) {
  buffer.set([n, added, started, finished, 0], state.used);
  state.used += 5;
  if (state.used === buffer.length) flush();
}

function finished(payload, started) {
  state.last = now();
  state.done++;
  record(payload.n, payload.t, started, state.last);
}

async function handle(payload) {
  const started = now();
  if (opt.work) await sleep(opt.work);
  finished(payload, started);
}

async function add(queue, count, at) {
  const payloads = [];
  for (let i = 0; i < count; i++) payloads.push({ n: state.next++, t: Math.round(at), x: opt.filler });
  try {
    await queue.add(payloads);
    state.added += count;
  } catch (e) {
    console.error("add:", e.message);
    for (const p of payloads) record(-2, p.n);
  }
}

async function produce(queue, number, end) {
  if (opt.tasks) {
    for (let left; (left = opt.first + opt.tasks - state.next) > 0;) await add(queue, Math.min(opt.batch, left), now());
    return;
  }
  for (let k = number; ; k += opt.producers) {
    if (opt.rate) {
      const at = state.begun + (k * 1e6) / opt.rate;
      if (at >= end) return;
      if (at > now()) await sleep((at - now()) / 1000);
      await add(queue, 1, at);
    } else if (now() >= end) return;
    else if (opt.first + state.added - state.done < opt.depth) await add(queue, opt.batch, now());
    else await sleep(1);
  }
}

async function run(queue) {
  await queue.connect();
  state.begun = state.last = now();
  const end = state.begun + opt.seconds * 1e6;
  record(-3, state.begun);
  flush();
  setInterval(flush, 100);
  if (opt.workers) await queue.start();
  await Promise.all(Array.from({ length: opt.producers }, (_, i) => produce(queue, i, end)));
  state.last = now();
  while (opt.workers && now() < end + opt.drain * 1e6 && opt.first + state.added > state.done && now() - state.last < opt.quiet * 1e6) await sleep(20);
  state.ended = true;
  record(-1, state.added);
  flush();
  await Promise.race([queue.stop(), sleep(5000)]);
  flush();
  process.exit(0);
}

module.exports = { opt, state, now, sleep, handle, finished, run };

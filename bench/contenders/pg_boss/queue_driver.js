"use strict";
const PgBoss = require("pg-boss");
const bench = require("../../clients/bench_client.js");

const boss = new PgBoss({
  host: process.env.PGHOST, user: process.env.PGUSER, database: process.env.PGDATABASE,
  max: bench.opt.workers + bench.opt.producers + 4, schedule: false,
});
boss.on("error", (e) => console.error(e.message));

async function loop() {
  while (!bench.state.ended) {
    const jobs = await boss.fetch("bench", { batchSize: bench.opt.batch });
    const started = bench.now();
    if (!jobs || jobs.length === 0) {
      await bench.sleep(20);
      continue;
    }
    if (bench.opt.work) await bench.sleep(bench.opt.work);
    await boss.complete("bench", jobs.map((j) => j.id));
    for (const job of jobs) bench.finished(job.data, started);
  }
}

const loops = [];

const queue = {
  connect: () => boss.start(),
  async add(payloads) {
    if (payloads.length === 1) await boss.send("bench", payloads[0]);
    else await boss.insert(payloads.map((data) => ({ name: "bench", data })));
  },
  async start() {
    for (let i = 0; i < bench.opt.workers; i++) {
      if (bench.opt.rate) await boss.work("bench", { pollingIntervalSeconds: 0.5, batchSize: 1 }, ([job]) => bench.handle(job.data));
      else loops.push(loop().catch((e) => console.error(e.message)));
    }
  },
  async stop() {
    // what is completed after a stop is not, and nobody is told
    await Promise.all(loops);
    await boss.stop({ graceful: true, timeout: 2000, wait: true });
  },
};

async function prepare() {
  await boss.start();
  await boss.createQueue("bench");
  await boss.stop({ graceful: false, wait: true });
}

if (process.argv[2] === "prepare") prepare().then(() => process.exit(0), (e) => { console.error(e.message); process.exit(1); });
else bench.run(queue);

"use strict";
const { Logger, makeWorkerUtils, run, runMigrations } = require("graphile-worker");
const { Pool } = require("pg");
const bench = require("../../clients/bench_client.js");

const quiet = new Logger(() => (level, message) => { if (level === "error") console.error(message); });
const pool = new Pool({ max: bench.opt.workers + bench.opt.producers + 4 });
pool.on("error", () => {});
pool.on("connect", (client) => client.on("error", () => {}));

const queue = {
  async connect() {
    this.utils = await makeWorkerUtils({ pgPool: pool, logger: quiet });
  },
  async add(payloads) {
    if (payloads.length === 1) await this.utils.addJob("bench", payloads[0]);
    else await this.utils.addJobs(payloads.map((payload) => ({ identifier: "bench", payload })));
  },
  async start() {
    this.runner = await run({
      pgPool: pool,
      logger: quiet,
      noHandleSignals: true,
      taskList: { bench: (payload) => bench.handle(payload) },
      preset: {
        worker: {
          concurrentJobs: bench.opt.batch > 1 ? Math.max(24, bench.opt.workers) : bench.opt.workers, maxPoolSize: bench.opt.workers + bench.opt.producers + 4,
          localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0,
        },
      },
    });
  },
  async stop() {
    if (this.runner) await this.runner.stop();
  },
};

if (process.argv[2] === "prepare") runMigrations({ pgPool: pool, logger: quiet }).then(() => process.exit(0), (e) => { console.error(e.message); process.exit(1); });
else bench.run(queue);

// worker.mjs TYPE [SLOTS]: a worker in Node.js with pg (npm install pg).
//
// One connection waits for tasks and hands them to up to SLOTS handlers at a time;
// a small pool does everything else.  SIGTERM lets it finish what it has and stop,
// within 5 seconds plus the tasks.  PGHOST, PGDATABASE and so on say where.
import pg from 'pg';

const type = process.argv[2] ?? 'email';
const slots = Number(process.argv[3] ?? 8);
const pool = new pg.Pool({ max: 4, application_name: 'worker.mjs' });
pool.on('error', (error) => console.error(error.message));
let stopping = false;
const running = new Set();

// The work.  Throw to have it tried again; `signal` is aborted when the task is no
// longer ours.
async function handle(task, signal) {
  console.log(`task ${task.id}, attempt ${task.attempt}: ${JSON.stringify(task.payload)}`);
  await pause((task.payload.seconds ?? 0) * 1000);
  if (task.payload.fail) throw new Error(task.payload.fail);
  return { handled: true };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// pg gives bigint as a string, which goes back into the next call as it is.
async function ask(sql, ...values) {
  return Object.values((await pool.query(sql, values)).rows[0])[0];
}

function heartbeat(task, lost) {
  return setInterval(async () => {
    try {
      if ((await ask('SELECT goque_heartbeat($1, $2)', task.id, task.token)) === null) lost.abort();
    } catch (error) {
      console.error(error.message);
    }
  }, task.lease_ms / 3);
}

async function run(task) {
  const lost = new AbortController();
  const timer = heartbeat(task, lost);
  try {
    const result = await handle(task, lost.signal);
    const mine = await ask('SELECT goque_complete($1, $2, $3)', task.id, task.token, JSON.stringify(result));
    if (!mine) console.error(`task ${task.id} was no longer ours`);
  } catch (error) {
    await ask('SELECT goque_fail($1, $2, $3)', task.id, String(error), task.token);
  } finally {
    clearInterval(timer);
  }
}

async function serve(waiter) {
  while (!stopping) {
    if (running.size >= slots) await Promise.race(running);
    const { rows } = await waiter.query(
      `SELECT *, extract(epoch FROM lease)::float8 * 1000 AS lease_ms
         FROM goque_fetch($1, max_tasks => $2, wait => '5 s')`,
      [type, slots - running.size],
    );
    for (const task of rows) {
      const job = run(task)
        .catch((error) => console.error(error.message)) // the lease ends it
        .finally(() => running.delete(job));
      running.add(job);
    }
  }
}

for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => { stopping = true; });
while (!stopping) {
  const waiter = new pg.Client({ application_name: 'worker.mjs' });
  waiter.on('error', () => {}); // the query that runs then says so
  try {
    await waiter.connect();
    await serve(waiter);
  } catch (error) {
    console.error(error.message);
    await pause(2000);
  } finally {
    await waiter.end().catch(() => {});
  }
}
await Promise.all(running);
await pool.end();

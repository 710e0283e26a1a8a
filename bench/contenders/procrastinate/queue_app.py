"""The app apart from the program, as Procrastinate wants it."""
import bench_client as bench
import procrastinate

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo="", max_size=bench.WORKERS + bench.PRODUCERS + 4))


@app.task(name="bench", queue="bench")
async def task(n, t, x):
    await bench.handle({"n": n, "t": t})

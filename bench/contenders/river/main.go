// River, driven as bench/README.md tells.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

func option(name string, otherwise float64) float64 {
	v, err := strconv.ParseFloat(os.Getenv("BENCH_"+name), 64)
	if err != nil {
		return otherwise
	}
	return v
}

var (
	workers   = int(option("WORKERS", 0))
	producers = int(option("PRODUCERS", 0))
	batch     = int64(option("BATCH", 1))
	tasks     = int64(option("TASKS", 0))
	depth     = int64(option("DEPTH", 1000))
	first     = int64(option("FIRST", 0))
	seconds   = option("SECONDS", 0)
	rate      = option("RATE", 0)
	drain     = option("DRAIN", 0)
	quiet     = option("QUIET", 1)
	work      = time.Duration(option("WORK_MS", 0)) * time.Millisecond
	filler    = strings.Repeat("0", max(int(option("PAYLOAD", 100))-50, 1))

	next, added, done atomic.Int64
	last              atomic.Int64
	out               sync.Mutex
	buffer            []byte
)

func now() float64 { return float64(time.Now().UnixMicro()) }

func record(n, at, started, finished float64) {
	out.Lock()
	defer out.Unlock()
	for _, v := range []float64{n, at, started, finished, 0} {
		buffer = binary.LittleEndian.AppendUint64(buffer, math.Float64bits(v))
	}
	if len(buffer) >= 4000 {
		flushLocked()
	}
}

func flushLocked() {
	os.Stdout.Write(buffer)
	buffer = buffer[:0]
}

func flush() {
	out.Lock()
	defer out.Unlock()
	flushLocked()
}

type Task struct {
	N int64  `json:"n"`
	T int64  `json:"t"`
	X string `json:"x"`
}

func (Task) Kind() string { return "bench" }

type Worker struct {
	river.WorkerDefaults[Task]
}

func (Worker) Work(_ context.Context, job *river.Job[Task]) error {
	started := now()
	if work > 0 {
		time.Sleep(work)
	}
	record(float64(job.Args.N), float64(job.Args.T), started, now())
	done.Add(1)
	last.Store(time.Now().UnixMicro())
	return nil
}

func add(ctx context.Context, client *river.Client[pgx.Tx], count int64, at float64) {
	from := next.Add(count) - count
	var err error
	if count == 1 {
		_, err = client.Insert(ctx, Task{from, int64(at), filler}, nil)
	} else {
		params := make([]river.InsertManyParams, count)
		for i := range params {
			params[i].Args = Task{from + int64(i), int64(at), filler}
		}
		_, err = client.InsertManyFast(ctx, params)
	}
	if err == nil {
		added.Add(count)
		return
	}
	fmt.Fprintln(os.Stderr, "add:", err)
	for n := from; n < from+count; n++ {
		record(-2, float64(n), 0, 0)
	}
}

func produce(ctx context.Context, client *river.Client[pgx.Tx], k int, begun, end float64) {
	for {
		switch {
		case tasks > 0:
			left := first + tasks - next.Load()
			if left <= 0 {
				return
			}
			add(ctx, client, min(batch, left), now())
		case rate > 0:
			at := begun + float64(k)*1e6/rate
			if at >= end {
				return
			}
			k += producers
			time.Sleep(time.Duration(max(at-now(), 0)) * time.Microsecond)
			add(ctx, client, 1, at)
		case now() >= end:
			return
		case first+added.Load()-done.Load() < depth:
			add(ctx, client, batch, now())
		default:
			time.Sleep(500 * time.Microsecond)
		}
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, pool *pgxpool.Pool) {
	config := &river.Config{
		Logger:            slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		FetchCooldown:     time.Millisecond,
		FetchPollInterval: 50 * time.Millisecond,
	}
	if workers > 0 {
		config.Workers = river.NewWorkers()
		river.AddWorker(config.Workers, &Worker{})
		config.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers * int(batch)}}
	}
	client, err := river.NewClient(riverpgxv5.New(pool), config)
	fail(err)
	next.Store(first)
	begun := now()
	end := begun + seconds*1e6
	record(-3, begun, 0, 0)
	flush()
	if workers > 0 {
		fail(client.Start(ctx))
	}
	go func() {
		for range time.Tick(100 * time.Millisecond) {
			flush()
		}
	}()
	var group sync.WaitGroup
	for i := range producers {
		group.Add(1)
		go func() {
			defer group.Done()
			produce(ctx, client, i, begun, end)
		}()
	}
	group.Wait()
	last.Store(time.Now().UnixMicro())
	for workers > 0 && now() < end+drain*1e6 && first+added.Load() > done.Load() && now()-float64(last.Load()) < quiet*1e6 {
		time.Sleep(20 * time.Millisecond)
	}
	record(-1, float64(added.Load()), 0, 0)
	flush()
	if workers > 0 {
		stopping, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		client.Stop(stopping)
	}
	flush()
}

func main() {
	ctx := context.Background()
	config, err := pgxpool.ParseConfig("")
	fail(err)
	config.MaxConns = int32(workers + producers + 4)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	fail(err)
	if os.Args[1] == "prepare" {
		migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
		fail(err)
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		fail(err)
		return
	}
	run(ctx, pool)
}

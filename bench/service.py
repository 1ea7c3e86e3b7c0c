"""The measures of the service: what a trial, a report, a stop and a start cost."""

import contextlib
import functools
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import time

from harness import Measure, median, optuna_python, process_cpu_s, row, wait_until

OPTUNA_PROCESSES = 8
START_TRIALS, START_REPORTS = 100_000, 100  # a trial


def trials_per_s(bench):
    """Durable no-op trials per second against bare sockets, and the bare loop that commits before it replies."""
    n_trials = 4_000 if bench.quick else 20_000
    for workers in (2, 8, 64):
        noop, floor, commits = bench.in_turn(
            functools.partial(bench.program, "noop", ".", workers, n_trials),
            functools.partial(bench.program, "floor", ".", workers, n_trials),
            functools.partial(bench.program, "floor", ".", workers, n_trials, "commit"),
        )
        reference = median(floor, "trials_per_s")
        yield row(f"service.trials_per_s.{workers}", median(noop, "trials_per_s"), "1/s", reference,
                  ("ratio", ">=", 0.3))
        yield row(f"service.floor_with_commits.{workers}", median(commits, "trials_per_s"), "1/s", reference)


def cpu_per_trial(bench):
    """CPU of all processes for each durable no-op trial, 8 workers, against Optuna's on its two storages.

    The targets are against Optuna as it comes, whose sampler is TPE; what it takes with its random sampler stands beside it.
    """
    python = optuna_python(bench)
    script = bench.top / "bench/optuna_noop.py"
    kinds = [(storage, sampler) for storage in ("sqlite", "journal") for sampler in ("default", "random")]
    n_trials = 80 if bench.quick else 400  # a usual sweep; a trial of Optuna's costs more the more there are
    noop, *optuna = bench.in_turn(
        functools.partial(bench.program, "noop", ".", OPTUNA_PROCESSES, 4_000 if bench.quick else 20_000),
        *(functools.partial(bench.command, [python, script, ".", storage, sampler, OPTUNA_PROCESSES, n_trials])
          for storage, sampler in kinds),
        runs=1 if bench.quick else 3,
    )
    print(f"bench: Optuna is {optuna[0][0]['version']}", file=sys.stderr)
    targets = {("sqlite", "default"): ("ratio", "<=", 1 / 500), ("journal", "default"): ("ratio", "<=", 1 / 60)}
    for kind, results in zip(kinds, optuna):
        yield row(f"service.cpu_per_trial.optuna_{kind[0]}_{kind[1]}", median(noop, "cpu_us_per_trial"), "us",
                  median(results, "cpu_us_per_trial"), targets.get(kind))


def sync_ms(bench):
    """Median time of a write and fdatasync on the disk where the databases are."""
    times = []
    with open(bench.work / "sync", "wb", buffering=0) as file:
        for _ in range(50):
            begin = time.monotonic()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            times.append(1e3 * (time.monotonic() - begin))
    return {"ms": statistics.median(times)}


def gap(bench):
    """Idle time of a worker between two trials of 10 ms, 8 workers; the reference is one sync of the disk."""
    gaps, syncs = bench.in_turn(
        functools.partial(bench.program, "gap", ".", 8, 400 if bench.quick else 3_000),
        functools.partial(sync_ms, bench),
        runs=1 if bench.quick else 3,
    )
    sync = median(syncs, "ms")
    yield row("service.gap.median", median(gaps, "median_us") / 1e3, "ms", sync, ("value", "<", 0.3))
    yield row("service.gap.p99", median(gaps, "p99_us") / 1e3, "ms", sync, ("value", "<", 3))


def report(bench):
    """What prova_report costs its caller, and how many reports one driver stores."""
    (calls,) = bench.in_turn(functools.partial(bench.program, "report", ".", "cost", 500 if bench.quick else 2_000),
                             runs=1 if bench.quick else 3)
    yield row("service.report.median", median(calls, "median_ns"), "ns", None, ("value", "<", 150))
    (stored,) = bench.in_turn(
        functools.partial(bench.program, "report", ".", "stored", 2, 100_000 if bench.quick else 2_000_000),
        runs=1 if bench.quick else 3)
    yield row("service.reports_per_s", median(stored, "reports_per_s"), "1/s", median(stored, "bare_per_s"),
              ("ratio", ">=", 0.7))


def stop(bench):
    """From a report that warrants it to the stop flag in the training function."""
    (stops,) = bench.in_turn(functools.partial(bench.program, "stop_latency", ".", 20 if bench.quick else 200),
                             runs=1 if bench.quick else 3)
    yield row("service.stop.median", median(stops, "median_us") / 1e3, "ms", None, ("value", "<", 1))
    yield row("service.stop.p99", median(stops, "p99_us") / 1e3, "ms")


@contextlib.contextmanager
def started(bench, directory, *args):
    """A prova command in the background, until the block ends."""
    with open(directory / f"{args[0]}.log", "wb") as log:
        process = subprocess.Popen([bench.prova, *args], cwd=directory, env=bench.environment, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


IDLE_SWEEP = """\
name: idle
train: {command: [sleep, "%s"]}
parameters: {x: {min: 0.0, max: 1.0}}
search: random
limits: {trials: 1000}
seed: 1
"""


def n_sleeping(duration):
    wanted = b"sleep\0" + duration.encode() + b"\0"
    count = 0
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            count += path.read_bytes() == wanted
    return count


def heartbeat(bench):
    """CPU of the driver while 64 workers compute and only heartbeat, in percent of one core."""
    workers, here = 64, bench.directory()
    duration = f"{100_000 + os.getpid()}"
    (here / "idle.yaml").write_text(IDLE_SWEEP % duration)
    endpoint = "ipc://idle.ipc"
    with started(bench, here, "driver", "--listen", endpoint, "--db", "idle.db") as driver:
        subprocess.run([bench.prova, "submit", "idle.yaml", "--detach", "--driver", endpoint], cwd=here, env=bench.environment,
                       check=True, capture_output=True, timeout=60)
        with started(bench, here, "worker", "--driver", endpoint, "--slots", str(workers)):
            wait_until(lambda: n_sleeping(duration) == workers, f"{workers} trials under way")
            time.sleep(3)
            cpu, begin = process_cpu_s(driver.pid), time.monotonic()
            time.sleep(5 if bench.quick else 20)
            percent = 100 * (process_cpu_s(driver.pid) - cpu) / (time.monotonic() - begin)
    yield row("service.heartbeat_cpu.64", percent, "% of a core", None, ("value", "<", 1))


def growth(bench):
    """What a trial costs after 1,000 and after 100,000 others (a tenth of both when quick), and the driver's memory."""
    many, few = (10_000, 1_000) if bench.quick else (100_000, 1_000)
    (samples,) = bench.in_turn(functools.partial(bench.program, "noop", ".", 2, many + few, few),
                               runs=1 if bench.quick else 3)
    yield row(f"service.cpu_per_trial.after_{many}", median(samples, "cpu_us_late"), "us",
              median(samples, "cpu_us_early"), ("ratio", "<=", 1.2))
    yield row("service.memory_per_trial", median(samples, "bytes_per_trial"), "bytes", None, ("value", "<", 1024))


GROWN_SWEEP = """\
name: grown
train: {command: 'for i in $(seq %d); do echo "prova: step=$i objective=0.$i"; done'}
parameters: {x: {min: 0.0, max: 1.0}}
limits: {trials: 1}
seed: 1
"""


def grow_database(path, n_trials, n_reports):
    """Multiplies the one trial of a real database, and asks for more, so that a driver has something to restore."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        columns = [name for _, name, *_ in db.execute("PRAGMA table_info(trials)")]
        copied = {"id": "t.id - 1 + n", "number": "n", "params": "printf('{\"x\": %.17g}', n / 1000003.0)"}
        values = ", ".join(copied.get(name, f"t.{name}") for name in columns)
        counted = "WITH RECURSIVE c(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < ?) "
        db.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN")
        db.execute(f"{counted} INSERT INTO trials SELECT {values} FROM trials t, c", [n_trials])
        db.execute(f"{counted} INSERT INTO reports SELECT r.experiment, n, r.attempt, r.step, r.metric, r.value, r.time_ms "
                   "FROM c, reports r WHERE r.trial = 1", [n_trials])
        db.execute("UPDATE experiments SET state = 1, ended_ms = NULL, "
                   "spec_json = replace(spec_json, '\"trials\":1', '\"trials\":' || ?)", [2 * n_trials])
        db.execute("COMMIT")
        counts = db.execute("SELECT (SELECT count(*) FROM trials), (SELECT count(*) FROM reports)").fetchone()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if counts != (n_trials, n_trials * n_reports):
        raise RuntimeError(f"the database has {counts[0]} trials and {counts[1]} reports")


def start(bench):
    """From the start of a driver until it answers, with an experiment of 100,000 trials and 10 million reports to restore."""
    n_trials = START_TRIALS // 10 if bench.quick else START_TRIALS
    here = bench.directory()
    (here / "grown.yaml").write_text(GROWN_SWEEP % START_REPORTS)
    bench.command([bench.prova, "run", "grown.yaml", "--json", "--quiet", "--db", "grown.db"], here)
    grow_database(here / "grown.db", n_trials, START_REPORTS)
    program = [bench.binaries / "bench/bench_start", bench.prova, "ipc://start.ipc", "grown.db"]
    (starts,) = bench.in_turn(lambda: bench.command(program, here))
    shutil.rmtree(here, ignore_errors=True)
    yield row(f"service.start.{n_trials}_trials", median(starts, "seconds"), "s", None, ("value", "<", 2))


def digits(bench):
    """Digits: asynchronous workers with median stopping against batches without, the same 60 trials."""
    sweep = bench.top / "examples/digits/sweep.yaml"
    text = sweep.read_text()
    parameters = re.search(r"^parameters:\n((?: +.*\n)+)", text, re.M).group(1)
    seed = re.search(r"^seed: (\d+)", text, re.M).group(1)
    trials = 12 if bench.quick else 60
    program = bench.binaries / "examples/digits/digits_mlp"

    def asynchronous():
        here = bench.directory()
        done = bench.command([bench.prova, "run", sweep, "--json", "--quiet", "--workers", 2, "--db", "digits.db",
                              "--set", f"limits.trials={trials}"], here)
        shutil.rmtree(here, ignore_errors=True)
        return {"seconds": done["seconds"], "best": done["best"]["value"]}

    def synchronous():
        return bench.program("bulk", parameters, seed, 2, trials, program)

    fast, slow = bench.in_turn(asynchronous, synchronous, runs=1)
    yield row("service.digits.seconds", median(fast, "seconds"), "s", median(slow, "seconds"), ("ratio", "<=", 0.67))
    yield row("service.digits.best", median(fast, "best"), "accuracy", median(slow, "best"), ("ratio", ">=", 0.99))


MEASURES = [
    Measure("service.trials_per_s", trials_per_s),
    Measure("service.cpu_per_trial", cpu_per_trial),
    Measure("service.growth", growth),
    Measure("service.gap", gap),
    Measure("service.report", report),
    Measure("service.stop", stop),
    Measure("service.heartbeat_cpu", heartbeat),
    Measure("service.start", start),
    Measure("service.digits", digits),
]

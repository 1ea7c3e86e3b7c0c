"""The measures of the Python wrapper, against Optuna in the same run where it can be had."""

import functools
import resource
import subprocess
import sys

from harness import Measure, Skip, has_module, median, optuna_python, row


def interpreter(bench):
    """A python3 that has cloudpickle."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        if has_module(candidate, "cloudpickle"):
            return candidate
    raise Skip("no python3 has cloudpickle (Debian: python3-cloudpickle)")


def inside(bench, *words):
    bench.environment["PYTHONPATH"] = str(bench.top / "sdk/python")
    bench.environment["PROVA_LIBRARY"] = str(bench.binaries / "sdk/libprova.so.0")
    return bench.command([interpreter(bench), "-B", bench.top / "bench/python_measure.py", *words])


def report(bench):
    (runs,) = bench.in_turn(functools.partial(inside, bench, "report"))
    yield row("python.report", median(runs, "ns"), "ns", None, ("value", "<", 1500))


def first_trial(bench):
    (runs,) = bench.in_turn(functools.partial(inside, bench, "first"))
    yield row("python.first_trial", median(runs, "ms"), "ms", None, ("value", "<", 300))


def import_cost(bench):
    """CPU and all: what `import prova` takes more than python3 alone."""
    python = interpreter(bench)
    environment = {**bench.environment, "PYTHONPATH": str(bench.top / "sdk/python")}

    def once(code):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([python, "-c", code], env=environment, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {"ms": 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)}

    bare, ours, used = bench.in_turn(functools.partial(once, "pass"), functools.partial(once, "import prova"),
                                     functools.partial(once, "import prova; prova.lagom"), runs=3 * bench.runs)
    yield row("python.import", max(median(ours, "ms") - median(bare, "ms"), 0), "ms", None, ("value", "<", 40))
    yield row("python.import.lagom", max(median(used, "ms") - median(bare, "ms"), 0), "ms")


def noop(bench):
    optuna, script = optuna_python(bench), bench.top / "bench/optuna_noop.py"
    n_trials = 200 if bench.quick else 400
    ours, journal = bench.in_turn(
        functools.partial(inside, bench, "noop", 10 * n_trials),
        functools.partial(bench.command, [optuna, script, ".", "journal", "default", 8, n_trials // 8]),
        runs=1 if bench.quick else 3)
    yield row("python.noop.optuna_journal", median(ours, "trials_per_s"), "1/s", median(journal, "trials_per_s"),
              ("ratio", ">=", 50))


def ask(bench):
    optuna, script = optuna_python(bench), bench.top / "bench/optuna_ask.py"
    ours, theirs = bench.in_turn(
        functools.partial(inside, bench, "ask", 1000, 100),
        functools.partial(bench.command, [optuna, script, "tpe", "doubles", 1000, 10]), runs=1 if bench.quick else 3)
    yield row("python.ask.tpe.1000", median(ours, "us"), "us", median(theirs, "us"), ("ratio", "<=", 1 / 50))


def sklearn(bench):
    if not has_module(interpreter(bench), "sklearn"):
        raise Skip(f"{interpreter(bench)} has no scikit-learn (Debian: python3-sklearn)")
    (runs,) = bench.in_turn(functools.partial(inside, bench, "sklearn", 10 if bench.quick else 60), runs=1 if bench.quick else 3)
    yield row("python.sklearn.wall", median(runs, "wall_s"), "s", median(runs, "ideal_s"), ("ratio", "<=", 1.05))


MEASURES = [
    Measure("python.report", report),
    Measure("python.first_trial", first_trial),
    Measure("python.import", import_cost),
    Measure("python.noop", noop),
    Measure("python.ask", ask),
    Measure("python.sklearn", sklearn),
]

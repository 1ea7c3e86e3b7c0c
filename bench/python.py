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


def prepare(bench):
    """Where prova is found, compiled once as an installed package is."""
    bench.environment["PYTHONPATH"] = str(bench.top / "sdk/python")
    bench.environment["PROVA_LIBRARY"] = str(bench.binaries / "sdk/libprova.so.0")
    bench.environment["PYTHONDONTWRITEBYTECODE"] = ""
    if "PYTHONPYCACHEPREFIX" not in bench.environment:
        bench.environment["PYTHONPYCACHEPREFIX"] = str(bench.work / "bytecode")
        inside(bench, "noop", 1)


def inside(bench, *words):
    prepare(bench)
    return bench.command([interpreter(bench), bench.top / "bench/python_measure.py", *words])


def report(bench):
    (runs,) = bench.in_turn(functools.partial(inside, bench, "report"))
    yield row("python.report", median(runs, "ns"), "ns", None, ("value", "<", 1500))


def first_trial(bench):
    (runs,) = bench.in_turn(functools.partial(inside, bench, "first"))
    yield row("python.first_trial", median(runs, "ms"), "ms", None, ("value", "<", 300))


def import_cost(bench):
    """CPU and all: what `import prova` takes more than python3 alone."""
    python = interpreter(bench)
    prepare(bench)

    def once(code):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([python, "-c", code], env=bench.environment, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {"ms": 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)}

    bare, ours, used = bench.in_turn(functools.partial(once, "pass"), functools.partial(once, "import prova"),
                                     functools.partial(once, "import prova; prova.lagom"), runs=3 * bench.runs)
    yield row("python.import", max(median(ours, "ms") - median(bare, "ms"), 0), "ms", None, ("value", "<", 40))
    yield row("python.import.lagom", max(median(used, "ms") - median(bare, "ms"), 0), "ms")


def noop(bench):
    """Eight processes of ours, durable, against eight of Optuna's on a journal file and one without any storage."""
    optuna, script = optuna_python(bench), bench.top / "bench/optuna_noop.py"
    n_trials = 200 if bench.quick else 400

    def theirs(kind, sampler, n_processes):
        return bench.command([optuna, script, ".", kind, sampler, n_processes, n_trials // n_processes])

    rivals = {"journal": ("default", 8, 50), "memory": ("default", 1, 3), "memory_random": ("random", 1, None)}
    ours, *runs = bench.in_turn(
        functools.partial(inside, bench, "noop", 10 * n_trials),
        *[functools.partial(theirs, name.partition("_")[0], sampler, n) for name, (sampler, n, _) in rivals.items()],
        runs=1 if bench.quick else 3)
    for (name, (_, _, target)), their in zip(rivals.items(), runs):
        yield row(f"python.noop.optuna_{name}", median(ours, "trials_per_s"), "1/s", median(their, "trials_per_s"),
                  target and ("ratio", ">=", target))


def ask(bench):
    optuna, script = optuna_python(bench), bench.top / "bench/optuna_ask.py"
    ours, theirs = bench.in_turn(
        functools.partial(inside, bench, "ask", 1000, 100),
        functools.partial(bench.command, [optuna, script, "tpe", "doubles", 1000, 10]), runs=1 if bench.quick else 3)
    yield row("python.ask.tpe.1000", median(ours, "us"), "us", median(theirs, "us"), ("ratio", "<=", 1 / 50))


def sklearn(bench):
    if not has_module(interpreter(bench), "sklearn"):
        raise Skip(f"{interpreter(bench)} has no scikit-learn (Debian: python3-sklearn)")
    n_trials, n_runs = (10, 1) if bench.quick else (60, 3)
    (runs,) = bench.in_turn(functools.partial(inside, bench, "sklearn", n_trials), runs=n_runs)
    yield row("python.sklearn.wall", median(runs, "wall_s"), "s", median(runs, "ideal_s"), ("ratio", "<=", 1.05))


MEASURES = [
    Measure("python.report", report),
    Measure("python.first_trial", first_trial),
    Measure("python.import", import_cost),
    Measure("python.noop", noop),
    Measure("python.ask", ask),
    Measure("python.sklearn", sklearn),
]

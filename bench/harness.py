"""What the measures of bench/run share: running programs, medians, and rows of the table."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Callable

TIMEOUT_S = 600


class Skip(Exception):
    """A measure cannot be taken here; the text says why."""


@dataclasses.dataclass(frozen=True)
class Measure:
    name: str
    run: Callable


class Bench:
    """Where things are, and how much to do."""

    def __init__(self, top, work, options):
        self.top, self.work, self.quick = top, work, options.quick
        self.options = options  # of bench/run
        self.binaries = top / "build/release"
        self.prova = self.binaries / "prova"
        self.runs = 1 if self.quick else 5
        self.environment = {**os.environ, "PROVA_BIN": str(self.prova), "OPENBLAS_NUM_THREADS": "1"}

    def directory(self):
        """A fresh, empty directory on the disk of the build tree."""
        return pathlib.Path(tempfile.mkdtemp(dir=self.work))

    def program(self, name, *args):
        """Runs build/release/bench/bench_NAME in a fresh directory, given as "."; returns the figures it prints."""
        return self.command([self.binaries / "bench" / f"bench_{name}", *args])

    def command(self, argv, directory=None):
        """Runs a program that prints one JSON object on the last line of its stdout; returns the object."""
        here = directory or self.directory()
        argv = [str(one) for one in argv]
        done = subprocess.run(argv, cwd=here, env=self.environment, capture_output=True, text=True, timeout=TIMEOUT_S)
        if directory is None:
            shutil.rmtree(here, ignore_errors=True)
        if done.returncode != 0 or not done.stdout.strip():
            raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def in_turn(self, *measures, runs=None):
        """Calls each of the functions in turn, several times; returns the list of results of each."""
        results = [[] for _ in measures]
        for _ in range(runs or self.runs):
            for result, measure in zip(results, measures):
                result.append(measure())
        return results


def median(results, key):
    return statistics.median(result[key] for result in results)


def row(name, value, unit, reference=None, target=None):
    """One line of the table. `target` is (what, relation, limit): ("ratio", ">=", 0.3) or ("value", "<", 2)."""
    ratio = value / reference if reference else None
    met, words = None, None
    if target:
        what, relation, limit = target
        actual = ratio if what == "ratio" else value
        met = {">=": actual >= limit, "<=": actual <= limit, "<": actual < limit}[relation]
        part = what == "ratio" and limit < 0.1
        words = f"{what} {relation} " + (f"1/{1 / limit:.0f}" if part else f"{limit:g}")
    return {"name": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio, "target": words,
            "met": met}


def has_module(python, name):
    with contextlib.suppress(OSError):
        return subprocess.run([python, "-c", f"import {name}"], capture_output=True).returncode == 0
    return False


def optuna_python(bench):
    """An interpreter that has Optuna: the one given by --optuna, else the newest of PyPI in build/optuna, else Debian's."""
    if bench.options.optuna:
        if not has_module(bench.options.optuna, "optuna"):
            raise Skip(f"{bench.options.optuna} has no Optuna")
        return bench.options.optuna
    venv = bench.top / "build/optuna"
    python = venv / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], capture_output=True)
    with contextlib.suppress(OSError):
        subprocess.run([python, "-m", "pip", "install", "-q", "--upgrade", "optuna", "cmaes", "scipy"],
                       capture_output=True)
    for candidate in (str(python), "/usr/bin/python3"):
        if has_module(candidate, "optuna"):
            return candidate
    raise Skip("no Optuna: neither PyPI nor Debian's python3-optuna can be had")


def process_cpu_s(pid):
    """Seconds of CPU of a running process, all threads."""
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return 1e-9 * sum(int(task.read_text().split()[0]) for task in tasks)


def wait_until(condition, what, seconds=60):
    """Looks every 20 ms: a measure may poll, what it measures does not."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)

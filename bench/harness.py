"""What the measures of bench/run share: running programs, medians, and rows of the table."""

import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
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

    def __init__(self, top, work, quick):
        self.top, self.work, self.quick = top, work, quick
        self.binaries = top / "build/release"
        self.prova = self.binaries / "prova"
        self.runs = 1 if quick else 5
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
        words = f"{what} {relation} {limit if limit >= 0.1 else f'1/{1 / limit:.0f}'}"
    return {"name": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio, "target": words,
            "met": met}


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

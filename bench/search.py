"""The measures of the searches' cost: CPU of a suggestion and its result, against Optuna's in the same run.

What is found for it is measured by quality/.
"""

import functools
import random as randomness
import subprocess
import sys

from harness import Measure, Skip, has_module, median, optuna_python, row

TPE_TARGETS_MS = {1_000: 0.5, 10_000: 2, 100_000: 5}
GP_TARGETS = {100: 1 / 10, 500: 1 / 5}
MIXED_TARGET_MS = 60


def optuna_ms(bench, sampler, kind, observed, cycles):
    """CPU of a cycle in Optuna, ms; None where it is not to be had."""
    try:
        python = optuna_python(bench)
    except Skip:
        return None
    if sampler == "gp" and not has_module(python, "torch"):
        return None
    script = bench.top / "bench/optuna_ask.py"
    try:
        return bench.command([python, script, sampler, kind, observed, cycles])["us"] / 1e3
    except subprocess.TimeoutExpired:
        print(f"bench: Optuna's {sampler} took too long for {kind} after {observed} results", file=sys.stderr)
        return None


def prova_ms(bench, search, kind, observed, cycles):
    ask = functools.partial(bench.program, "ask", search, kind, observed, cycles)
    (runs,) = bench.in_turn(ask, runs=1 if bench.quick else 3)
    return median(runs, "us") / 1e3


def random(bench):
    """Suggestions of random search with their results, ten doubles; each refused if it was tried before."""
    cycles = 100_000 if bench.quick else 1_000_000
    (runs,) = bench.in_turn(functools.partial(bench.program, "ask", "random", "blind", 0, cycles))
    reference = optuna_ms(bench, "random", "doubles", 0, 1_000)
    yield row("search.random.per_s", median(runs, "per_s"), "1/s", 1e3 / reference if reference else None,
              ("value", ">=", 1_000_000))


def tpe(bench):
    for observed, limit in TPE_TARGETS_MS.items():
        if bench.quick and observed > 1_000:
            return
        value = prova_ms(bench, "tpe", "doubles", observed, 200 if observed < 100_000 else 50)
        reference = optuna_ms(bench, "tpe", "doubles", observed, 20 if observed < 100_000 else 3)
        yield row(f"search.tpe.{observed}", value, "ms", reference, ("value", "<=", limit))


def gp(bench):
    for observed, part in GP_TARGETS.items():
        if bench.quick and observed > 100:
            return
        value = prova_ms(bench, "gp", "doubles", observed, 20)
        reference = optuna_ms(bench, "gp", "doubles", observed, 5)
        yield row(f"search.gp.{observed}", value, "ms", reference, ("ratio", "<=", part) if reference else None)
    value, reference = prova_ms(bench, "gp", "mixed", 200, 20), optuna_ms(bench, "gp", "mixed", 200, 1)
    yield row("search.gp.mixed.200", value, "ms", reference, ("value", "<=", MIXED_TARGET_MS))


SIMULATED = """\
name: simulated
metric: {name: loss}
parameters:
%s
search: {name: random}
schedule: {name: asha, max_budget: 50}
limits: {budget: %d, failures: 0}
table: {file: simulated.csv, kind: sampled, curve: {column: "loss@{step}", steps: [1, 50]}}
"""


def simulate(bench):
    """Epochs that `prova simulate` goes through in a second of CPU: random search and ASHA on 1,000 recorded curves."""
    names, draw, here = [f"x{i}" for i in range(8)], randomness.Random(7), bench.directory()
    n_epochs = 100_000 if bench.quick else 2_000_000
    (here / "simulated.yaml").write_text(
        SIMULATED % ("\n".join(f"  {name}: {{type: double, min: 0, max: 1}}" for name in names), n_epochs))
    with open(here / "simulated.csv", "w") as file:
        file.write(",".join(names + [f"loss@{step}" for step in range(1, 51)]) + "\n")
        for _ in range(1_000):
            point = [draw.random() for _ in names]
            curve = [sum(point) + 5 * (1 + draw.random()) / step for step in range(1, 51)]
            file.write(",".join(f"{one:.6g}" for one in point + curve) + "\n")

    def once():
        done = bench.command([bench.prova, "simulate", "simulated.yaml", "--json", "--quiet"], here)
        return {"per_s": done["runs"][0]["epochs"] / done["summary"]["cpu_seconds"]}

    (runs,) = bench.in_turn(once)
    yield row("search.simulate.epochs_per_s", median(runs, "per_s"), "1/s", None, ("value", ">=", 1_000_000))


MEASURES = [
    Measure("search.random", random),
    Measure("search.tpe", tpe),
    Measure("search.gp", gp),
    Measure("search.simulate", simulate),
]

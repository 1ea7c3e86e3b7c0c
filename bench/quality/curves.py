"""Searches with schedules on tables of learning curves, in virtual time: `prova simulate`.

Of a table with curves of n steps, k full trainings are k x n steps in all, however they are spread over trials. The regret is
that of the best value at any step, cut at 1, the median row. A search may have each row once (`lookup: rows`): where the
nearest row stands for a point, one that homes in on the best gets the same row again and again, which no real training
would do.
"""

import dataclasses
import itertools
import json
import pathlib
import statistics
import subprocess
import time

from figures import LEVEL, wilcoxon_greater

from harness import row

FULL_TRAININGS = (10, 30)
WORKERS = (1, 8)
TARGETS = {10: 0.20, 30: 0.08}
SCHEDULES = {
    "full": "{{name: full}}",
    "asha": "{{name: asha, max_budget: {steps}}}",
    # The first epoch misleads; more trials are begun than asha of 2, 6, 18, ... epochs would, and fewer go on.
    "asha-2-3-4": "{{name: asha, max_budget: {steps}, min_budget: 2, eta: 3, reduction: 4}}",
    "asha-stopping": "{{name: asha-stopping, max_budget: {steps}}}",
    "hyperband": "{{name: hyperband, max_budget: {steps}}}",
}


@dataclasses.dataclass(frozen=True)
class Curves:
    """A table with learning curves."""

    name: str
    path: str
    steps: int


def find_curves(folder):
    """Those below a folder whose parameters hold without conditions: the rest have five sizes of data, not epochs."""
    import yaml  # there, as the tables have been read

    found = []
    for path in sorted(pathlib.Path(folder).rglob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        table = document.get("table", {}) if isinstance(document, dict) else {}
        if "curve" in table and not any("when" in one for one in document["parameters"].values()):
            found.append(Curves(document["name"], str(path), table["curve"]["steps"][1]))
    return found


class Simulations:
    """Regrets by (search, schedule, table, full trainings, workers), kept in a file; those of another build are absent."""

    def __init__(self, prova, path, version, n_seeds):
        self.prova, self.path, self.version, self.n_seeds = prova, path, version, n_seeds
        self.regrets = {}
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    one = json.loads(line)
                except ValueError:  # cut off when a run was interrupted
                    continue
                if one["version"] == version and len(one["regrets"]) >= n_seeds:
                    self.regrets[tuple(one["key"])] = one["regrets"]

    def run(self, searches, tables, end):
        """Whatever is missing, until time is over."""
        cases = itertools.product(FULL_TRAININGS, WORKERS, tables, searches, SCHEDULES)
        for trainings, workers, table, search, schedule in cases:
            key = (search, schedule, table.name, trainings, workers)
            if key in self.regrets:
                continue
            if time.monotonic() > end:
                return
            self.regrets[key] = self.simulate(table, search, schedule, trainings, workers)
            with open(self.path, "a") as file:
                file.write(json.dumps({"key": key, "version": self.version, "regrets": self.regrets[key]}) + "\n")

    def simulate(self, table, search, schedule, trainings, workers):
        settings = ["table.lookup=rows", "limits.failures=0", f"search.name={search}",
                    f"limits.budget={trainings * table.steps}", f"schedule={SCHEDULES[schedule].format(steps=table.steps)}"]
        argv = [self.prova, "simulate", table.path, "--json", "--quiet", "--workers", workers, "--seeds", self.n_seeds]
        argv += [part for setting in settings for part in ("--set", setting)]
        done = subprocess.run([str(one) for one in argv], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, argv))} ended with {done.returncode}:\n{done.stderr}")
        regrets = (run["regret"] for run in json.loads(done.stdout)["runs"])
        return [1.0 if regret is None else min(1.0, regret) for regret in regrets]

    def mean(self, search, schedule, tables, trainings, workers):
        """Mean over tables of the mean over seeds; None unless all were run."""
        each = [self.regrets.get((search, schedule, table.name, trainings, workers)) for table in tables]
        return statistics.mean(map(statistics.mean, each)) if each and all(each) else None

    def combinations(self):
        return sorted({key[:2] for key in self.regrets})

    def best(self, tables):
        """The one combination with the lowest mean over both lengths and both numbers of workers; None without any."""
        means = {}
        for search, schedule in self.combinations():
            cases = [self.mean(search, schedule, tables, *case) for case in itertools.product(FULL_TRAININGS, WORKERS)]
            if all(case is not None for case in cases):
                means[search, schedule] = statistics.mean(cases)
        return min(means, key=means.get, default=None)


def rows(simulations, tables):
    """The best combination, the same for all, against random search of full trainings."""
    best = simulations.best(tables)
    if not best:
        return
    name = "x".join(best)
    for trainings, workers in itertools.product(FULL_TRAININGS, WORKERS):
        value = simulations.mean(*best, tables, trainings, workers)
        random = simulations.mean("random", "full", tables, trainings, workers)
        yield row(f"quality.curves.{name}.{trainings}.{workers}", value, "regret", random,
                  ("value", "<=", TARGETS[trainings]))
    cases = list(itertools.product((table.name for table in tables), FULL_TRAININGS, WORKERS))
    worse = [case for case in cases if is_worse(simulations, best, *case)]
    yield row(f"quality.curves.{name}.worse", len(worse), "cases", len(cases), ("value", "<", 1))


def is_worse(simulations, combination, table, trainings, workers):
    ours = simulations.regrets[(*combination, table, trainings, workers)]
    random = simulations.regrets.get(("random", "full", table, trainings, workers), [])
    return wilcoxon_greater(list(zip(ours, random))) < LEVEL


def write(simulations, tables):
    """Mean regrets of every combination, in Markdown."""
    cases = list(itertools.product(FULL_TRAININGS, WORKERS))
    if not simulations.regrets:
        return ""
    lines = ["## Learning curves: search x schedule\n",
             f"Mean regret over {len(tables)} tables and {simulations.n_seeds} seeds after so many full trainings' worth of "
             "steps, by `prova simulate`.\n",
             "| search | schedule | " + " | ".join(f"{k}, {n} worker{'s' * (n > 1)}" for k, n in cases) + " |",
             "|" + "---|" * (2 + len(cases))]
    for search, schedule in simulations.combinations():
        means = [simulations.mean(search, schedule, tables, *case) for case in cases]
        lines.append(f"| {search} | {schedule} | " + " | ".join("" if one is None else f"{one:.3f}" for one in means) + " |")
    return "\n".join(lines) + "\n"

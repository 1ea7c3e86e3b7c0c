"""Regrets of every searcher on every problem, by seed, and how two searchers compare.

What was run here comes from files of results; for a peer that was not run here, or on fewer seeds, the figures recorded in
recorded.json stand in: a regret after so many evaluations depends on the peer's version and the seed, not on the machine.
"""

import itertools
import json
import math
import pathlib
import statistics

RECORDED = pathlib.Path(__file__).resolve().parent / "recorded.json"
LEVEL = 0.01  # of the one-sided tests


class Figures:
    """of(searcher, problem) is {seed: {evaluations: regret}}."""

    def __init__(self, problems, results, recorded=None):
        self.problems = problems
        self.runs, self.recorded_used = {}, False
        for searcher, problem in sorted({key[:2] for one in results for key in one.by_key}):
            if problem in {one.name for one in problems}:
                self.runs[searcher, problem] = self.local(searcher, problem, results)
        for (searcher, problem), runs in unpack(recorded).items():
            known = problem in {one.name for one in problems}
            if known and len(runs) > len(self.runs.get((searcher, problem), {})):
                self.runs[searcher, problem] = runs
                self.recorded_used = True

    def local(self, searcher, name, results):
        problem = next(one for one in self.problems if one.name == name)
        runs = {}
        for one in results:
            for seed, result in one.of(searcher, name).items():
                series = result["best"] or [math.inf]
                runs[seed] = {at: problem.regret(series[min(at, len(series)) - 1])
                              for at in range(1, min(result["evaluations"], problem.evaluations) + 1)}
        return runs

    def of(self, searcher, problem):
        return self.runs.get((searcher, problem.name), {})

    def searchers(self):
        return sorted({searcher for searcher, _ in self.runs})

    def at(self, searcher, problem, evaluations=None):
        """[regret of each seed]; empty if it was not run."""
        evaluations = evaluations or problem.evaluations
        return [run[evaluations] for _, run in sorted(self.of(searcher, problem).items()) if evaluations in run]

    def mean(self, searcher, problems, evaluations=None):
        """Mean over problems of the mean over seeds; None unless it was run on all of them."""
        each = [self.at(searcher, problem, evaluations) for problem in problems]
        return statistics.mean(map(statistics.mean, each)) if each and all(each) else None

    def pairs(self, ours, theirs, problem):
        """[(regret of ours, regret of theirs)] of the seeds that both have."""
        a, b = self.of(ours, problem), self.of(theirs, problem)
        last = problem.evaluations
        return [(a[seed][last], b[seed][last]) for seed in sorted(a.keys() & b.keys()) if last in a[seed] and last in b[seed]]


def load_recorded():
    return json.loads(RECORDED.read_text()) if RECORDED.exists() else None


def unpack(recorded):
    """{(searcher, problem): {seed: {evaluations: regret}}} of what recorded.json holds."""
    def runs(one):
        return {seed: dict(zip(one["at"], regrets)) for seed, regrets in enumerate(one["seeds"])}

    return {(one["searcher"], one["problem"]): runs(one) for one in (recorded or {}).get("figures", [])}


def record(figures, problems, version):
    """recorded.json as text: peers' regrets after a few numbers of evaluations, by seed from 0, as far as none is missing.

    A run that was ended earlier than the problem has fewer numbers.
    """
    lines = []
    for searcher in figures.searchers():
        for problem in problems if not searcher.startswith("prova") else ():
            runs, at = figures.of(searcher, problem), problem.checkpoints
            n = next(seed for seed in itertools.count() if seed not in runs)
            seeds = [[float(f"{runs[seed][one]:.3g}") for one in at if one in runs[seed]] for seed in range(n)]
            if seeds:
                lines.append(json.dumps({"searcher": searcher, "problem": problem.name, "at": at, "seeds": seeds}))
    return f'{{"version": {json.dumps(version)}, "figures": [\n' + ",\n".join(lines) + "\n]}\n"


def wilcoxon_greater(pairs):
    """P of so large a signed-rank sum if both were alike, against the first being larger; exact, ties by mid-ranks.

    Equal pairs say nothing and are left out (Wilcoxon 1945).
    """
    differences = [a - b for a, b in pairs if a != b]
    if not differences:
        return 1.0
    ordered = sorted(abs(one) for one in differences)
    doubled = {}  # twice the mid-rank of each size, a whole number
    for size in ordered:
        first = ordered.index(size)
        doubled[size] = 2 * first + ordered.count(size) + 1
    observed = sum(doubled[abs(one)] for one in differences if one > 0)
    ways = {0: 1}
    for one in differences:
        rank, more = doubled[abs(one)], dict(ways)
        for total, count in ways.items():
            more[total + rank] = more.get(total + rank, 0) + count
        ways = more
    return sum(count for total, count in ways.items() if total >= observed) / 2 ** len(differences)


def compare(pairs):
    """"worse", "better" (both at the level of the tests), "lower", "higher" (medians only) or "equal"; None without pairs."""
    if not pairs:
        return None
    if wilcoxon_greater(pairs) < LEVEL:
        return "worse"
    if wilcoxon_greater([(b, a) for a, b in pairs]) < LEVEL:
        return "better"
    ours, theirs = (statistics.median(side) for side in zip(*pairs))
    return "equal" if math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12) else "lower" if ours < theirs else "higher"

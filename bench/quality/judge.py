"""The targets of search quality as rows of bench/run's table."""

import statistics

from figures import compare

from harness import row

# What a search is compared with: samplers of the same kind. `auto` is the one to be used without a choice, so it is compared
# with all. `random` is not compared: both are the same thing, and which has drawn the better points is chance.
PEERS = {
    "prova-tpe": ["optuna-tpe-univariate", "optuna-tpe", "optuna-tpe-group"],
    "prova-cmaes": ["optuna-cmaes"],
    "prova-gp": ["optuna-gp"],
    "prova-auto": ["optuna-random", "optuna-tpe-univariate", "optuna-tpe", "optuna-tpe-group", "optuna-cmaes", "optuna-gp"],
}
ASYNCHRONOUS = ("tpe", "gp", "auto", "cmaes", "evolution")
PART = 0.75  # of Optuna's regret on tables
FUNCTION_TARGETS = {  # medians of Optuna's GPSampler as recorded when the targets were set
    "function-branin": 1.5e-5, "function-hartmann6": 5e-5, "function-ackley10": 2.3, "function-levy8": 0.74,
    "function-rosenbrock5": 37,
}


def rows(figures, problems):
    yield from tables(figures, problems)
    yield from functions(figures, problems)
    yield from workers(figures, problems)
    for ours, peers in PEERS.items():
        for peer in peers:
            yield from against(figures, problems, ours, peer)


def lowest(values):
    return min((one for one in values if one is not None), default=None)


def tables(figures, problems):
    """Mean normalised regret of `auto`, against the better of Optuna's samplers."""
    factorial = [one for one in problems if one.family == "factorial"]
    for at in (25, 50, 100) if factorial else ():
        ours = figures.mean("prova-auto", factorial, at)
        theirs = lowest(figures.mean(peer, factorial, at) for peer in ("optuna-tpe", "optuna-gp"))
        if ours is not None:
            yield row(f"quality.tables.{at}", ours, "regret", theirs, ("ratio", "<=", PART) if theirs else None)
    conditional = [one for one in problems if one.family == "conditional"]
    ours, theirs = figures.mean("prova-auto", conditional), figures.mean("optuna-tpe-group", conditional)
    if ours is not None:
        yield row("quality.conditional.100", ours, "regret", theirs, ("ratio", "<=", PART) if theirs else None)


def functions(figures, problems):
    """Median regret of the best of ours, against a fixed figure; beside it what GPSampler has here."""
    for problem in problems:
        if problem.family != "function":
            continue
        ours = [figures.at(one, problem) for one in figures.searchers() if one.startswith("prova") and "@" not in one]
        theirs = figures.at("optuna-gp", problem)
        value = lowest(statistics.median(regrets) for regrets in ours if regrets)
        if value is not None:
            yield row(f"quality.{problem.name}", value, "regret", statistics.median(theirs) if theirs else None,
                      ("value", "<=", FUNCTION_TARGETS[problem.name]))


def workers(figures, problems):
    """Eight asynchronous workers against one, the same number of evaluations: mean over problems of the mean regret.

    Regrets of different problems have no common scale, and where one worker comes to the last digit a ratio says nothing. So
    each is measured in units of what random search has there.
    """
    for name in ASYNCHRONOUS:
        means = []
        for problem in problems:
            regrets = [figures.at(one, problem) for one in (f"prova-{name}", f"prova-{name}@8", "prova-random")]
            if all(regrets) and statistics.mean(regrets[2]) > 0:
                means.append([statistics.mean(one) / statistics.mean(regrets[2]) for one in regrets[:2]])
        if means:
            alone, many = map(statistics.mean, zip(*means))
            yield row(f"quality.workers.{name}", many, "of random", alone, ("ratio", "<=", 1.25))


def against(figures, problems, ours, peer):
    """Problems where ours is worse (one-sided test at 1 %), and how many medians are lower or equal."""
    verdicts = [compare(figures.pairs(ours, peer, problem)) for problem in problems]
    verdicts = [one for one in verdicts if one]
    if verdicts:
        name = f"quality.{ours.removeprefix('prova-')}_to_{peer.removeprefix('optuna-')}"
        yield row(f"{name}.worse", verdicts.count("worse"), "problems", None, ("value", "<", 1))
        good = sum(one in ("better", "lower", "equal") for one in verdicts)
        yield row(f"{name}.better", good, "problems", len(verdicts), ("ratio", ">=", 0.5))

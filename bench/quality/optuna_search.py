"""Optuna on the problems: run by the interpreter that has it, one result a line.

    optuna_search.py OUTPUT [--data FOLDER] [--samplers NAME,...] [--problems BEGINNING,...] [--seeds FROM:TO] [--seconds N]
                     [--evaluations N]

Appends lines (results.py) to OUTPUT, `best` being the best so far after each evaluation, and leaves out what is there already,
so it may be interrupted and started again. --evaluations ends each run earlier than the problem does. Optuna is told what
prova is told: logarithmic scales, integers, categories and conditions; values of a discrete parameter are given by their
index, as they have no other form there.
"""

import argparse
import math
import pathlib
import time
import warnings

import optuna
import problems as problem_set
import results as result_file

SAMPLERS = {
    "optuna-random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "optuna-tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "optuna-tpe-univariate": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=False),
    "optuna-tpe-group": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True),
    "optuna-cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed),
    "optuna-gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
}


def suggest(trial, problem):
    point = {}
    for one in problem.parameters:
        if not one.is_active(point):
            continue
        if one.kind == "categorical":
            point[one.name] = trial.suggest_categorical(one.name, one.values)
        elif one.kind == "discrete":
            point[one.name] = one.values[trial.suggest_int(one.name, 0, len(one.values) - 1)]
        elif one.kind == "int":
            point[one.name] = trial.suggest_int(one.name, one.low, one.high, log=one.log)
        else:
            point[one.name] = trial.suggest_float(one.name, one.low, one.high, log=one.log)
    return point


def run(problem, sampler, seed):
    study = optuna.create_study(sampler=SAMPLERS[sampler](seed))
    best, series, cpu_s = math.inf, [], 0.0
    for _ in range(problem.evaluations):
        begin = time.process_time()
        trial = study.ask()
        point = suggest(trial, problem)
        cpu_s += time.process_time() - begin
        value = problem.evaluate(point)
        begin = time.process_time()
        if math.isfinite(value):
            study.tell(trial, value)
        else:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        cpu_s += time.process_time() - begin
        best = min(best, value) if math.isfinite(value) else best
        series.append(best)
    return {"searcher": sampler, "problem": problem.name, "seed": seed, "version": optuna.__version__,
            "evaluations": problem.evaluations, "best": series, "cpu_s": round(cpu_s, 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--samplers", default=",".join(SAMPLERS))
    parser.add_argument("--problems", default="")
    parser.add_argument("--seeds", default="0:20")
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--evaluations", type=float, default=math.inf)
    args = parser.parse_args()

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    chosen = problem_set.load(args.data, args.problems.split(","), args.evaluations)
    first, last = map(int, args.seeds.split(":"))
    output = result_file.Results(args.output)
    end = time.monotonic() + args.seconds
    for seed in range(first, last):
        for problem in chosen:
            for sampler in args.samplers.split(","):
                if sampler == "optuna-cmaes" and not problem.continuous:
                    continue
                if not output.has(sampler, problem.name, seed, problem.evaluations):
                    if time.monotonic() > end:
                        return
                    output.add(run(problem, sampler, seed))


if __name__ == "__main__":
    main()

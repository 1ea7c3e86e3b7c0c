"""What a suggestion costs in Optuna: the same as bench_ask (ask.c), on the same spaces and function.

    optuna_ask.py tpe|gp|random doubles|mixed OBSERVED CYCLES

Prints {"version", "us"}: mean CPU of an ask with all its suggestions and its tell, after OBSERVED results of random points
and one cycle that is not counted. Studies are in memory.
"""

import json
import math
import sys
import time
import warnings

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
SAMPLERS = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler, "random": optuna.samplers.RandomSampler}
KINDS = {  # prefix: (distribution, how many of it in each space)
    "x": (FloatDistribution(0, 1), {"doubles": 10, "mixed": 4}),
    "l": (FloatDistribution(1e-5, 1, log=True), {"mixed": 4}),
    "n": (IntDistribution(1, 20), {"mixed": 6}),
    "c": (CategoricalDistribution(["a", "b", "c", "d"]), {"mixed": 6}),
}
OFFSETS = {
    "x": lambda value: value - 0.3,
    "l": lambda value: (math.log10(value) + 2) / 5,
    "n": lambda value: (value - 7) / 20,
    "c": lambda value: "abcd".index(value) / 4,
}


def value_of(params):
    return sum((1 + int(name[1:])) * OFFSETS[name[0]](value) ** 2 for name, value in params.items())


def cycle(study, space):
    begin = time.process_time()
    trial = study.ask(space)
    cpu_s = time.process_time() - begin
    value = value_of(trial.params)
    begin = time.process_time()
    study.tell(trial, value)
    return cpu_s + time.process_time() - begin


def main():
    sampler, kind = sys.argv[1:3]
    n_observed, n_cycles = map(int, sys.argv[3:5])
    space = {f"{prefix}{i}": distribution for prefix, (distribution, counts) in KINDS.items()
             for i in range(counts.get(kind, 0))}
    source = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=7))
    study = optuna.create_study(sampler=SAMPLERS[sampler](seed=7))
    observed = []
    for _ in range(n_observed):
        trial = source.ask(space)
        observed.append(optuna.trial.create_trial(params=trial.params, distributions=space, value=value_of(trial.params)))
    study.add_trials(observed)
    cycle(study, space)
    cpu_s = sum(cycle(study, space) for _ in range(n_cycles))
    print(json.dumps({"version": optuna.__version__, "us": 1e6 * cpu_s / n_cycles}))


if __name__ == "__main__":
    main()

"""The measures of the Python wrapper that happen inside it: prints one JSON object.

    python_measure.py report | first | noop TRIALS | sklearn TRIALS | ask OBSERVED CYCLES
"""

import json
import os
import resource
import sys
import time

import prova

LINE = {"x": prova.double(0, 1)}


def report():
    """Nanoseconds of a call, the median of many batches, inside a trial."""

    def train(x):
        batches = []
        for batch in range(51):
            begin = time.perf_counter_ns()
            for i in range(2000):
                prova.report(batch * 2000 + i, x)
            batches.append((time.perf_counter_ns() - begin) / 2000)
            time.sleep(0.01)  # training: the reports leave meanwhile
        return sorted(batches)[len(batches) // 2]

    return {"ns": prova.lagom(train, parameters=LINE, trials=1, progress=False).best_value}


def first():
    """Milliseconds from the call to the first trial, two workers."""
    begin = time.time()

    def train(x):
        return (time.time() - begin) * 1e3 + 0 * x

    result = prova.lagom(train, parameters=LINE, trials=2, workers=2, progress=False)
    return {"ms": min(trial.value for trial in result.trials)}


def noop(n_trials):
    """Trials a second of a function that reports once, eight worker processes, as seen by the experiment."""

    def train(x):
        prova.report(0, x)
        return x

    result = prova.lagom(train, parameters=LINE, search="random", trials=n_trials, workers=8, progress=False)
    return {"trials_per_s": n_trials / result.seconds}


def sklearn(n_trials):
    """Wall time of trials of 50 to 500 ms against their sum over two workers."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)

    def train(depth, trees):
        from sklearn.ensemble import RandomForestClassifier
        model = RandomForestClassifier(trees, max_depth=depth, random_state=0, n_jobs=1)
        return model.fit(images[:1200], labels[:1200]).score(images[1200:], labels[1200:])

    result = prova.lagom(train, parameters={"depth": prova.int(4, 16), "trees": prova.int(50, 250)}, goal="maximize",
                         trials=n_trials, workers=2, progress=False)
    return {"wall_s": result.seconds, "ideal_s": sum(trial.seconds for trial in result.trials) / 2}


def ask(observed, cycles):
    """CPU of one ask and tell of tpe, ten doubles, microseconds."""
    search = prova.Search({f"x{i}": prova.double(0, 1) for i in range(10)}, "tpe", seed=1)
    for i in range(observed + cycles):
        if i == observed:
            before = resource.getrusage(resource.RUSAGE_SELF)
        point = search.ask()
        search.tell(point, sum((value - 0.3) ** 2 for value in point.values()))
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {"us": 1e6 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / cycles}


if __name__ == "__main__":
    os.chdir(os.environ.get("PROVA_BENCH_DIR", "."))
    what = {"report": report, "first": first, "noop": noop, "sklearn": sklearn, "ask": ask}[sys.argv[1]]
    print(json.dumps(what(*map(int, sys.argv[2:]))))

"""What a no-op trial costs in Optuna: ask, one report, tell, by several processes on one storage.

    optuna_noop.py DIR sqlite|journal|memory default|random PROCESSES TRIALS

In memory there is one process.

The sampler is the one that Optuna takes by itself, or the random one.

Prints {"version", "cpu_us_per_trial", "trials_per_s"}. CPU is that of the processes while they run trials: neither the
interpreter's start nor the import of Optuna is counted.
"""

import json
import multiprocessing
import resource
import sys
import time

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)


def open_storage(directory, kind):
    if kind == "sqlite":
        url = f"sqlite:///{directory}/optuna.db"
        return optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 300}})
    from optuna.storages import JournalStorage

    try:
        from optuna.storages.journal import JournalFileBackend
    except ImportError:  # Optuna 3
        from optuna.storages import JournalFileStorage as JournalFileBackend
    return JournalStorage(JournalFileBackend(f"{directory}/optuna.journal"))


def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    trial.report(x, 0)
    return x


def cpu_s():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def work(directory, kind, sampler, n_trials, seed, barrier, results):
    sampler = optuna.samplers.RandomSampler(seed=seed) if sampler == "random" else None
    if kind == "memory":
        study = optuna.create_study(sampler=sampler)
    else:
        study = optuna.load_study(study_name="noop", storage=open_storage(directory, kind), sampler=sampler)
    barrier.wait()
    begin = time.monotonic()
    cpu = cpu_s()
    study.optimize(objective, n_trials=n_trials)
    results.put((cpu_s() - cpu, begin, time.monotonic()))


def main():
    directory, kind, sampler = sys.argv[1:4]
    n_processes, n_trials = map(int, sys.argv[4:6])
    if kind != "memory":
        optuna.create_study(study_name="noop", storage=open_storage(directory, kind))
    elif n_processes != 1:
        sys.exit("a study in memory has one process")
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(n_processes)
    results = context.Queue()
    share = n_trials // n_processes
    workers = [
        context.Process(target=work, args=(directory, kind, sampler, share, seed, barrier, results))
        for seed in range(n_processes)
    ]
    for worker in workers:
        worker.start()
    figures = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    seconds = max(end for _, _, end in figures) - min(begin for _, begin, _ in figures)
    done = share * n_processes
    cpu_us = 1e6 * sum(cpu for cpu, _, _ in figures) / done
    print(json.dumps({"version": optuna.__version__, "cpu_us_per_trial": cpu_us, "trials_per_s": done / seconds}))


if __name__ == "__main__":
    main()

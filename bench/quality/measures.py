"""The measures of search quality: which configurations are found in so many evaluations, against Optuna and the targets.

Runs every search of prova and, where it can be had, Optuna on the problems of problems.py, within the time that is given;
results stay in build/quality, so the next run goes on where this one ended. Writes a table and a picture, and yields the
targets as rows.
"""

import pathlib
import subprocess
import sys
import time

import curves
import figures as figure_set
import judge
import picture
import problems as problem_set
import report
import results as result_file

from harness import Measure, Skip, has_module, optuna_python

HERE = pathlib.Path(__file__).resolve().parent
CHEAP_SAMPLERS = ["optuna-random", "optuna-tpe", "optuna-tpe-univariate", "optuna-tpe-group", "optuna-cmaes"]
SCHEDULED = ("random", "tpe", "gp")  # the searches that are tried with every schedule
MANY_WORKERS = 8
# The factorial tables have so many times the seeds for the first EARLY evaluations: regret differs most between seeds there.
EARLY, EARLY_TIMES = 25, 4
DEFAULT_SECONDS = 900


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def list_searches(bench):
    """The names of the registry, without those that walk a fixed list."""
    listed = subprocess.run([bench.prova, "search"], capture_output=True, text=True, check=True).stdout
    names = [line.split()[1] for line in listed.splitlines() if line.startswith("search ")]
    return [name for name in names if name not in ("grid", "sobol")]


class Runner:
    """Runs the two programs that do the searching, each with what is left of its share of the time."""

    def __init__(self, bench, folder, seeds):
        self.bench, self.folder, self.seeds = bench, folder, seeds
        self.end = time.monotonic() + (bench.options.seconds or DEFAULT_SECONDS)
        self.data = ["--data", bench.options.data] if bench.options.data else []

    def run(self, python, script, *args, share=1.0, seeds=None):
        """`share` of the time that is left."""
        seconds = max(1.0, share * (self.end - time.monotonic()))
        argv = [python, "-B", HERE / script, *args, *self.data, "--seeds", f"0:{seeds or self.seeds}", "--seconds",
                f"{seconds:.0f}"]
        environment = {**self.bench.environment, "OMP_NUM_THREADS": "1"}
        done = subprocess.run([str(one) for one in argv], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{script} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def prova(self, searches, *options, **how):
        library = self.bench.binaries / "sdk/libprova.so"
        self.run(sys.executable, "prova_search.py", library, self.folder / "prova.jsonl", "--searches", ",".join(searches),
                 *options, **how)

    def optuna(self, early, share):
        try:
            python = optuna_python(self.bench)
        except Skip as reason:
            say(f"{reason}; its recorded figures are used")
            return
        output = self.folder / "optuna.jsonl"
        samplers = [one for one in CHEAP_SAMPLERS if one != "optuna-cmaes" or has_module(python, "cmaes")]
        self.run(python, "optuna_search.py", output, "--samplers", ",".join(samplers), share=share / 2)
        gp = ["optuna-gp"] if has_module(python, "torch") else []
        if not gp:
            say(f"{python} has no PyTorch, which GPSampler needs: its recorded figures are used")
        if early:
            self.run(python, "optuna_search.py", output, "--samplers", ",".join(["optuna-tpe", *gp]), *early, share=share / 2,
                     seeds=EARLY_TIMES * self.seeds)
        if gp:
            self.run(python, "optuna_search.py", output, "--samplers", "optuna-gp", share=share)


def quality(bench):
    """Every search on every problem against Optuna's samplers."""
    options = bench.options
    folder = pathlib.Path(options.report or bench.top / "build/quality")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        problems = problem_set.load(options.data)
    except problem_set.BadTable as fault:
        raise Skip(str(fault)) from None
    if not options.data:
        say("no tables: only functions are measured; --data DIR or PROVA_BENCH_DATA says where tables are")
    runner = Runner(bench, bench.top / "build/quality", options.seeds or (2 if bench.quick else 20))
    results = measure(runner, problems)
    recorded = figure_set.load_recorded()
    figures = figure_set.Figures(problems, results, recorded)
    if options.record:
        versions = {one["version"] for one in results[1].by_key.values()}
        figure_set.RECORDED.write_text(figure_set.record(figures, problems, "/".join(sorted(versions))))
    simulations, tables = simulate(runner)
    (folder / "quality.svg").write_text(picture.draw(figures, problems))
    (folder / "quality.md").write_text(report.write(figures, problems, recorded) + curves.write(simulations, tables))
    say(f"the table and the picture are in {folder}: quality.md, quality.svg")
    yield from judge.rows(figures, problems)
    yield from curves.rows(simulations, tables)


def measure(runner, problems):
    """Runs by ask and tell whatever is missing; the results of all."""
    bench, folder = runner.bench, runner.folder
    searches = list_searches(bench)
    whole = ["--problems", "function-branin" if bench.quick else ""]
    factorial = [one.name for one in problems if one.family == "factorial"]
    early = ["--problems", ",".join(factorial), "--evaluations", EARLY] if factorial and not bench.quick else []
    runner.prova(searches, *whole, share=0.3)
    if early:
        runner.prova(["auto"], *early, share=0.1, seeds=EARLY_TIMES * runner.seeds)
    asynchronous = [name for name in searches if name in judge.ASYNCHRONOUS]
    runner.prova(asynchronous, "--workers", MANY_WORKERS, *whole, share=0.3)
    if not bench.quick:
        runner.optuna(early, share=0.6)
    version = result_file.version_of(bench.binaries / "sdk/libprova.so")
    return [result_file.Results(folder / "prova.jsonl", version), result_file.Results(folder / "optuna.jsonl")]


def simulate(runner):
    """Runs whatever simulation is missing; (simulations, tables)."""
    bench = runner.bench
    tables = curves.find_curves(bench.options.data) if bench.options.data else []
    version = result_file.version_of(bench.prova)
    simulations = curves.Simulations(bench.prova, runner.folder / "simulate.jsonl", version, runner.seeds)
    if not bench.quick:
        searches = [name for name in list_searches(bench) if name in SCHEDULED]
        simulations.run(searches, tables, runner.end)
    return simulations, tables


MEASURES = [Measure("quality", quality)]

"""The bench of search quality (bench/quality): what it measures on, how it judges, and that it runs and goes on."""

import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path[:0] = [str(BENCH), str(BENCH / "quality")]

import curves  # noqa: E402
import figures as figure_set  # noqa: E402
import judge  # noqa: E402
import picture  # noqa: E402
import problems as problem_set  # noqa: E402
import report  # noqa: E402
import results as result_file  # noqa: E402

GRID = """\
name: grid
metric: {name: accuracy, goal: maximize}
parameters:
  lr: {type: discrete, values: [1.0e-3, 1.0e-2], scale: log}
  solver: {values: [sgd, adam]}
table: {file: grid.csv, kind: full-factorial, replicates: [y0, y1], optimum: 0.9, median: 0.7}
"""
GRID_CSV = "lr,solver,y0,y1\n0.001,sgd,0.5,0.7\n0.001,adam,0.8,1.0\n0.01,sgd,0.8,\n0.01,adam,,\n"
SAMPLED = """\
name: sampled
metric: {name: loss}
parameters:
  kind: {type: categorical, values: [a, b]}
  x: {type: double, min: 0.01, max: 1, scale: log, when: {kind: [a]}}
  n: {type: int, min: 1, max: 9}
table:
  file: sampled.csv
  kind: sampled
  curve: {column: "loss@{step}", steps: [1, 2]}
  optimum: 1
  median: 3
"""
SAMPLED_CSV = "kind,x,n,loss@1,loss@2\na,0.01,1,9,1\na,1,9,9,2\nb,,1,9,3\nb,,9,9,nan\n"


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def table(self, yaml, csv):
        name = yaml.split()[1]
        (self.folder / f"{name}.yaml").write_text(yaml)
        (self.folder / f"{name}.csv").write_text(csv)
        return problem_set.load_tables(self.folder)[0]


class Functions(unittest.TestCase):
    def test_their_optimum_is_where_the_literature_has_it(self):
        places = {"branin": (math.pi, 2.275), "ackley10": (0.0,) * 10, "levy8": (1.0,) * 8, "rosenbrock5": (1.0,) * 5,
                  "hartmann6": (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)}
        for name, function, _, _, minimum, _ in problem_set.FUNCTIONS:
            with self.subTest(name):
                self.assertAlmostEqual(function(places[name]), minimum, delta=1e-6)

    def test_no_drawn_point_is_below_the_optimum(self):
        draw = random.Random(1)
        for problem in problem_set.load_functions():
            for _ in range(2000):
                point = {one.name: draw.uniform(one.low, one.high) for one in problem.parameters}
                self.assertGreaterEqual(problem.evaluate(point), problem.optimum)

    def test_a_shifted_optimum_is_inside_the_box_and_off_its_centre(self):
        for problem in problem_set.load_functions():
            if problem.name in ("function-ackley10", "function-levy8"):
                centre = {one.name: (one.low + one.high) / 2 for one in problem.parameters}
                self.assertGreater(problem.evaluate(centre), problem.optimum + 1)


@unittest.skipUnless(__import__("importlib.util").util.find_spec("yaml"), "python3-yaml is not installed")
class Tables(InFolder):
    def test_a_factorial_table_gives_the_mean_over_repeats_with_the_sign_turned(self):
        problem = self.table(GRID, GRID_CSV)
        self.assertEqual(problem.family, "factorial")
        self.assertAlmostEqual(problem.evaluate({"lr": 0.001, "solver": "adam"}), -0.9)
        self.assertAlmostEqual(problem.evaluate({"lr": 0.01, "solver": "sgd"}), -0.8)
        self.assertAlmostEqual(problem.regret(-0.9), 0.0)
        self.assertAlmostEqual(problem.regret(-0.7), 1.0)

    def test_a_combination_without_a_result_is_a_failure(self):
        self.assertTrue(math.isnan(self.table(GRID, GRID_CSV).evaluate({"lr": 0.01, "solver": "adam"})))

    def test_a_sampled_table_gives_the_last_step_of_the_nearest_row_with_the_same_parameters(self):
        problem = self.table(SAMPLED, SAMPLED_CSV)
        self.assertEqual(problem.family, "conditional")
        self.assertEqual(problem.evaluate({"kind": "a", "x": 0.02, "n": 3}), 1)
        self.assertEqual(problem.evaluate({"kind": "a", "x": 0.5, "n": 6}), 2)
        self.assertEqual(problem.evaluate({"kind": "b", "n": 4}), 3)
        self.assertTrue(math.isnan(problem.evaluate({"kind": "b", "n": 9})))

    def test_faults_are_said_with_the_file(self):
        faults = {
            "no.*table": ("name: x\n", ""),
            "KeyError": (GRID.replace("optimum: 0.9, ", ""), GRID_CSV),
            "rows": (GRID, "lr,solver,y0,y1\n"),
            "0.5": (GRID, "lr,solver,y0,y1\n0.5,sgd,1,1\n"),
            "y1": (GRID, "lr,solver,y0\n0.001,sgd,1\n"),
        }
        for words, (yaml, csv) in faults.items():
            with self.subTest(words), self.assertRaisesRegex(problem_set.BadTable, words):
                self.table(yaml, csv).evaluate({"lr": 0.001, "solver": "sgd"})


class Judging(unittest.TestCase):
    def test_the_test_agrees_with_the_published_table(self):
        """Wilcoxon: n = 8 pairs, all of one sign: P = 1/256; n = 7 without the largest: 2/128."""
        self.assertAlmostEqual(figure_set.wilcoxon_greater([(i, 0) for i in range(1, 9)]), 1 / 256)
        self.assertAlmostEqual(figure_set.wilcoxon_greater([(0, 1)] + [(i, 0) for i in range(2, 8)]), 2 / 128)

    def test_ties_share_their_ranks_and_equal_pairs_do_not_count(self):
        self.assertAlmostEqual(figure_set.wilcoxon_greater([(1, 0), (1, 0), (0, 1), (5, 5)]), 4 / 8)
        self.assertEqual(figure_set.wilcoxon_greater([(1, 1)] * 9), 1.0)

    def test_worse_better_and_neither(self):
        few, many = [(1, 0)] * 4, [(i + 1.0, 1.0) for i in range(1, 9)]
        self.assertEqual(figure_set.compare(few), "higher")
        self.assertEqual(figure_set.compare(many), "worse")
        self.assertEqual(figure_set.compare([(b, a) for a, b in many]), "better")
        self.assertEqual(figure_set.compare([(1, 1)] * 9), "equal")
        self.assertIsNone(figure_set.compare([]))


def result(searcher, seed, best, version="1", evaluations=60):
    return {"searcher": searcher, "problem": "function-branin", "seed": seed, "version": version, "evaluations": evaluations,
            "best": best, "cpu_s": 0}


class Curves(InFolder):
    """Two searches on a table of learning curves, simulated, and kept."""

    def setUp(self):
        super().setUp()
        draw = random.Random(1)
        lines = ["x," + ",".join(f"loss@{step}" for step in range(1, 10))]
        for _ in range(40):
            x = draw.random()
            lines.append(f"{x}," + ",".join(f"{1 + abs(x - 0.3) + 1 / step}" for step in range(1, 10)))
        (self.folder / "curve.csv").write_text("\n".join(lines) + "\n")
        (self.folder / "curve.yaml").write_text(
            "name: curve\nmetric: {name: loss}\nparameters: {x: {type: double, min: 0, max: 1}}\ntable: {file: curve.csv, "
            "kind: sampled, curve: {column: 'loss@{step}', steps: [1, 9]}, optimum: 1.12, median: 1.4}\n")

    def simulations(self, version="1"):
        return curves.Simulations(os.environ["PROVA_BIN"], self.folder / "simulate.jsonl", version, 3)

    @unittest.skipUnless(__import__("importlib.util").util.find_spec("yaml"), "python3-yaml is not installed")
    def test_every_combination_is_run_once_and_the_best_is_the_same_for_all(self):
        tables, end = curves.find_curves(self.folder), time.monotonic() + 60
        simulations = self.simulations()
        simulations.run(["random"], tables, end)
        self.assertEqual(len(simulations.regrets), 4 * len(curves.SCHEDULES))
        self.assertTrue(all(0 <= one <= 1 for regrets in simulations.regrets.values() for one in regrets))
        self.assertEqual(self.simulations().regrets, simulations.regrets)
        self.assertEqual(self.simulations("2").regrets, {})
        names = [row["name"].split(".")[2] for row in curves.rows(simulations, tables)]
        self.assertEqual((len(names), len(set(names))), (5, 1))
        self.assertIn("| random | asha |", curves.write(simulations, tables))

    def test_no_rows_without_results(self):
        self.assertEqual(list(curves.rows(self.simulations(), [])), [])


class Results(InFolder):
    def test_a_line_that_was_cut_off_is_computed_again(self):
        path = self.folder / "results.jsonl"
        whole = json.dumps(result("a", 0, [1]))
        path.write_text(whole + "\n" + whole[:20])
        results = result_file.Results(path)
        self.assertTrue(results.has("a", "function-branin", 0, 60))
        results.add(result("a", 1, [2]))
        self.assertEqual(set(result_file.Results(path).of("a", "function-branin")), {0, 1})

    def test_results_of_another_build_are_absent(self):
        path = self.folder / "results.jsonl"
        result_file.Results(path).add(result("a", 0, [1], "old"))
        self.assertFalse(result_file.Results(path, "new").has("a", "function-branin", 0, 60))

    def test_a_shorter_run_is_no_whole_one_and_counts_as_far_as_it_went(self):
        problem = problem_set.load_functions()[0]
        path = self.folder / "results.jsonl"
        results = result_file.Results(path)
        results.add(result("a", 0, [problem.optimum + 1] * 25, evaluations=25))
        self.assertTrue(results.has("a", problem.name, 0, 25))
        self.assertFalse(results.has("a", problem.name, 0, 60))
        results.add(result("a", 1, [problem.optimum + 2] * 60))
        results.add(result("a", 1, [problem.optimum + 3] * 25, evaluations=25))  # the longer one stays
        figures = figure_set.Figures([problem], [result_file.Results(path)])
        for at, regrets in ((25, [1.0, 2.0]), (60, [2.0])):
            self.assertEqual([round(one, 9) for one in figures.at("a", problem, at)], regrets)
        self.assertEqual(len(figures.pairs("a", "a", problem)), 1)

    def test_recorded_figures_stand_in_for_what_was_run_on_fewer_seeds(self):
        problem = problem_set.load_functions()[0]
        results = result_file.Results(self.folder / "results.jsonl")
        results.add(result("optuna-gp", 0, [problem.optimum + 1] * 60))
        recorded = {"figures": [{"searcher": "optuna-gp", "problem": problem.name, "at": [60], "seeds": [[2.0], [3.0]]}]}
        self.assertEqual(figure_set.Figures([problem], [results], recorded).at("optuna-gp", problem), [2.0, 3.0])
        del recorded["figures"][0]["seeds"][1]
        self.assertAlmostEqual(figure_set.Figures([problem], [results], recorded).at("optuna-gp", problem)[0], 1.0)

    def test_what_was_recorded_is_read_back(self):
        problem = problem_set.load_functions()[0]
        results = result_file.Results(self.folder / "results.jsonl")
        for searcher, seed in (("optuna-gp", 0), ("optuna-gp", 1), ("optuna-gp", 4), ("prova-tpe", 0)):
            results.add(result(searcher, seed, [problem.optimum + seed + 1] * 60))
        results.add(result("optuna-gp", 2, [problem.optimum + 3] * 25, evaluations=25))
        figures = figure_set.Figures([problem], [results])
        recorded = json.loads(figure_set.record(figures, [problem], "5"))
        again = figure_set.Figures([problem], [], recorded)
        self.assertEqual(again.at("optuna-gp", problem), [1.0, 2.0])
        self.assertEqual(again.at("optuna-gp", problem, 25), [1.0, 2.0, 3.0])
        self.assertEqual(again.searchers(), ["optuna-gp"])


class Runs(InFolder):
    def search(self, searches, *more):
        argv = [sys.executable, "-B", BENCH / "quality/prova_search.py", os.environ["PROVA_LIBRARY"],
                self.folder / "prova.jsonl", "--searches", searches, "--problems", "function-branin", *more]
        done = subprocess.run([str(one) for one in argv], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def lines(self):
        return [json.loads(line) for line in (self.folder / "prova.jsonl").read_text().splitlines()]

    def test_a_run_goes_on_where_it_ended_and_repeats_nothing(self):
        self.search("random,tpe", "--seeds", "0:1")
        first = self.lines()
        self.assertEqual([one["searcher"] for one in first], ["prova-random", "prova-tpe"])
        self.search("random,tpe", "--seeds", "0:2")
        self.assertEqual(self.lines()[:2], first)
        self.assertEqual(len(self.lines()), 4)

    def test_a_run_may_be_shorter_and_is_made_whole_later(self):
        self.search("tpe", "--seeds", "0:1", "--evaluations", "25")
        self.search("tpe", "--seeds", "0:1")
        self.search("tpe", "--seeds", "0:1", "--evaluations", "25")
        short, whole = self.lines()
        self.assertEqual((short["evaluations"], len(short["best"]), whole["evaluations"]), (25, 25, 60))
        self.assertEqual(whole["best"][:25], short["best"])

    def test_workers_have_their_points_pending_and_lose_none(self):
        self.search("tpe", "--seeds", "0:1", "--workers", "8")
        (one,) = self.lines()
        self.assertEqual((one["searcher"], len(one["best"])), ("prova-tpe@8", 60))
        self.assertEqual(one["best"], sorted(one["best"], reverse=True))

    def test_table_picture_and_rows_come_of_it(self):
        self.search("random,tpe", "--seeds", "0:3")
        problems = problem_set.load_functions()
        version = result_file.version_of(pathlib.Path(os.environ["PROVA_LIBRARY"]))
        results = result_file.Results(self.folder / "prova.jsonl", version)
        figures = figure_set.Figures(problems, [results])
        self.assertIn("| prova-tpe | 3 |", report.write(figures, problems, None))
        xml.etree.ElementTree.fromstring(picture.draw(figures, problems))
        rows = {row["name"]: row for row in judge.rows(figures, problems)}
        self.assertGreater(rows["quality.function-branin"]["value"], 0)

    def test_a_search_that_is_not_there_is_said(self):
        argv = [sys.executable, "-B", BENCH / "quality/prova_search.py", os.environ["PROVA_LIBRARY"],
                self.folder / "prova.jsonl", "--searches", "nosuch"]
        done = subprocess.run([str(one) for one in argv], capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("nosuch", done.stderr)


if __name__ == "__main__":
    unittest.main()

"""Experiments that begin with what is known already: from a list, a CSV, an earlier experiment."""

import json
import sqlite3
import unittest

from harness import Case


class WarmStart(Case):
    def trials(self, name: str) -> list:
        return self.json("trials", name)["trials"]

    def test_an_export_of_one_experiment_starts_another(self):
        self.prova("run", "sweep.yaml")
        exported = self.prova("export", "line").stdout
        self.write("known.csv", exported)
        self.sweep(name="second", warm_start="{csv: known.csv}", search="{name: tpe, startup: 4}")
        self.prova("run", "sweep.yaml")
        trials = self.trials("second")
        self.assertEqual(len(trials), 6)  # what is known counts as no trial
        known = {trial["params"]["x"] for trial in self.trials("line")}
        self.assertFalse(known & {trial["params"]["x"] for trial in trials})
        events = [event["text"] for event in self.json("show", "second")["events"] if event["kind"] == "warm start"]
        self.assertEqual(events, ["6 known points (0 failed), 0 to be tried first"])

    def test_an_earlier_experiment_may_be_gone_afterwards(self):
        self.prova("run", "sweep.yaml")
        self.sweep(name="second", warm_start="line", search="{name: tpe, startup: 4}")
        self.prova("run", "sweep.yaml")
        whole = [trial["params"] for trial in self.trials("second")]
        self.prova("rm", "line", "--force")
        kept = json.loads(sqlite3.connect(self.dir / "prova.db").execute(
            "SELECT spec_json FROM experiments WHERE name = 'second'").fetchone()[0])
        self.assertEqual(len(kept["warm_start"]["table"].splitlines()), 7)
        # The same again from the table that was kept: the same suggestions.
        self.write("known.csv", kept["warm_start"]["table"])
        self.sweep(name="third", warm_start="{csv: known.csv}", search="{name: tpe, startup: 4}")
        self.prova("run", "sweep.yaml")
        self.assertEqual([trial["params"] for trial in self.trials("third")], whole)

    def test_after_a_kill_it_goes_on_as_if_nothing_had_happened(self):
        self.prova("run", "sweep.yaml")
        settings = {"warm_start": "{experiment: line, database: prova.db}", "search": "{name: tpe, startup: 4}"}
        self.sweep(name="whole", **settings)
        self.prova("run", "sweep.yaml")
        self.sweep(name="killed", **settings)
        self.make_gate()
        process = self.popen("run", "sweep.yaml")
        for _ in range(3):
            self.await_started()
            self.let_one_through()
        self.await_started()
        self.kill(process)
        self.open_gate()
        self.prova("rm", "line", "--force")
        self.prova("resume", "killed")
        self.assertEqual([trial["params"] for trial in self.trials("killed")],
                         [trial["params"] for trial in self.trials("whole")])

    def test_points_to_try_are_the_first_trials(self):
        self.sweep(warm_start="{points: [{x: 0.125}, {x: 0.5, loss: 0.5}, {x: 0.25}]}", search="random")
        self.prova("run", "sweep.yaml", "--workers", "2")
        values = [trial["params"]["x"] for trial in self.trials("line")]
        self.assertEqual(values[:2], [0.125, 0.25])
        self.assertEqual(len(values), 6)

    def test_check_says_what_is_known(self):
        self.prova("run", "sweep.yaml")
        self.sweep(name="second", warm_start="line")
        self.assertIn("6 known points, of them 0 failed; 0 to be tried first", self.prova("check", "sweep.yaml").stdout)
        self.sweep(name="second", warm_start="nothing")
        result = self.prova("check", "sweep.yaml", status=2)
        self.assertIn("warm_start from 'nothing'", result.stderr)
        self.assertRegex(result.stderr, r"^sweep.yaml:\d+:\d+: error: ")

    def test_an_experiment_of_another_objective_is_refused(self):
        self.prova("run", "sweep.yaml")
        self.sweep(name="second", metric="{name: loss, goal: maximize}", warm_start="line")
        result = self.prova("run", "sweep.yaml", status=2)
        self.assertIn("its objective is to minimize 'loss', not to maximize 'loss'", result.stderr)
        self.prova("show", "second", status=2)  # nothing was started


if __name__ == "__main__":
    unittest.main()

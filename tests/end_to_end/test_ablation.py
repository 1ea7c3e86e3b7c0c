"""Ablation studies, typed at as a user would: the trials they make, what a command is told, and the report."""

import csv
import io
import json
import os
import signal
import unittest

from harness import Case

# The loss is 1, more by 2 without age, less by 0.5 without noise, and a trial without layer 2 fails. A little
# comes from the seed, and a little that is the trial's own.
TRIAL = """#!/bin/sh
if [ -p started ]; then echo "$PPID $PROVA_TRIAL $PROVA_ATTEMPT" > started; fi
if [ -p gate ]; then cat gate > /dev/null; fi
base=10000
case ",$PROVA_ABLATED," in *,feature:age,*) base=30000 ;; esac
case ",$PROVA_ABLATED," in *,feature:noise,*) base=5000 ;; esac
case ",$PROVA_ABLATED," in *,layer:2,*) echo 'no such layer' >&2; exit 3 ;; esac
loss=$((base + PROVA_SEED % 100 + PROVA_TRIAL * PROVA_TRIAL % 17))
echo "without '$1', $PROVA_PARAMS"
for step in 1 2 3; do echo "prova: step=$step loss=$((loss + 3 - step))"; done
"""

STUDY = """\
name: study
train: {command: [./trial.sh, "${ablated}"], grace_s: 2}
metric: {name: loss, goal: minimize}
parameters: {drop: {min: 0.0, max: 0.9, default: 0.5}}
context: ablation
ablation:
  features: [age, noise, other]
  layers: [2]
  groups: {both: [age, other]}
  parameters: {drop: 0}
  repeats: 4
seed: 5
"""


class Study(Case):
    def setUp(self) -> None:
        super().setUp()
        self.write("trial.sh", TRIAL).chmod(0o755)
        self.write("sweep.yaml", STUDY)

    def assert_report(self, document: dict) -> None:
        components = {c["component"]: c for c in document["components"]}
        order = [c["component"] for c in document["components"]]
        self.assertEqual(set(order[:2]), {"feature:age", "group:both"})
        self.assertEqual(order[-2:], ["feature:noise", "layer:2"])
        self.assertEqual([c["rank"] for c in document["components"]], [1, 2, 3, 4, 5, None])
        self.assertEqual(document["ablation"]["base"]["n_values"], 4)
        age, failed = components["feature:age"], components["layer:2"]
        self.assertAlmostEqual(age["change"], 20000, delta=17)
        self.assertLess(age["low"], age["change"])
        self.assertGreater(age["high"], age["change"])
        self.assertLess(age["p_holm"], 0.001)
        self.assertGreater(age["p_holm"], age["p"])
        self.assertEqual(components["group:both"]["left_out"], ["feature:age", "feature:other", "group:both"])
        self.assertEqual((failed["state"], failed["n_failed"], failed["n_values"]), ("failed", 4, 0))
        self.assertEqual([failed[key] for key in ("mean", "change", "low", "p", "p_holm")], [None] * 5)

    def test_components_are_ranked_and_failed_ones_are_failed(self):
        result = self.json("run", "sweep.yaml", "--quiet", "--workers", "2")
        self.assertEqual((result["counts"]["COMPLETED"], result["counts"]["FAILED"]), (24, 4))
        self.assert_report(result)
        self.assert_report(self.json("show", "study"))
        self.assert_report(json.loads(self.prova("export", "study", "--format", "json").stdout))

    def test_the_report_is_a_table_at_the_end_and_in_show(self):
        for shown in (self.prova("run", "sweep.yaml").stdout, self.prova("show", "study").stdout):
            lines = [line.split() for line in shown.splitlines()]
            self.assertIn(["RANK", "LEFT", "OUT", "loss", "CHANGE", "95", "%", "INTERVAL", "P", "(HOLM)", "TRIALS"],
                          lines)
            ranked = {line[1]: line for line in lines if len(line) > 5 and line[0].isdigit()}
            self.assertEqual(ranked["feature:noise"][0], "5")
            self.assertTrue(ranked["feature:age"][3].startswith("+"))
            self.assertIn(["failed", "layer:2", "-", "-", "-", "-", "0,", "4", "failed"], lines)

    def test_the_report_as_csv(self):
        self.prova("run", "sweep.yaml")
        rows = list(csv.DictReader(io.StringIO(self.prova("export", "study", "--components").stdout)))
        self.assertEqual([row["rank"] for row in rows], ["1", "2", "3", "4", "5", ""])
        both = next(row for row in rows if row["component"] == "group:both")
        self.assertEqual(both["left_out"], "feature:age,feature:other,group:both")
        self.assertEqual((both["kind"], both["name"]), ("group", "both"))
        self.assertEqual((rows[-1]["state"], rows[-1]["mean"], rows[-1]["n_failed"]), ("failed", "", "4"))

    def test_a_name_that_the_function_does_not_know_is_told(self):
        self.write("trial.sh", TRIAL.replace("PROVA_TRIAL * PROVA_TRIAL", "0"))
        shown = self.prova("run", "sweep.yaml").stdout
        self.assertIn("no change at all without feature:other, parameter:drop: does the function ask", shown)

    def test_check_says_what_it_would_run(self):
        self.assertIn("variants    7, in 4 repeats: base, feature:age, feature:noise, ",
                      self.prova("check", "sweep.yaml").stdout)

    def test_of_all_but_one_the_report_says_what_is_kept(self):
        result = self.json("run", "sweep.yaml", "--quiet", "--set", "ablation.mode=only", "--set",
                           "ablation.layers=null")
        kept = {c["component"]: c["kept"] for c in result["components"]}
        self.assertEqual(kept["only feature:age"], ["feature:age"])
        self.assertEqual(kept["only group:both"], ["feature:age", "feature:other", "group:both"])
        self.assertIn("only feature:age,only,only feature:age,,compared,", self.prova("export", "--components").stdout)

    def test_what_is_no_study_has_no_components(self):
        self.prova("run", "sweep.yaml", "--set", "context=single")
        self.assertIn("no ablation study", self.prova("export", "--components", status=2).stderr)
        self.assertNotIn("components", self.json("show", "study"))

    def test_a_trial_says_what_it_leaves_out_and_repeats_share_the_seed(self):
        self.prova("run", "sweep.yaml", "--workers", "2")
        trials = self.json("trials", "study")["trials"]
        self.assertEqual([(t["variant"], t["repeat"]) for t in trials[:8]],
                         [(name, 1) for name in ("base", "feature:age", "feature:noise", "feature:other", "layer:2",
                                                 "parameter:drop", "group:both")] + [("base", 2)])
        self.assertEqual([t["params"]["drop"] for t in trials[:7]], [0.5] * 5 + [0, 0.5])
        self.assertIn("without '', ", self.prova("logs", "study", "1").stdout)
        self.assertIn("without 'feature:age,feature:other,group:both', ", self.prova("logs", "study", "7").stdout)
        self.assertIn("without 'parameter:drop', {\"drop\":0", self.prova("logs", "study", "6").stdout)
        values = {t["trial"]: t["value"] for t in trials}
        own = lambda trial: trial * trial % 17  # noqa: E731
        self.assertEqual(values[1] - own(1), values[4] - own(4))  # one repeat, one seed
        self.assertNotEqual(values[1] - own(1), values[8] - own(8))
        rows = list(csv.DictReader(io.StringIO(self.prova("export", "study").stdout)))
        self.assertEqual((rows[7]["variant"], rows[7]["repeat"]), ("base", "2"))

    def test_killed_and_resumed_it_has_every_trial_once(self):
        self.make_gate()
        process = self.popen("run", "sweep.yaml", "--workers", "2")
        for _ in range(3):
            self.await_started()
            self.let_one_through()
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        self.open_gate()
        self.assert_report(self.json("resume", "study"))
        trials = self.json("trials", "study")["trials"]
        self.assertEqual([t["trial"] for t in trials], list(range(1, 29)))

    def test_the_report_of_an_unfinished_study_has_what_there_is(self):
        self.prova("run", "sweep.yaml", "--set", "limits.trials=3")
        components = {c["component"]: c["state"] for c in self.json("show")["components"]}
        self.assertEqual(components["feature:noise"], "compared")
        self.assertEqual(components["group:both"], "missing")

    def test_trials_are_stopped_early_by_a_rule(self):
        # without age it goes on until it is stopped
        self.write("trial.sh", TRIAL + 'if [ $base = 30000 ]; then exec sleep 1000; fi\n')
        result = self.json("run", "sweep.yaml", "--quiet", "--set", "stopping={name: threshold, step: 1, value: 20000}")
        stopped = {c["component"]: c["n_stopped"] for c in result["components"]}
        self.assertEqual((stopped["feature:age"], stopped["group:both"], stopped["feature:other"]), (4, 4, 0))

    def test_a_schedule_gives_budgets(self):
        self.json("run", "sweep.yaml", "--quiet", "--set",
                           "schedule={name: asha, min_budget: 1, max_budget: 3, eta: 3}")
        trials = self.json("trials", "study")["trials"]
        self.assertEqual(len(trials), 28)
        self.assertIn(3, {t["budget"] for t in trials})
        self.assertIn(1, {t["budget"] for t in trials})

    def test_the_same_file_runs_in_every_context(self):
        self.prova("run", "sweep.yaml", "--set", "context=single")
        self.assertEqual(len(self.json("trials", "study")["trials"]), 1)
        shown = self.prova("show", "study").stdout
        self.assertRegex(shown, r"(?m)^context +single$")
        self.assertNotRegex(shown, r"(?m)^(search|schedule|stopping) ")
        self.prova("run", "sweep.yaml", "--set", "context=optimization", "--set", "limits.trials=3")
        shown = self.prova("show", "study").stdout
        self.assertRegex(shown, r"(?m)^search +")
        self.assertNotRegex(shown, r"(?m)^context ")
        trials = self.json("trials", "study")["trials"]
        self.assertEqual(len({t["params"]["drop"] for t in trials}), 3)
        self.assertNotIn("variant", trials[0])

    def test_faults_are_told_before_anything_starts(self):
        for setting, text in (
            ("ablation.features=[age, age]", "feature 'age' is there twice"),
            ("ablation.groups={both: [age, othr]}", "no component is called 'othr'; did you mean 'other'?"),
            ("ablation.layers=['']", "the name of a layer is empty"),
            ("ablation={repeats: 3}", "there is nothing to leave out"),
            ("ablation=null", "needs a section 'ablation'"),
        ):
            self.assertIn(text, self.prova("run", "sweep.yaml", "--set", setting, status=2).stderr)
        self.write("sweep.yaml", STUDY.replace("[2]", "[2, 2]"))
        self.assertIn("sweep.yaml:8:15: error: layer '2' is there twice",
                      self.prova("check", "sweep.yaml", status=2).stderr)
        self.assertFalse((self.dir / "prova.db").exists())


if __name__ == "__main__":
    unittest.main()

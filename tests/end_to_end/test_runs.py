"""`prova run` from beginning to end, and what it says of bad files and bad commands."""

import json
import os
import signal
import sqlite3
import unittest

from harness import Case, interrupt


class Run(Case):
    def test_a_sweep_runs_to_its_end(self):
        result = self.prova("run", "sweep.yaml", "--workers", "2")
        self.assertIn("best", result.stdout)
        self.assertIn("prova trials line", result.stderr)
        shown = self.assert_complete()
        best = min(shown, key=lambda trial: trial["value"])
        self.assertEqual(self.json("best", "line")["best"]["trial"], best["trial"])

    def test_json_is_one_object_on_stdout(self):
        result = self.prova("run", "sweep.yaml", "--json", "--quiet")
        document = json.loads(result.stdout)
        self.assertEqual(result.stdout.count("\n"), 1)
        self.assertEqual(result.stderr, "")
        self.assertEqual(document["experiment"]["state"], "completed")
        self.assertEqual(document["counts"]["COMPLETED"], 6)
        self.assertEqual(set(document["best"]), {"trial", "value", "params"})
        self.assertGreater(document["seconds"], 0)

    def test_steps_that_count_from_0_are_all_counted(self):
        # Trial 1 takes ten steps; trial 2 is stopped after the first, and waits for that.
        self.write("trial.sh", """#!/bin/sh
echo "prova: step=0 loss=$1"
if [ "$1" = 2 ]; then sleep 60; fi
for step in 1 2 3 4 5 6 7 8 9; do echo "prova: step=$step loss=$1"; done
""")
        self.write("sweep.yaml", """
name: line
train: {command: [./trial.sh, "${x}"]}
metric: loss
parameters: {x: {values: [1, 2]}}
search: grid
stopping: {name: threshold, value: 1.5, step: 0}
""")
        result = self.prova("run", "sweep.yaml", "--workers", "1")
        self.assertIn("early stopping saved 9 steps (45 %)", result.stdout)

    def test_settings_are_changed_from_the_command_line(self):
        self.prova("run", "sweep.yaml", "--set", "limits.trials=2", "--set", "name=other")
        self.assert_complete(2, "other")

    def test_progress_off_a_terminal_is_plain_lines(self):
        result = self.prova("run", "sweep.yaml")
        self.assertIn("line: ", result.stderr)
        self.assertNotIn("\r", result.stderr)
        self.assertNotIn("\033", result.stderr)

    def test_the_record_has_command_line_and_source(self):
        self.prova("run", "sweep.yaml", "--set", "limits.trials=1")
        shown = self.json("show", "line")["experiment"]
        self.assertIn("--set limits.trials=1", shown["command_line"])

    def test_nothing_is_left_of_the_private_endpoint(self):
        runtime = self.dir / "runtime"
        runtime.mkdir()
        self.prova("run", "sweep.yaml", env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)})
        self.assertEqual(list(runtime.iterdir()), [])

    def test_interrupted_once_it_is_resumed_to_the_exact_number(self):
        self.make_gate()
        process = self.popen("run", "sweep.yaml", "--workers", "2")
        self.await_started()
        self.let_one_through()
        self.await_started()
        interrupt(process)
        result = self.finish(process, 130)
        self.assertIn("prova resume line", result.stderr)
        self.assertEqual(self.json("show", "line")["experiment"]["state"], "interrupted")
        self.open_gate()
        self.prova("resume", "line")
        self.assert_complete()

    def test_sigterm_is_like_ctrl_c(self):
        self.make_gate()
        process = self.popen("run", "sweep.yaml")
        self.await_started()
        process.send_signal(signal.SIGTERM)
        self.finish(process, 130)
        self.assertEqual(self.json("show", "line")["experiment"]["state"], "interrupted")

    def test_interrupted_twice_it_ends_at_once(self):
        # The trial does not mind SIGTERM, so one Ctrl-C would wait for its grace period of 60 s.
        self.write("trial.sh", "#!/bin/sh\ntrap '' TERM\necho 0 0 0 > started\nwhile :; do read line < gate; done\n")
        self.sweep(train='{command: [./trial.sh], grace_s: 60}')
        self.make_gate()
        process = self.popen("run", "sweep.yaml")
        self.await_started()
        interrupt(process)
        line = ""
        while "once more" not in line:
            line = process.stderr.readline()
            self.assertNotEqual(line, "", "it ended before it was interrupted twice")
        interrupt(process)
        result = self.finish(process, 130)
        self.assertIn("prova resume line", result.stderr)

    def test_a_complete_experiment_is_not_resumed(self):
        self.prova("run", "sweep.yaml")
        self.assertIn("complete", self.prova("resume", "line", status=2).stderr)

    def test_stop_ends_a_run_from_elsewhere(self):
        self.make_gate()
        process = self.popen("run", "sweep.yaml")
        self.await_started()
        self.prova("stop", "line")
        self.finish(process, 130)
        self.open_gate()
        self.prova("resume")
        self.assert_complete()


class BadFiles(Case):
    def assert_nothing_happened(self):
        self.assertEqual({path.name for path in self.dir.iterdir()}, {"sweep.yaml", "trial.sh"})

    def test_every_fault_is_said_at_its_place(self):
        self.write(
            "sweep.yaml",
            "name: line\ntrain: {command: [./trial.sh]}\nparameters:\n"
            "  x: {type: double, min: 2.0, max: 1.0}\n  y: {typ: int, min: 1, max: 3}\nserch: {name: random}\n",
        )
        result = self.prova("run", "sweep.yaml", status=2)
        for text in ("sweep.yaml:4:", "sweep.yaml:5:", "sweep.yaml:6:1: error: ", "'type'", "'search'"):
            self.assertIn(text, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assert_nothing_happened()

    def test_a_misspelt_search_is_answered_with_a_suggestion(self):
        self.sweep(search="{name: randon}")
        self.assertIn("random", self.prova("run", "sweep.yaml", status=2).stderr)
        self.assert_nothing_happened()

    def test_no_train_section(self):
        self.write("sweep.yaml", "parameters:\n  x: {type: double, min: 0.0, max: 1.0}\n")
        self.assertIn("train", self.prova("run", "sweep.yaml", status=2).stderr)
        self.assert_nothing_happened()

    def test_no_such_file(self):
        self.assertIn("missing.yaml", self.prova("run", "missing.yaml", status=2).stderr)
        self.assert_nothing_happened()

    def test_a_bad_setting_names_itself(self):
        result = self.prova("run", "sweep.yaml", "--set", "limits.trails=3", status=2)
        self.assertIn("limits.trails", result.stderr)
        self.assertIn("trials", result.stderr)
        self.assert_nothing_happened()


class BadCommands(Case):
    def test_a_command_that_always_fails_ends_the_experiment(self):
        self.write("trial.sh", "#!/bin/sh\necho boom >&2\nexit 3\n")
        self.sweep(limits="{trials: 50, failures: 4}")
        result = self.prova("run", "sweep.yaml", status=1)
        self.assertIn("failed in a row", result.stderr)
        shown = self.json("trials", "line")["trials"]
        self.assertEqual([trial["state"] for trial in shown], ["FAILED"] * 4)
        self.assertIn("3", shown[0]["text"])
        self.assertIn("boom", self.prova("logs", "line", "1").stdout)

    def test_a_command_that_does_not_exist(self):
        self.sweep(train="{command: [./no-such-program]}", limits="{trials: 50, failures: 2}")
        self.assertIn("no-such-program", self.prova("run", "sweep.yaml", status=1).stderr)

    def test_a_metric_that_never_comes(self):
        self.write("trial.sh", "#!/bin/sh\necho 'prova: step=1 accuracy=1'\n")
        self.sweep(limits="{trials: 3}")
        result = self.prova("run", "sweep.yaml", status=1)
        self.assertIn("loss", result.stderr)

    def test_nan_is_a_failure_and_never_best(self):
        self.write("trial.sh", '#!/bin/sh\n[ "$PROVA_TRIAL" = 2 ] && echo "prova: loss=nan" || echo "prova: loss=$1"\n')
        self.prova("run", "sweep.yaml")
        shown = {trial["trial"]: trial for trial in self.json("trials", "line")["trials"]}
        self.assertEqual(shown[2]["state"], "FAILED")
        self.assertNotEqual(self.json("best", "line")["best"]["trial"], 2)

    def test_trials_report_through_the_command(self):
        self.write("trial.sh", '#!/bin/sh\n"$PROVA" report --step 7 loss="$1" other=2\n')
        from harness import PROVA

        self.prova("run", "sweep.yaml", env={**os.environ, "PROVA": PROVA})
        for trial in self.json("trials", "line")["trials"]:
            self.assertEqual((trial["state"], trial["n_reports"]), ("COMPLETED", 1))
        rows = self.prova("export", "line", "--reports").stdout.splitlines()
        self.assertEqual(len(rows), 1 + 2 * 6)


class Databases(Case):
    def test_of_a_newer_version(self):
        self.prova("run", "sweep.yaml", "--set", "limits.trials=1")
        with sqlite3.connect(self.dir / "prova.db") as db:
            db.execute("PRAGMA user_version = 999")
        db.close()
        for command in (("run", "sweep.yaml"), ("ls",)):
            self.assertIn("newer", self.prova(*command, status=1).stderr)

    def test_of_another_program(self):
        self.write("prova.db", "this is a diary\n" * 100)
        result = self.prova("run", "sweep.yaml", status=2)
        self.assertIn("--db", result.stderr)
        self.assertEqual((self.dir / "prova.db").read_text(), "this is a diary\n" * 100)

    def test_where_nothing_can_be_written(self):
        result = self.prova("run", "sweep.yaml", "--db", "/proc/prova.db", status=1)
        self.assertIn("/proc/prova.db", result.stderr)

    def test_in_use_by_another_driver(self):
        self.make_gate()
        first = self.popen("run", "sweep.yaml")
        self.await_started()
        result = self.prova("run", "sweep.yaml", status=1)
        self.assertIn(str(first.pid), result.stderr)
        interrupt(first)
        self.finish(first, 130)

    def test_that_is_not_there(self):
        result = self.prova("ls", status=2)
        self.assertIn("prova.db", result.stderr)
        self.assertFalse((self.dir / "prova.db").exists())


if __name__ == "__main__":
    unittest.main()

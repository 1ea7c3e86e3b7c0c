import ctypes
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import unittest

import prova
from prova import errors
from support import InFolder


class TrainingFunctions(InFolder):
    def test_parameters_come_by_name_and_the_best_is_found(self):
        result = self.lagom(lambda x: (x - 0.3) ** 2, trials=20)
        self.assertEqual(result.counts["COMPLETED"], 20)
        self.assertEqual(result.best_value, min(t.value for t in result.trials))
        self.assertEqual((result.best_params["x"] - 0.3) ** 2, result.best_value)

    def test_everything_that_may_be_asked_for(self):
        def train(hparams, reporter, trial, model, dataset, x, absent=5):
            assert hparams == {"x": x} and model == ("model", x) and dataset == [1, 2] and absent == 5
            assert trial.number >= 1 and trial.attempt == 1 and prova.current_trial() is trial
            assert os.path.isdir(trial.directory)
            reporter.broadcast(x)
            reporter.broadcast(x / 2)
            prova.report(9, 0.25, other=7)

        result = self.lagom(train, model=lambda x: ("model", x), dataset=lambda: [1, 2])
        self.assertEqual(result.best_value, 0.25)
        self.assertEqual(result.trials[0].curve(), ([0, 1, 9], [result.trials[0].params["x"],
                                                                result.trials[0].params["x"] / 2, 0.25]))
        self.assertEqual(result.trials[0].curve("other"), ([9], [7.0]))

    def test_a_dict_of_metrics_is_kept_whole(self):
        result = self.lagom(lambda **p: {"loss": p["x"], "accuracy": 0.5})
        self.assertEqual(result.best_value, result.best_params["x"])
        self.assertEqual(result.trials[0].curve("accuracy"), ([0], [0.5]))

    def test_conditional_parameters_that_are_not_active_are_none_or_their_default(self):
        space = {"solver": prova.categorical(["sgd", "adam"]), "momentum": prova.double(0, 1, when={"solver": "sgd"})}

        def train(solver, momentum, trial):
            assert (momentum is None) == (solver == "adam") == ("momentum" not in trial.params)
            return 1.0

        self.assertEqual(self.lagom(train, parameters=space, trials=10).counts["COMPLETED"], 10)

    def test_unknown_arguments_are_told_before_anything_starts(self):
        for train, words in ((lambda xx: 0, "'xx'.*did you mean 'x'"), (lambda model: 0, "no model generator"),
                             (3, "callable")):
            with self.subTest(words), self.assertRaisesRegex(errors.ConfigError, words):
                self.lagom(train)
        self.assertFalse(os.path.exists("prova.db"))

    def test_trials_draw_different_numbers_that_can_be_had_again(self):
        drawn = [[t.value for t in self.lagom(lambda x: random.random()).trials] for _ in range(2)]
        self.assertEqual(*drawn)
        self.assertEqual(len(set(drawn[0])), 6)

    def test_what_is_printed_is_in_the_log(self):
        result = self.lagom(lambda x: print("hello from", x) or x)
        with open(result.trials[0].log) as log:
            self.assertEqual(log.read(), f"hello from {result.trials[0].params['x']}\n")


class Endings(InFolder):
    def failed(self, train):
        with self.assertRaises(errors.ExperimentFailed) as caught:
            self.lagom(train, trials=2, retries=0)
        trial = caught.exception.result.trials[0]
        self.assertEqual(trial.state, "FAILED")
        self.assertIn(trial.text, str(caught.exception))
        return trial

    def test_an_exception_fails_its_trial_with_its_place_and_keeps_the_traceback(self):
        def train(x):
            raise ValueError("no such luck")

        trial = self.failed(train)
        self.assertRegex(trial.text, r"ValueError: no such luck \(test_lagom.py:\d+ in train\)")
        with open(trial.log) as log:
            self.assertIn("Traceback", log.read())

    def test_an_exception_does_not_end_the_experiment(self):
        def train(x):
            if x < 0.5:
                raise ValueError(x)
            return x

        result = self.lagom(train, trials=12)
        self.assertEqual(result.counts["COMPLETED"] + result.counts["FAILED"], 12)
        self.assertGreaterEqual(result.best_value, 0.5)

    def test_bad_endings_have_words(self):
        rows = ((lambda x: sys.exit(3), "sys.exit.3."), (lambda x: os._exit(4), "exit status 4"),
                (lambda x: ctypes.string_at(0), "signal 11"), (lambda x: "abc", "'abc'"),
                (lambda x: {"acc": 1}, "without 'loss'"), (lambda x: float("nan"), "nan"),
                (lambda x: None, "without a value"))
        for train, words in rows:
            with self.subTest(words):
                self.assertRegex(self.failed(train).text, words)

    def test_an_early_stop_passes_through_except_exception(self):
        def train(x):
            for step in range(10000):
                try:
                    prova.report(step, x + step)
                except Exception:
                    raise AssertionError("it was caught") from None
            raise AssertionError("it was not stopped")

        # A target of which every trial falls short at once.
        result = self.lagom(train, trials=4, stopping={"name": "threshold", "value": -1.0, "step": 1})
        self.assertEqual(result.counts["STOPPED"], 4)
        self.assertIsNotNone(result.trials[0].value)

    def test_functions_that_cannot_travel_are_told(self):
        lock = threading.Lock()

        def train(x):
            with lock:
                return x

        with self.assertRaisesRegex(errors.PicklingError, "lock.*start='fork'"):
            self.lagom(train)
        self.assertEqual(self.lagom(train, start="fork").counts["COMPLETED"], 6)

    def test_a_module_that_a_worker_cannot_import_is_told(self):
        class Needs:
            def __reduce__(self):
                return (__import__, ("a_module_that_is_not_there",))

        needs = Needs()
        with self.assertRaisesRegex(errors.WorkerError, "a_module_that_is_not_there"):
            self.lagom(lambda x: needs and x)

    def test_exceptions_of_the_progress_function_end_the_experiment_and_come_back(self):
        def progress(_progress):
            raise KeyError("mine")

        with self.assertRaisesRegex(KeyError, "mine"):
            self.lagom(lambda x: x, trials=100000, progress=progress)


class Scripts(InFolder):
    """What runs in processes of its own."""

    def script(self, text, **environment):
        with open("script.py", "w") as file:
            file.write("import os, sys, time, prova\n" + textwrap.dedent(text))
        return subprocess.Popen([sys.executable, "script.py"], env={**os.environ, **environment}, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, universal_newlines=True)

    CALL = """
        def train(x):
            for step in range(40):
                prova.report(step, x)
                time.sleep(0.05)
            return x
        try:
            result = prova.lagom(train, name="long", parameters={"x": prova.double(0, 1)}, trials=6, workers=2, seed=1,
                                 progress=lambda p: p.counts["RUNNING"] and print("running", flush=True),
                                 resume="resume" in sys.argv)
        except KeyboardInterrupt as error:
            print("interrupted:", type(error).__name__, error)
        """

    def test_an_interrupt_stops_cleanly_and_the_experiment_goes_on(self):
        process = self.script(self.CALL)
        while "running" not in process.stdout.readline():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertIn("interrupted: Interrupted", out, err)
        self.assertIn("resume=True", out)
        self.assertEqual(prova.connect().experiment("long").state, "interrupted")
        result = prova.lagom(lambda x: x, name="long", parameters={"x": prova.double(0, 1)}, trials=6, progress=False,
                             resume=True)
        self.assertEqual(result.counts["COMPLETED"], 6)

    def test_without_progress_nothing_is_said(self):
        process = self.script("""
            prova.lagom(lambda x: x, parameters={"x": prova.double(0, 1)}, trials=3, workers=1, seed=1, progress=False)
            """)
        self.assertEqual(process.communicate(timeout=60), ("", ""))

    def test_the_same_script_is_the_worker_of_a_driver(self):
        endpoint = f"ipc://{self.folder}/driver"
        driver = subprocess.Popen([os.environ["PROVA_BIN"], "driver", "--listen", endpoint, "--db", "prova.db"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True)
        try:
            while "listening" not in driver.stdout.readline():
                self.assertIsNone(driver.poll())
            process = self.script(f"""
                meeting = {self.folder!r} + "/meeting"
                def train(x):
                    open(f"{{meeting}}-{{os.environ.get('PROVA_PARENT', 'helper')}}", "w").close()
                    while len([f for f in os.listdir({self.folder!r}) if f.startswith("meeting-")]) < 2:
                        time.sleep(0.01)
                    return x
                def say(progress):
                    print(progress.id, flush=True)
                result = prova.lagom(train, parameters={{"x": prova.double(0, 1)}}, trials=4, workers=1, seed=1,
                                     progress=say)
                print("done", result.counts["COMPLETED"])
                """, PROVA_DRIVER=endpoint)
            identity = process.stdout.readline().strip()
            helper = subprocess.run([sys.executable, "script.py"], check=False, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, universal_newlines=True, timeout=60,
                                    env={**os.environ, "PROVA_DRIVER": endpoint, "PROVA_ROLE": "worker",
                                         "PROVA_EXPERIMENT": identity})
            out, err = process.communicate(timeout=60)
            self.assertIn("done 4", out, err)
            self.assertEqual((helper.returncode, helper.stdout), (0, ""), helper.stderr)
        finally:
            driver.terminate()
            driver.communicate(timeout=60)

    def test_no_process_is_left_when_the_caller_is_killed(self):
        process = self.script(self.CALL)
        while "running" not in process.stdout.readline():
            self.assertIsNone(process.poll())
        process.kill()
        # Its workers and driver hold the other ends of these pipes: communicate returns when they have ended.
        process.communicate(timeout=60)


if __name__ == "__main__":
    unittest.main()

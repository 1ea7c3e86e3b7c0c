"""Functions, processes and drivers that misbehave: an exception of prova.errors or a failed trial with words that say
what to do, no hang, and no process that is left."""

import contextlib
import ctypes
import ctypes.util
import math
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
import unittest.mock

import prova
from prova import _ffi, errors
from support import InFolder


def processes_in(folder):
    """Ids and command lines of the processes that work in this folder: drivers, workers, and what trials fork."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if int(pid) != os.getpid() and os.readlink(f"/proc/{pid}/cwd") == folder:
                with open(f"/proc/{pid}/cmdline") as file:
                    found[int(pid)] = file.read().replace("\0", " ")
    return found


class NothingLeft(InFolder):
    def tearDown(self):
        # What was killed is a zombie without a working directory, or nothing: there is no time to be waited for.
        left = processes_in(self.folder)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        super().tearDown()
        self.assertEqual(left, {})

    def each(self, cases):
        """Runs every function of a dict in a trial of one experiment; their records by name."""
        cases = {**cases, "good": lambda: 1.0}
        result = self.lagom(lambda case: cases[case](), parameters={"case": prova.categorical(list(cases))},
                            search="grid", trials=len(cases), retries=0, settings={"limits.failures": 100})
        return {trial.params["case"]: trial for trial in result.trials}


class Number:
    """As a tensor of one element."""

    def __float__(self):
        return 0.5


class Wordless(Exception):
    def __str__(self):
        raise ValueError


def raises(error):
    def train():
        raise error

    return train


def deep():
    return deep()


class Endings(NothingLeft):
    def test_every_bad_ending_fails_its_trial_with_words(self):
        rows = {
            "exit": (lambda: sys.exit(3), r"called sys.exit\(3\)"),
            "_exit": (lambda: os._exit(4), "exit status 4"),
            "abort": (os.abort, "signal 6"),
            "segfault": (lambda: ctypes.string_at(0), "signal 11"),
            "killed": (lambda: os.kill(os.getpid(), signal.SIGKILL), "no retry is left: killed by signal 9"),
            "interrupt": (raises(KeyboardInterrupt("me")), "KeyboardInterrupt: me"),
            "wordless": (raises(Wordless()), r"Wordless \(whose message cannot be had\)"),
            "surrogate": (raises(ValueError("\udcff\0abc")), r"ValueError: .* abc"),
            "deep": (deep, "RecursionError"),
            "memory": (raises(MemoryError()), "MemoryError"),
            "string": (lambda: "0.5", r"must be a number, not '0.5' \(str\)"),
            "list": (lambda: [1.0], r"must be a number, not \[1.0\] \(list\)"),
            "huge": (lambda: 10 ** 400, r"must be a number, not 1000.* \.\.\. \(int\)"),
            "nan": (lambda: math.nan, "nan"),
            "infinity": (lambda: -math.inf, "infinity"),
            "none": (lambda: None, r"without a value of 'loss': .*prova.report\(step, value\)"),
            "no_metric": (lambda: {"accuracy": 1}, "without 'loss', .* it has: accuracy"),
            "text_metric": (lambda: {"loss": 1, "name": "abc"}, r"metric 'name' must be a number, not 'abc' \(str\)"),
            "null_metric": (lambda: {"loss": None}, "metric 'loss' must be a number, not None"),
            "text_step": (lambda: prova.report("a", 1.0),
                          r"a step must be a whole number .*, not 'a' \(str\) .*test_bad_input"),
            "broken_step": (lambda: prova.report(1.5, 1.0), "a step must be a whole number .*, not 1.5"),
            "early_step": (lambda: prova.report(-1, 1.0), "step -1"),
            "late_step": (lambda: prova.report(2 ** 80, 1.0), "a step must be a whole number from 0 to 9"),
            "text_report": (lambda: prova.report(0, "abc"), "what is reported must be a number, not 'abc'"),
            "text_extra": (lambda: prova.report(0, 1.0, acc="abc"), "metric 'acc' must be a number, not 'abc'"),
            "nested": (lambda: prova.lagom(lambda x: x, parameters={"x": prova.double(0, 1)}), "inside trial .*prova.Search"),
        }
        trials = self.each({name: train for name, (train, _) in rows.items()})
        for name, (_, words) in rows.items():
            with self.subTest(name):
                self.assertEqual(trials[name].state, "FAILED")
                self.assertRegex(trials[name].text, words)

    def test_odd_endings_are_good_ones(self):
        def steps():
            for step in (5, 3, 4, 6, 6):
                prova.report(step, step)

        def megabytes():
            for _ in range(20):
                print("y" * 1000000)
            return 0.5

        def pool():
            import multiprocessing
            with multiprocessing.get_context("fork").Pool(2) as processes:
                return sum(processes.map(abs, [-0.25, 0.25]))

        def child_reports():
            if os.fork() == 0:
                for step in range(100000):  # many more than are kept for a driver that does not take them
                    prova.report(step, -9.0)
                os._exit(0)
            return 0.5 + 0 * os.wait()[0]

        def child_returns():
            return 0.5 if os.fork() else -9.0

        def child_stays():
            if os.fork() == 0:
                while True:
                    signal.pause()
            return 0.5

        def closes():
            sys.stdout.close()
            return 0.5

        cases = {"float": Number, "true": lambda: True, "steps": steps, "megabytes": megabytes, "pool": pool,
                 "child_reports": child_reports, "child_returns": child_returns, "child_stays": child_stays, "closes": closes}
        trials = self.each(cases)
        for name, trial in trials.items():
            with self.subTest(name):
                self.assertEqual((trial.state, trial.text), ("COMPLETED", ""))
                self.assertEqual(trial.value, {"true": 1.0, "steps": 6.0, "good": 1.0}.get(name, 0.5))
        self.assertEqual(trials["steps"].curve()[0], [3, 4, 5, 6])
        self.assertGreater(os.path.getsize(trials["megabytes"].log), 20000000)

    def test_numbers_of_numpy_are_values(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("NumPy is not installed")

        def train(x):
            prova.report(numpy.int64(2), numpy.float32(x), other=numpy.array(0.25))
            return {"loss": numpy.float64(x)}

        trial = self.lagom(train).trials[0]
        self.assertEqual((trial.value, trial.curve("other")), (trial.params["x"], ([2], [0.25])))

    def test_a_thread_that_stays_behind_reports_for_no_other_trial(self):
        def train(x, reporter, trial):
            met = threading.Event()

            def late():
                met.wait()
                try:
                    while prova.current_trial() in (None, trial):  # until the next has begun
                        time.sleep(0.001)
                    prova.report(0, -9.0)
                    reporter.broadcast(-9.0)
                except errors.ExistsError as error:
                    with open("late", "w") as file:
                        file.write(str(error))

            if trial.number == 1:
                threading.Thread(target=late, daemon=True).start()
                met.set()
            while trial.number == 2 and not os.path.exists("late"):
                time.sleep(0.001)
            return x

        result = self.lagom(train, trials=2, workers=1)
        self.assertEqual([trial.reports for trial in result.trials], [[], []])
        with open("late") as file:
            self.assertRegex(file.read(), "trial 1 has ended: .*joined")

    def test_programs_that_a_trial_starts_are_no_workers(self):
        def train(x):
            code = "import os; print(sorted({'PROVA_ROLE', 'PROVA_DRIVER', 'PROVA_EXPERIMENT'} & set(os.environ)))"
            return len(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout) - 3

        self.assertEqual(self.lagom(train).best_value, 0.0)


class Drivers(NothingLeft):
    def test_no_driver(self):
        with self.assertRaisesRegex(errors.ConfigError, "'nonsense'.*tcp://"):
            self.lagom(lambda x: x, driver="nonsense")
        for path, words in (("/nonexistent/x.db", "no folder '/nonexistent'; make it"), (self.folder, "it is a folder"),
                            (__file__, "not a database")):
            with self.subTest(words), self.assertRaisesRegex(errors.DriverError, words):
                self.lagom(lambda x: x, database=path)

    def test_a_driver_that_is_killed_is_started_again_and_nothing_is_lost(self):
        killed = []

        def progress(now):
            drivers = [pid for pid, line in processes_in(self.folder).items() if line.startswith("prova driver")]
            if not killed and drivers and now.counts["COMPLETED"]:
                os.kill(drivers[0], signal.SIGKILL)
                killed.append(drivers[0])
                with open("killed", "w"):
                    pass

        def train(trial, x):
            prova.report(0, x)
            while trial.number > 2 and not os.path.exists("killed"):
                time.sleep(0.01)
            return x

        result = self.lagom(train, trials=8, progress=progress)
        self.assertEqual((len(killed), result.counts["COMPLETED"]), (1, 8))
        self.assertEqual({trial.attempt for trial in result.trials}, {1})  # its workers lived, and what they ran went on
        self.assertEqual([trial.curve() for trial in result.trials], [([0], [trial.params["x"]]) for trial in result.trials])

    def start_driver(self):
        driver = subprocess.Popen([os.environ["PROVA_BIN"], "driver", "--listen", self.endpoint, "--db", "prova.db"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True)
        self.addCleanup(driver.stdout.close)
        while "listening" not in driver.stdout.readline():
            self.assertIsNone(driver.poll())
        return driver

    @property
    def endpoint(self):
        return f"ipc://{self.folder}/driver"

    def test_a_driver_of_somebody_else_may_come_back(self):
        driver = [self.start_driver()]

        def progress(now):
            if len(driver) == 1 and now.counts["COMPLETED"]:
                driver[0].kill()
                driver[0].wait()
                driver.append(self.start_driver())
                with open("back", "w"):
                    pass

        def train(trial, x):
            while trial.number > 2 and not os.path.exists("back"):
                time.sleep(0.01)
            return x

        try:
            result = self.lagom(train, trials=8, progress=progress, driver=self.endpoint)
            self.assertEqual((len(driver), result.counts["COMPLETED"]), (2, 8))
            self.assertEqual({trial.attempt for trial in result.trials}, {1})
        finally:
            driver[-1].terminate()
            driver[-1].wait(timeout=60)

    def test_a_driver_of_somebody_else_that_stays_away_is_given_up(self):
        driver = self.start_driver()

        def progress(now):
            if driver.poll() is None and now.counts["RUNNING"]:
                driver.kill()
                driver.wait()

        with self.assertRaisesRegex(errors.DriverTimeout, "gave up after 1 s without a driver at ipc://.*'t' goes on"):
            self.lagom(lambda x: time.sleep(1000), progress=progress, driver=self.endpoint, wait=0.5)
        with self.assertRaisesRegex(errors.DriverTimeout, "no driver answers at ipc://"):
            self.lagom(lambda x: x, driver=self.endpoint, wait=1)
        for wait in (-1, "long", 1e10):
            with self.subTest(wait), self.assertRaisesRegex(errors.ConfigError, "wait must be"):
                self.lagom(lambda x: x, driver=self.endpoint, wait=wait)


class Workers(NothingLeft):
    def test_what_cannot_travel_is_named(self):
        with open("file", "w") as file, self.assertRaisesRegex(errors.PicklingError, "training function.*open files"):
            self.lagom(lambda x: file.write(str(x)))
        lock = threading.Lock()
        with self.assertRaisesRegex(errors.PicklingError, "model or dataset"):
            self.lagom(lambda x, model: x, model=lambda: lock)
        self.assertFalse(os.path.exists("prova.db"))

    def test_a_module_that_a_worker_cannot_import_is_named(self):
        os.mkdir("gone")
        with open("gone/prova_test_gone.py", "w") as file:
            file.write("def train(x):\n    return x\n")
        sys.path.insert(0, f"{self.folder}/gone")
        try:
            import prova_test_gone
            os.remove("gone/prova_test_gone.py")
            with self.assertRaisesRegex(errors.WorkerError, "prova_test_gone.*Is it installed"):
                self.lagom(prova_test_gone.train)
        finally:
            sys.path.pop(0)
            sys.modules.pop("prova_test_gone", None)

    def test_a_class_that_cannot_be_rebuilt_is_told(self):
        class Stubborn:
            def __reduce__(self):
                return (int, ("no number",))

        stubborn = Stubborn()
        with self.assertRaisesRegex(errors.WorkerError, "cannot load the training function: ValueError"):
            self.lagom(lambda x: stubborn and x)


class Versions(unittest.TestCase):
    def test_a_library_without_a_function_of_ours_is_of_another_version(self):
        with self.assertRaisesRegex(errors.VersionError, "has no prova_.*install both from one place"):
            _ffi._declare(ctypes.CDLL(ctypes.util.find_library("m")))

    def test_a_library_of_another_version_is_refused(self):
        library = ctypes.CDLL(_ffi.library._name)
        with unittest.mock.patch.object(_ffi, "VERSION", "99.0.0"), \
                self.assertRaisesRegex(errors.VersionError, "is prova .*, this Python package is 99.0.0"):
            _ffi._declare(library)

    def test_a_library_that_cannot_be_loaded_is_named(self):
        code = "import prova\ntry:\n    prova.Search({})\nexcept prova.errors.NotFoundError as error:\n    print(error)"
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, universal_newlines=True,
                              env={**os.environ, "PROVA_LIBRARY": __file__}, check=True)
        self.assertRegex(done.stdout, "test_bad_input.py is there and cannot be loaded")


if __name__ == "__main__":
    unittest.main()

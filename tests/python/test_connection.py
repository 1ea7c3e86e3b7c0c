import os
import signal
import subprocess
import sys
import unittest
import unittest.mock

import prova
from prova import errors
from support import InFolder


class Databases(InFolder):
    def test_what_was_run_is_found_again(self):
        result = self.lagom(lambda x: print("said") or x)
        experiment = prova.connect().experiment("t")
        self.assertEqual((experiment.id, experiment.name, experiment.state), (result.id, "t", "completed"))
        self.assertEqual([t.value for t in experiment.trials], [t.value for t in result.trials])
        self.assertEqual(experiment.best.number, result.best_trial)
        self.assertEqual(experiment.result().best_params, result.best_params)
        self.assertEqual(experiment.log(1), "said\n")
        self.assertEqual([r.state for r in experiment.follow()], ["completed"])
        self.assertEqual([e.id for e in prova.connect("prova.db").experiments()], [result.id])

    def test_maggys_keys_are_there(self):
        result = self.lagom(lambda x: x)
        values = [t.value for t in result.trials]
        self.assertEqual(result.get("best_hp"), {"x": min(values)})
        self.assertEqual((result["best_val"], result["worst_val"], result["num_trials"]), (min(values), max(values), 6))
        self.assertEqual(set(result), set(dict(result)))
        self.assertIn(f"{min(values):.6g}", repr(result))
        self.assertIn(f"{min(values):.6g}", result._repr_html_())

    def test_what_is_not_there_is_said(self):
        with self.assertRaisesRegex(errors.NotFoundError, "nowhere.db"):
            prova.connect("nowhere.db")
        self.lagom(lambda x: x)
        with self.assertRaises(errors.NotFoundError):
            prova.connect().experiment("another")

    def test_a_trial_that_prints_nothing_has_an_empty_log(self):
        self.lagom(lambda x: x)
        self.assertEqual(prova.connect().experiment("t").log(1), "")
        with self.assertRaisesRegex(errors.ConfigError, "no trial 99"):
            prova.connect().experiment("t").log(99)

    def test_a_driver_that_is_not_there_is_said(self):
        with self.assertRaisesRegex(errors.DriverTimeout, "no driver answers"):
            prova.connect(f"ipc://{self.folder}/nobody").experiments()

    def test_an_experiment_can_be_removed(self):
        self.lagom(lambda x: x)
        prova.connect().experiment("t").remove()
        self.assertEqual(prova.connect().experiments(), [])

    def test_pandas_gets_a_row_a_trial(self):
        try:
            import pandas  # noqa: F401
        except ImportError:
            self.skipTest("pandas is not installed")
        frame = self.lagom(lambda x: x).to_pandas()
        self.assertEqual(list(frame["params.x"]), list(frame["value"]))
        self.assertEqual(list(frame.index), [1, 2, 3, 4, 5, 6])


class Drivers(InFolder):
    def setUp(self):
        super().setUp()
        self.endpoint = f"ipc://{self.folder}/driver"
        self.driver = subprocess.Popen([os.environ["PROVA_BIN"], "driver", "--listen", self.endpoint, "--db", "prova.db"],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True)
        while "listening" not in self.driver.stdout.readline():
            self.assertIsNone(self.driver.poll())
        self.worker = subprocess.Popen([os.environ["PROVA_BIN"], "worker", "--driver", self.endpoint],
                                       stderr=subprocess.DEVNULL)

    def tearDown(self):
        for process in (self.worker, self.driver):
            process.terminate()
            process.wait(timeout=60)
        self.driver.stdout.close()
        super().tearDown()

    def test_a_sweep_of_a_command_is_submitted_and_followed(self):
        connection = prova.connect(self.endpoint)
        experiment = connection.submit(name="echo", parameters={"x": prova.double(0, 1)}, metric="loss", trials=3, seed=1,
                                       settings={"train.command": ["echo", "prova: step=1 loss=${x}"]})
        results = list(experiment.follow(interval=0.05))
        self.assertEqual((results[-1].state, results[-1].counts["COMPLETED"]), ("completed", 3))
        self.assertEqual(len(experiment.trials), 3)
        self.assertEqual([e.id for e in connection.experiments()], [experiment.id])

    def sleep(self):
        return prova.connect(self.endpoint).submit(
            name="sleep", parameters={"x": prova.double(0, 1)}, trials=3, settings={"train.command": ["sleep", "1000"]})

    def test_leaving_the_loop_ends_the_following_alone(self):
        experiment, begun, real = self.sleep(), [], subprocess.Popen
        with unittest.mock.patch("subprocess.Popen", side_effect=lambda *a, **k: begun.append(real(*a, **k)) or begun[-1]):
            for result in experiment.follow():
                self.assertEqual(result.state, "running")
                break
        self.assertEqual([process.returncode for process in begun], [-signal.SIGTERM])
        self.assertEqual(experiment.state, "running")

    def test_ctrl_c_ends_the_following(self):
        self.sleep()
        script = f"import prova\nfor r in prova.connect('{self.endpoint}').experiment().follow(): print(r.state, flush=True)"
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True) as process:
            self.assertEqual(process.stdout.readline(), "running\n")
            process.send_signal(signal.SIGINT)
            self.assertIn("KeyboardInterrupt", process.communicate(timeout=60)[1])

    def test_without_a_driver_following_ends(self):
        experiment = self.sleep()
        following = [prova.connect(where).experiment().follow(interval=0, wait=1) for where in (self.endpoint, "prova.db")]
        for results in following:
            self.assertEqual(next(results).state, "running")
        self.driver.kill()
        self.driver.wait()
        for results in following:
            with self.assertRaisesRegex(errors.DriverError, "gave up after 1 s without a driver"):
                list(results)
        results = prova.connect("prova.db").experiment(experiment.id).follow()
        self.assertEqual(next(results).state, "unfinished")
        with self.assertRaisesRegex(errors.DriverError, "no driver runs 'sleep' any more"):
            next(results)

    def test_a_time_that_makes_no_sense_is_said(self):
        for options in ({"interval": -1}, {"interval": 1e9}, {"wait": "long"}, {"wait": float("nan")}):
            with self.subTest(options), self.assertRaisesRegex(errors.ConfigError, next(iter(options))):
                self.sleep().follow(**options)

    def test_a_running_one_is_stopped(self):
        experiment = self.sleep()
        experiment.stop()
        self.assertEqual(experiment.state, "interrupted")

    def test_a_database_takes_no_experiments(self):
        with self.assertRaisesRegex(errors.ConfigError, "driver"):
            prova.connect("prova.db").submit(name="x")


if __name__ == "__main__":
    unittest.main()

"""A driver, workers and clients as separate processes, ended and killed in every way."""

import json
import os
import re
import signal
import socket
import subprocess
import unittest

from harness import DEADLINE, Case


class Service(Case):
    def start_driver(self, *args: str, listen: str = "tcp://127.0.0.1:*") -> subprocess.Popen:
        process = self.popen("driver", "--listen", listen, "--log-level", "warn", *args)
        line = process.stdout.readline()
        self.assertRegex(line, r"^listening at tcp://127\.0\.0\.1:\d+$", process.poll() and process.stderr.read())
        self.endpoint = line.split()[-1]
        return process

    def start_worker(self, *args: str) -> subprocess.Popen:
        return self.popen("worker", "--driver", self.endpoint, "--log-level", "warn", *args)

    def submit(self, *args: str) -> subprocess.Popen:
        return self.popen("submit", "sweep.yaml", "--driver", self.endpoint, *args)

    def close(self, process: subprocess.Popen) -> None:
        process.terminate()
        self.finish(process, 0)

    def test_a_sweep_on_a_service(self):
        driver = self.start_driver()
        worker = self.start_worker("--slots", "2")
        result = self.finish(self.submit("--json"), 0)
        self.assertEqual(json.loads(result.stdout)["counts"]["COMPLETED"], 6)
        for command in ("ls", "show", "trials", "best"):
            with self.subTest(command):
                self.assertEqual(self.json(command, "--driver", self.endpoint), self.json(command))
        self.close(worker)
        self.close(driver)
        self.assert_complete()

    def test_the_endpoint_is_written_whole_into_a_file(self):
        self.start_driver("--endpoint-file", "endpoint")
        self.assertEqual((self.dir / "endpoint").read_text(), self.endpoint + "\n")

    def test_several_experiments_at_one_time(self):
        self.start_driver()
        first = self.submit("--set", "name=first", "--json")
        second = self.submit("--set", "name=second", "--json")
        self.start_worker("--slots", "2")
        for process in (first, second):
            self.finish(process, 0)
        self.assert_complete(6, "first")
        self.assert_complete(6, "second")

    def test_detached_it_only_says_the_id(self):
        self.start_driver()
        result = self.finish(self.submit("--detach"), 0)
        self.assertRegex(result.stdout, r"^[0-9a-f-]{36}\n$")
        (experiment,) = self.json("ls")["experiments"]
        self.assertEqual((experiment["id"], experiment["live"]), (result.stdout.strip(), True))

    def test_ctrl_c_of_submit_leaves_the_experiment_running(self):
        self.start_driver()
        self.make_gate()
        self.start_worker()
        submit = self.submit()
        self.await_started()
        submit.send_signal(signal.SIGINT)
        self.assertIn("goes on", self.finish(submit, 130).stderr)
        self.assertEqual(self.json("show")["experiment"]["state"], "running")

    def test_a_killed_driver_comes_back_and_finds_the_trial_still_running(self):
        driver = self.start_driver()
        self.make_gate()
        self.start_worker()
        submit = self.submit()
        self.await_started()
        driver.kill()
        driver.wait()
        self.start_driver(listen=self.endpoint)
        self.open_waiting()
        self.finish(submit, 0)
        for trial in self.assert_complete():
            self.assertEqual(trial["attempt"], 1)

    def open_waiting(self) -> None:
        """Lets the trial that waits go on, and those after it run freely."""
        gate = os.open(self.dir / "gate", os.O_WRONLY)
        self.open_gate()
        os.close(gate)

    def test_a_lost_worker_is_replaced_by_another(self):
        self.start_driver("--lease", "1s", "--heartbeat", "200ms")
        self.make_gate()
        worker = self.start_worker()
        submit = self.submit("--set", "limits.trials=1")
        slot, trial, attempt = self.await_started()
        os.kill(slot, signal.SIGSTOP)  # alive, but never heard of again
        self.addCleanup(os.kill, slot, signal.SIGKILL)
        self.start_worker()
        self.assertEqual(self.await_started()[1:], [trial, attempt + 1])
        self.open_waiting()
        self.finish(submit, 0)
        self.assert_complete(1)
        worker.kill()

    def test_a_worker_that_leaves_costs_no_retry(self):
        self.start_driver()
        self.make_gate()
        worker = self.start_worker()
        submit = self.submit("--set", "retries=0")
        self.await_started()
        self.close(worker)
        self.start_worker()
        self.await_started()
        self.open_waiting()
        self.finish(submit, 0)
        self.assert_complete()

    def test_stop_and_resume_at_a_driver(self):
        self.start_driver()
        self.make_gate()
        self.start_worker()
        submit = self.submit()
        self.await_started()
        self.prova("stop", "line", "--driver", self.endpoint)
        self.finish(submit, 130)
        self.assertIn("driver", self.prova("rm", "line", "--force", status=1).stderr)
        self.open_gate()
        self.assertIn("has the database", self.prova("resume", "line").stderr)
        self.assert_complete()

    def test_stop_of_an_experiment_that_waits_for_workers(self):
        self.start_driver()
        self.finish(self.submit("--detach"), 0)
        self.prova("stop")
        self.assertEqual(self.json("show")["experiment"]["state"], "interrupted")

    def test_logs_are_followed_to_the_end_of_the_trial(self):
        self.start_driver()
        self.make_gate()
        self.start_worker()
        self.finish(self.submit("--detach"), 0)  # a trial may begin before its experiment is in the database
        self.await_started()
        logs = self.popen("logs", "line", "1", "--follow")
        self.open_waiting()
        self.assertEqual(self.finish(logs, 0).stdout.count("prova: step="), 3)

    def follow(self, *args: str) -> subprocess.Popen:
        """`prova show --follow`, once it has said how things stand."""
        follow = self.popen("show", "line", "--follow", "--interval", "0", "--json", *args)
        self.assertEqual(json.loads(follow.stdout.readline())["experiment"]["state"], "running")
        return follow

    def assert_followed(self, follow: subprocess.Popen) -> None:
        last = json.loads(self.finish(follow, 0).stdout.splitlines()[-1])
        self.assertEqual((last["experiment"]["state"], last["counts"]["COMPLETED"]), ("completed", 6))

    def test_an_experiment_is_followed_to_its_end(self):
        self.start_driver()
        self.make_gate()
        self.start_worker()
        self.finish(self.submit("--detach"), 0)
        self.await_started()
        follows = [self.follow(), self.follow("--driver", self.endpoint)]
        self.open_waiting()
        for follow in follows:
            self.assert_followed(follow)
        self.assertEqual(self.prova("show", "--follow", "--json").stdout.count("\n"), 1)
        self.assertEqual(self.prova("show", "--follow", "--driver", self.endpoint).stdout.count("experiment  line"), 1)

    def test_a_driver_that_is_started_again_is_followed(self):
        driver = self.start_driver()
        self.finish(self.submit("--detach"), 0)
        follows = [self.follow(), self.follow("--driver", self.endpoint)]
        driver.kill()
        driver.wait()
        self.start_driver(listen=self.endpoint)
        self.start_worker()
        for follow in follows:
            self.assert_followed(follow)

    def test_a_driver_that_is_started_elsewhere_is_followed(self):
        driver = self.start_driver()
        self.finish(self.submit("--detach"), 0)
        follow = self.follow()
        driver.terminate()
        driver.wait()
        self.start_driver()
        self.start_worker()
        self.assert_followed(follow)

    def test_following_ends_without_a_driver(self):
        driver = self.start_driver()
        self.finish(self.submit("--detach"), 0)
        follows = [self.follow("--wait", "1"), self.follow("--wait", "1", "--driver", self.endpoint)]
        driver.kill()
        driver.wait()
        for follow in follows:
            self.assertIn("gave up after 1 s without a driver", self.finish(follow, 1).stderr)
        result = self.prova("show", "--follow", "--json", status=1)
        self.assertIn("no driver runs 'line' any more", result.stderr)
        self.assertEqual(json.loads(result.stdout)["experiment"]["live"], False)

    def test_following_ends_with_whoever_reads(self):
        self.start_driver()
        self.finish(self.submit("--detach"), 0)
        follow = self.follow()
        follow.stdout.close()
        self.assertEqual(follow.wait(self.deadline), 0)

    def test_a_trial_that_prints_nothing_has_an_empty_log(self):
        self.start_driver()
        self.start_worker()
        self.finish(self.submit("--set", "train.command=[\"true\"]", "--set", "limits.trials=1"), 1)
        result = self.prova("logs", "line", "1")
        self.assertEqual((result.stdout, result.stderr), ("", "Trial 1 has printed nothing.\n"))

    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
            result = self.prova("driver", "--listen", endpoint, status=1)
        self.assertIn("in use", result.stderr)

    def test_two_drivers_on_one_database(self):
        driver = self.start_driver()
        result = self.prova("driver", "--listen", "tcp://127.0.0.1:*", status=1)
        self.assertIn(str(driver.pid), result.stderr)
        self.assertIn(self.endpoint, result.stderr)

    def test_other_machines_only_if_it_is_said(self):
        result = self.prova("driver", "--listen", "tcp://0.0.0.0:*", status=2)
        self.assertIn("--insecure", result.stderr)

    def test_a_worker_gives_up_waiting(self):
        self.prova("worker", "--driver", f"ipc://{self.dir}/nobody", "--wait", "1s", status=1)

    def test_a_function_of_a_program_is_not_submitted(self):
        self.write("sweep.yaml", re.sub(r"(?m)^train:.*\n", "", (self.dir / "sweep.yaml").read_text()))
        self.assertIn("train", self.prova("submit", "sweep.yaml", status=2).stderr)


class FullDisk(Case):
    def setUp(self):
        super().setUp()
        self.disk = self.dir / "disk"
        self.disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(self.disk)]
        if os.geteuid() or subprocess.run(mount, stderr=subprocess.DEVNULL, timeout=DEADLINE).returncode:
            self.skipTest("mounting a small disk needs root")
        self.addCleanup(subprocess.run, ["umount", str(self.disk)], check=True)

    def test_the_run_ends_with_a_message_and_goes_on_when_there_is_room(self):
        self.write("trial.sh", '#!/bin/sh\nfor i in $(seq 200); do echo "prova: loss=$1 a=$i b=$i"; done\n')
        result = self.prova("run", "sweep.yaml", "--db", "disk/prova.db", "--set", "limits.trials=100", status=1)
        self.assertIn("full", result.stderr)
        self.assertIn("prova resume line --db disk/prova.db", result.stderr)
        subprocess.run(["mount", "-o", "remount,size=40m", str(self.disk)], check=True)
        self.prova("resume", "line", "--db", "disk/prova.db")
        shown = self.json("trials", "line", "--db", "disk/prova.db")["trials"]
        self.assertEqual([trial["trial"] for trial in shown], list(range(1, 101)))
        self.assertEqual({trial["state"] for trial in shown}, {"COMPLETED"})


if __name__ == "__main__":
    unittest.main()

"""Fleets of mpirun: what becomes of a run whose ranks, whose mpirun or whose driver is killed."""

import json
import os
import pathlib
import select
import shutil
import signal
import sqlite3
import subprocess
import unittest

from harness import DEADLINE, PROVA, Case, interrupt

BUILD = pathlib.Path(PROVA).resolve().parent
HAS_MPI = shutil.which("mpirun") and (BUILD / "libprova_mpi.so").exists()

SWEEP = """\
name: fleet
context: distributed
train: {{library: {library}, function: fleet_train}}
metric: {{name: loss}}
parameters: {{lasting: {{min: 0, max: 9}}}}
distributed: {{workers: 2, runtime: mpi, parameters: {{lasting: {lasting}}}}}
retries: {retries}
"""


@unittest.skipUnless(HAS_MPI, "prova was built without MPI, or there is no mpirun (Debian: libopenmpi-dev, openmpi-bin)")
class Fleets(Case):
    def sweep(self, lasting: int, retries: int) -> None:
        library = os.environ["FLEET_LIBRARY"]
        self.write("sweep.yaml", SWEEP.format(library=library, lasting=lasting, retries=retries))
        os.mkfifo(self.dir / "started")
        # Open for writing too, so that it never ends.
        self.started = os.fdopen(os.open(self.dir / "started", os.O_RDWR), "rb", buffering=0)
        self.addCleanup(self.started.close)

    def await_gang(self) -> dict[int, tuple[int, int, int]]:
        """By rank: process, attempt and number of a gang of two that is at work."""
        ranks = {}
        while len(ranks) < 2:
            ready, _, _ = select.select([self.started], [], [], DEADLINE)
            self.assertTrue(ready, "no gang has begun")
            line = b""
            while not line.endswith(b"\n"):
                line += self.started.read(1)
            pid, attempt, rank, gang = line.split(maxsplit=3)
            ranks[int(rank)] = (int(pid), int(attempt), int(json.loads(gang)["PROVA_GANG"]))
        self.assertEqual(len({gang for _, _, gang in ranks.values()}), 1)
        return ranks

    def lost(self) -> list[str]:
        with sqlite3.connect(self.dir / "prova.db") as database:
            query = "SELECT text FROM events WHERE kind = 'attempt lost'"
            return [text for (text,) in database.execute(query)]

    def check_repeated(self, process: subprocess.Popen, first: dict, words: str) -> None:
        second = self.await_gang()
        done = self.finish(process, 0)
        self.assertEqual([attempt for _, attempt, _ in second.values()], [2, 2])
        self.assertGreater(second[0][2], first[0][2])
        self.assertIn("the MPI fleet has ended, and a new one is started", done.stderr)
        self.assertIn(words, done.stderr)
        self.assertEqual(self.json("best", "fleet")["best"]["value"], 2)
        self.assertEqual(len(self.lost()), 1)
        self.assert_nobody_is_left()

    def test_a_killed_rank_costs_an_attempt(self):
        self.sweep(lasting=1, retries=1)
        process = self.popen("run", "sweep.yaml")
        first = self.await_gang()  # both add up sums without end
        os.kill(first[1][0], signal.SIGKILL)
        self.check_repeated(process, first, "exited on signal 9")

    def test_a_killed_mpirun_costs_an_attempt(self):
        self.sweep(lasting=1, retries=1)
        process = self.popen("run", "sweep.yaml")
        first = self.await_gang()
        stat = pathlib.Path(f"/proc/{first[0][0]}/stat").read_text()
        os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)  # the parent
        self.check_repeated(process, first, "mpirun was killed by signal 9")

    def test_a_trial_that_kills_its_fleet_fails_when_its_retries_are_spent(self):
        self.sweep(lasting=9, retries=1)
        process = self.popen("run", "sweep.yaml")
        for _ in range(2):
            os.kill(self.await_gang()[0][0], signal.SIGSEGV)
        self.finish(process, 1)
        (trial,) = self.json("trials", "fleet")["trials"]
        self.assertEqual((trial["state"], trial["attempt"]), ("FAILED", 2))
        self.assert_nobody_is_left()

    def test_a_killed_driver_takes_its_fleet_along_and_the_run_is_resumed(self):
        self.sweep(lasting=1, retries=0)
        process = self.popen("run", "sweep.yaml")
        first = self.await_gang()
        self.kill(process)
        self.write("over", "")  # the attempt is the first again if the driver was killed before it was on disk
        resumed = self.popen("resume", "fleet")
        second = self.await_gang()
        self.finish(resumed, 0)
        self.assertGreater(second[0][2], first[0][2])
        self.assertEqual(self.json("best", "fleet")["best"]["value"], 2)
        self.assert_nobody_is_left()

    def test_ctrl_c_ends_a_gang_in_good_order(self):
        self.sweep(lasting=1, retries=0)
        process = self.popen("run", "sweep.yaml")
        self.await_gang()
        interrupt(process)
        self.finish(process, 130)
        self.assert_nobody_is_left()
        self.prova("resume", "fleet")
        self.assertEqual(self.json("best", "fleet")["best"]["value"], 2)

    def test_a_fleet_that_dies_again_and_again_ends_the_run_with_its_last_words(self):
        self.sweep(lasting=1, retries=1)
        self.write("mpirun", "#!/bin/sh\necho started >> starts\necho no route to node7 >&2\nexit 3\n").chmod(0o755)
        environment = {**os.environ, "PATH": f"{self.dir}:{os.environ['PATH']}"}
        text = self.prova("run", "sweep.yaml", status=1, env=environment).stderr
        words = "4 fleets in a row have ended before any trial did: mpirun ended with status 3: no route to node7"
        self.assertIn(words, text)
        self.assertIn("prova resume fleet", text)
        self.assertEqual((self.dir / "starts").read_text().count("started"), 4)
        (trial,) = self.json("trials", "fleet")["trials"] or [{"state": "PENDING"}]
        self.assertEqual(trial["state"], "PENDING")

    def test_without_mpirun_it_says_what_is_missing(self):
        self.sweep(lasting=1, retries=1)
        text = self.prova("run", "sweep.yaml", status=2, env={**os.environ, "PATH": str(self.dir)}).stderr
        self.assertIn("runtime mpi needs the command 'mpirun', which is not on the PATH", text)
        self.assertFalse((self.dir / "prova.db").exists())  # before anything begins


if __name__ == "__main__":
    unittest.main()

"""SIGKILL of anything: the experiment still ends with exactly the asked number of trials."""

import os
import signal
import unittest

from harness import Case


class Crashes(Case):
    def test_run_is_killed_and_resumed(self):
        self.make_gate()
        process = self.popen("run", "sweep.yaml", "--workers", "2")
        self.await_started()
        self.let_one_through()
        self.await_started()
        self.kill(process)
        self.open_gate()
        self.prova("resume", "line")
        # The kill was not the trials' fault: it counts against no retries.
        self.assertEqual({trial["n_lost"] for trial in self.assert_complete()}, {0})

    def test_run_is_killed_again_and_again(self):
        self.make_gate()
        command = ("run", "sweep.yaml")
        for _ in range(4):
            process = self.popen(*command)
            self.await_started()
            self.let_one_through()
            self.await_started()
            self.kill(process)
            command = ("resume", "line")
        self.open_gate()
        self.prova("resume", "line")
        self.assert_complete()

    def test_a_slot_is_killed(self):
        self.make_gate()
        process = self.popen("run", "sweep.yaml")
        slot, trial, attempt = self.await_started()
        self.assertEqual((trial, attempt), (1, 1))
        os.kill(slot, signal.SIGKILL)
        again, trial, attempt = self.await_started()
        self.assertEqual((trial, attempt), (1, 2))
        self.assertNotEqual(again, slot)
        self.open_gate_for_waiting()
        self.finish(process, 0)
        shown = {trial["trial"]: trial for trial in self.assert_complete()}
        self.assertEqual(shown[1]["attempt"], 2)

    def open_gate_for_waiting(self) -> None:
        gate = os.open(self.dir / "gate", os.O_WRONLY)
        self.open_gate()
        os.close(gate)

    def test_the_whole_worker_is_killed(self):
        self.make_gate()
        process = self.popen("run", "sweep.yaml", "--set", "train.grace_s=0")
        slot, _, _ = self.await_started()
        with open(f"/proc/{slot}/stat") as stat:
            supervisor = int(stat.read().rsplit(")", 1)[1].split()[1])
        os.kill(supervisor, signal.SIGKILL)
        result = self.finish(process, 1)
        self.assertIn("killed by signal 9", result.stderr)
        self.assertIn("prova resume line", result.stderr)
        self.open_gate()
        self.prova("resume", "line")
        self.assert_complete()

    def test_a_trial_kills_itself(self):
        self.write("trial.sh", '#!/bin/sh\n[ "$PROVA_ATTEMPT" = 1 ] && kill -SEGV $$\necho "prova: loss=$1"\n')
        self.prova("run", "sweep.yaml")
        for trial in self.json("trials", "line")["trials"]:
            self.assertEqual((trial["state"], trial["attempt"]), ("COMPLETED", 2))

    def test_retries_are_spent(self):
        self.write("trial.sh", "#!/bin/sh\nkill -SEGV $$\n")
        self.sweep(limits="{trials: 1}")
        result = self.prova("run", "sweep.yaml", status=1)
        self.assertIn("signal 11", result.stderr)
        (trial,) = self.json("trials", "line")["trials"]
        self.assertEqual((trial["state"], trial["attempt"]), ("FAILED", 2))


if __name__ == "__main__":
    unittest.main()

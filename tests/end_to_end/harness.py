"""What the end-to-end tests share: a folder of its own for each test, and `prova` run in it.

Nothing waits by sleeping: a trial that has begun says so through a FIFO, and one that is to stay waits on
another. DEADLINE only ends a test that would hang.
"""

import json
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import unittest

PROVA = os.environ.get("PROVA_BIN", "prova")
DEADLINE = 60

# One trial: says "started" with its own parent (the slot that runs it), waits at the gate while there is one,
# reports three steps.
TRIAL = """#!/bin/sh
x=$1
if [ -p started ]; then echo "$PPID $PROVA_TRIAL $PROVA_ATTEMPT" > started; fi
if [ -p gate ]; then cat gate > /dev/null; fi
for step in 1 2 3; do echo "prova: step=$step loss=$x"; done
"""

SWEEP = """\
name: line
train: {command: [./trial.sh, "${x}"], grace_s: 2}
metric: {name: loss, goal: minimize}
parameters:
  x: {type: double, min: 0.0, max: 1.0}
limits: {trials: 6}
seed: 1
"""


class Case(unittest.TestCase):
    """One test in a folder of its own."""

    deadline = DEADLINE

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="prova-e2e-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)
        self.write("sweep.yaml", SWEEP)
        self.write("trial.sh", TRIAL).chmod(0o755)

    def write(self, name: str, text: str) -> pathlib.Path:
        path = self.dir / name
        path.write_text(text)
        return path

    def sweep(self, **changes: str) -> None:
        """Writes sweep.yaml with lines replaced, by their key."""
        lines = SWEEP.splitlines()
        for key, value in changes.items():
            lines = [line for line in lines if not line.startswith(key + ":")]
            lines.append(f"{key}: {value}")
        self.write("sweep.yaml", "\n".join(lines) + "\n")

    def popen(self, *args: str, **options: object) -> subprocess.Popen:
        process = subprocess.Popen(
            [PROVA, *args],
            cwd=self.dir,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.addCleanup(self.end, process)
        return process

    def end(self, process: subprocess.Popen) -> None:
        if process.poll() is None:
            process.kill()
        process.communicate()

    def processes(self) -> list[int]:
        """All that work in this test's folder, or below it."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and pathlib.Path(os.readlink(entry / "cwd")).is_relative_to(self.dir):
                    found.append(int(entry.name))
            except OSError:  # it has ended, or is not ours
                pass
        return found

    def assert_nobody_is_left(self) -> None:
        """All of them end, within DEADLINE each."""
        while pids := self.processes():
            for pid in pids:
                try:
                    ended = os.pidfd_open(pid)
                except ProcessLookupError:
                    continue
                with os.fdopen(ended):
                    command = pathlib.Path(f"/proc/{pid}/cmdline")
                    words = command.read_bytes() if command.exists() else b""
                    self.assertTrue(select.select([ended], [], [], DEADLINE)[0], words)

    def kill(self, process: subprocess.Popen) -> None:
        """Kills a run. All that it had started ends too: nobody is left at the gate who would take another's turn."""
        process.kill()
        process.wait()
        self.assert_nobody_is_left()

    def finish(self, process: subprocess.Popen, status: int) -> subprocess.CompletedProcess:
        out, err = process.communicate(timeout=self.deadline)
        self.assertEqual(process.returncode, status, f"\nstdout:\n{out}\nstderr:\n{err}")
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def prova(self, *args: str, status: int = 0, **options: object) -> subprocess.CompletedProcess:
        return self.finish(self.popen(*args, **options), status)

    def json(self, *args: str, status: int = 0) -> dict:
        return json.loads(self.prova(*args, "--json", status=status).stdout)

    def make_gate(self) -> None:
        """From now on a trial says that it has begun, and waits."""
        os.mkfifo(self.dir / "started")
        os.mkfifo(self.dir / "gate")
        # Open for writing too, so that it never ends, and no trial's line is lost or refused.
        fd = os.open(self.dir / "started", os.O_RDWR)
        self.started = os.fdopen(fd, "rb", buffering=0)
        self.addCleanup(self.started.close)

    def open_gate(self) -> None:
        """Trials that begin from now on do not wait."""
        for name in ("started", "gate"):
            (self.dir / name).unlink()

    def await_started(self) -> list[int]:
        """Parent's pid, number and attempt of a trial that has begun and waits."""
        ready, _, _ = select.select([self.started], [], [], DEADLINE)
        self.assertTrue(ready, "no trial has begun")
        line = b""
        while not line.endswith(b"\n"):
            line += self.started.read(1)
        return [int(word) for word in line.split()]

    def let_one_through(self) -> None:
        with open(self.dir / "gate", "w"):
            pass

    def assert_complete(self, trials: int = 6, experiment: str = "line", db: str = "prova.db") -> list[dict]:
        """Exactly so many trials, each once and final, with all their reports."""
        shown = self.json("trials", experiment, "--db", db)["trials"]
        self.assertEqual(sorted(trial["trial"] for trial in shown), list(range(1, trials + 1)))
        for trial in shown:
            self.assertEqual(trial["state"], "COMPLETED", trial)
            self.assertEqual(trial["n_reports"], 3, trial)
        self.assertEqual(self.json("show", experiment, "--db", db)["experiment"]["state"], "completed")
        return shown


def interrupt(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGINT)

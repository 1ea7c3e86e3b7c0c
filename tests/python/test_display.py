"""What is shown of a running experiment: in a notebook, and on a terminal."""

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
import types
import unittest

import prova
from prova import display, errors, result
from support import InFolder

COUNTS = dict.fromkeys(result.STATES, 0)


def progress(**changes):
    values = {"name": "t", "counts": {**COUNTS, "COMPLETED": 1, "RUNNING": 9}, "limit": 20, "best_trial": 1, "best_value": 0.5,
              "seconds": 3.0, "explanation": "auto: gp: few <trials> are planned"}
    return types.SimpleNamespace(**{**values, **changes})


def running():
    some = display.Running()
    some.trials = [prova.TrialRecord(n, "RUNNING", None, {"x": 0.25, "kind": "<b\033[J>"}, 2.0, step=7) for n in (2, 3, 4, 5)]
    return some


class Forms(unittest.TestCase):
    def test_lines_have_some_of_the_running_trials(self):
        first, *rows, last = display.progress_lines(progress(), running())
        self.assertEqual(first, "t: 1/20 trials, 9 running, best 0.5 (trial 1), 3.00 s")
        self.assertEqual(rows[0], "  trial 2: 2.00 s, running, step 7  x=0.25 kind=<b?[J>")
        self.assertEqual((len(rows), last), (4, "  and 5 more running"))

    def test_a_notebook_has_them_below_the_best_and_what_the_search_says(self):
        best = [prova.TrialRecord(1, "COMPLETED", 0.5, {"x": 0.125, "kind": "a"}, 1.0)]
        shown = display.progress_html(progress(), best, running())
        self.assertEqual(shown.count("<tr"), 1 + 1 + 4)
        self.assertIn("running, step 7", shown)
        self.assertIn("and 5 more running", shown)
        self.assertIn("search auto: gp: few &lt;trials&gt; are planned", shown)
        self.assertNotIn("<b", shown.replace("<b>", ""))

    def test_what_has_ended_is_no_longer_shown_as_running(self):
        done = progress(counts={**COUNTS, "COMPLETED": 20}, explanation="")
        self.assertEqual(len(display.progress_lines(done, running())), 1)
        self.assertNotIn("running", display.progress_html(done, [], running()).rpartition("</style>")[2])


    def test_a_driver_that_is_away_ends_nothing(self):
        def source(_identity):
            raise errors.DriverTimeout("no driver answers")

        with contextlib.redirect_stderr(io.StringIO()) as shown:
            self.assertIsNone(display.Terminal(source).update(progress(id="x")))
        self.assertIn("t: 1/20 trials, 9 running", shown.getvalue())


class Screens(InFolder):
    def test_a_terminal_shows_what_runs_and_is_left_with_the_result(self):
        with open("script.py", "w") as file:
            file.write("import os, time, prova\n"
                       "def train(x):\n"
                       "    while not os.path.exists('seen'):\n"
                       "        time.sleep(0.01)\n"
                       "    return x\n"
                       "prova.lagom(train, name='shown', parameters={'x': prova.double(0, 1)}, trials=3, workers=2, seed=1)\n")
        ours, theirs = pty.openpty()
        with subprocess.Popen([sys.executable, "script.py"], stdin=subprocess.DEVNULL, stderr=theirs,
                              env={**os.environ, "TERM": "xterm"}) as process:
            os.close(theirs)
            shown = ""
            while not re.search(r"trial [12]: .*, running  x=0\.\d+", shown):
                shown += os.read(ours, 4096).decode()
            with open("seen", "w"):
                pass
            try:
                while True:
                    shown += os.read(ours, 4096).decode()
            except OSError:  # the other end is closed
                os.close(ours)
        self.assertEqual(process.returncode, 0)
        self.assertIn("\033[Jprova: search auto: gp: few trials are planned", shown)
        self.assertRegex(shown.rpartition("\033[J")[2], r"^shown: 3 trials, best 0\.\d+ \(trial \d\), [\d.]+ s\r\n$")


if __name__ == "__main__":
    unittest.main()

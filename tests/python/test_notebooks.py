"""The example notebooks that need scikit-learn, executed, and a script."""

import os
import subprocess
import sys
import tempfile
import unittest

from notebook import FOLDER, Executed


class Notebooks(unittest.TestCase):
    def test_each_is_what_its_script_makes(self):
        done = subprocess.run([sys.executable, "-B", os.path.join(FOLDER, "notebooks.py"), "--check"], check=False,
                              stdout=subprocess.PIPE, universal_newlines=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_digits_are_tuned(self):
        run = Executed("digits", "seen = [result.state, result.counts, result.best_value, len(result.trials), "
                                 "max(t.value for t in result.trials)]")
        state, counts, best, n_trials, best_of_trials = run.seen
        self.assertEqual((state, n_trials, counts["FAILED"]), ("completed", 24, 0))
        self.assertEqual(counts["COMPLETED"] + counts["STOPPED"], 24)
        self.assertEqual(best, best_of_trials)
        self.assertGreater(best, 0.96)
        (shown,) = run.outputs("prova.lagom(", "text/html")  # one display, whatever became of it on the way
        self.assertIn(f"<b>{best:.6g}</b>", shown)
        self.assertEqual(len(run.outputs("prova.plots", "image/png")), 4)
        self.assertIn("params.lr", run.outputs("to_pandas", "text/html")[0])
        self.assertIn("24 trials", run.outputs("prova.connect()", "text/html")[0])
        self.assertEqual(run.warnings, [])

    def test_the_ablation_study_finds_what_is_known_of_the_data(self):
        run = Executed("ablation", "seen = {c['component']: c for c in result.components}")
        for known in ("group:serum", "feature:bmi", "feature:bp"):
            self.assertLess(run.seen[known]["p_holm"], 0.05, known)
            self.assertLess(run.seen[known]["change"], -0.01, known)
        self.assertLess(run.seen["feature:bmi"]["rank"], 3)
        self.assertGreater(run.seen["feature:age"]["change"], -0.01)
        shown = run.outputs("prova.lagom(", "text/html")[-1]
        self.assertIn("feature:bmi", shown)
        self.assertIn("P (Holm)", shown)
        self.assertEqual(len(run.outputs("prova.plots", "image/png")), 1)
        self.assertEqual(run.warnings, [])

    def test_a_script_is_the_same_without_a_notebook(self):
        with tempfile.TemporaryDirectory(prefix="prova-script-") as folder:
            done = subprocess.run([sys.executable, os.path.abspath(os.path.join(FOLDER, "ablation.py"))], cwd=folder,
                                  env={**os.environ, "MPLBACKEND": "Agg"}, check=False, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, universal_newlines=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("diabetes: 144/144 trials", done.stderr)


if __name__ == "__main__":
    unittest.main()

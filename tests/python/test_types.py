"""The annotations of the package, and of code that uses it, by mypy; its style by ruff."""

import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "sdk", "python")


def run(*words, folder=PACKAGE, **environment):
    done = subprocess.run([sys.executable, "-m", *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, check=False, env={**os.environ, **environment})
    return done.returncode, done.stdout


class Annotations(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="prova-py-types-")
        self.addCleanup(self.folder.cleanup)

    def check(self, code):
        with open(os.path.join(self.folder.name, "user.py"), "w") as file:
            file.write(textwrap.dedent(code))
        return run("mypy", "--strict", "--cache-dir", "cache", "user.py", folder=self.folder.name, MYPYPATH=PACKAGE)

    def test_the_package_passes_strictly(self):
        code, words = run("mypy", "--cache-dir", os.path.join(self.folder.name, "cache"))
        self.assertEqual(code, 0, words)

    def test_code_that_uses_it_passes_strictly(self):
        code, words = self.check("""
            import prova

            def train(lr: float, layers: int, reporter: prova.Reporter) -> float:
                for epoch in range(3):
                    reporter.broadcast(lr * layers, epoch)
                    prova.report(epoch, lr)
                return lr

            config = prova.Config(parameters={"lr": prova.double(1e-4, 1, log=True), "layers": prova.int(1, 8)}, trials=5)
            result = prova.lagom(train, config, workers=2)
            best: float | None = result.best_value
            names: list[str] = [trial.state for trial in result.trials]
            search = prova.Search({"x": prova.double(-1, 1)}, "gp", seed=1)
            point = search.ask()
            search.tell(point, float(point["x"]))
            for now in prova.connect().experiment("first").follow():
                print(now.counts["RUNNING"])
            """)
        self.assertEqual(code, 0, words)

    def test_wrong_uses_are_found(self):
        code, words = self.check("""
            import prova
            prova.double("a", 1)
            prova.Search({"x": prova.double(0, 1)}).tell("point", 1.0)
            prova.lagom(3)
            number: int = prova.lagom(lambda x: x).best_params
            """)
        self.assertEqual((code, words.count("error:")), (1, 4), words)

    def test_its_style_is_that_of_the_rest(self):
        rules = os.path.join(PACKAGE, "pyproject.toml")
        here = os.path.dirname(os.path.abspath(__file__))
        for folder in (PACKAGE, here, os.path.join(here, "../../bench")):
            with self.subTest(folder):
                code, words = run("ruff", "check", "--no-cache", "--config", rules, ".", folder=folder)
                self.assertEqual(code, 0, words)


if __name__ == "__main__":
    unittest.main()

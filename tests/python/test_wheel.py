"""`pip install ./sdk/python` and a source distribution, as a user has them: in clean virtual environments, from a copy of
the source tree. Ends with status 77 (ctest: skipped) where PyPI cannot be reached."""

import glob
import os
import shutil
import sys
import tempfile
import unittest
import zipfile

import environment

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
LIMIT_S = 500
work = ""


def setUpModule():
    global work
    work = tempfile.mkdtemp(prefix="prova-wheel-")
    shutil.copytree(TOP, os.path.join(work, "tree"),
                    ignore=shutil.ignore_patterns("build", ".git", "__pycache__", "prova.db*", "prova_trials"))
    # What the tests are told of the build is nothing that a user has.
    for name in [name for name in os.environ if name.startswith("PROVA_") or name.startswith("PYTHON")]:
        del os.environ[name]


def tearDownModule():
    shutil.rmtree(work)


def run(*command, folder=None):
    """Runs a command that must succeed; all that it wrote. Whatever the network or the disk do ends the whole."""
    status, output = environment.execute(["env", "-C", folder or work, *command], LIMIT_S)
    reason = environment.reason_of(output) if status else None
    if status and "ensurepip is not available" in output:
        reason = "the venv module is not installed (Debian: python3-venv)"
    if reason or status is None:
        shutil.rmtree(work)
        print(f"skipped: the wheel is not tested: {reason or 'it took too long'}", flush=True)
        os._exit(environment.SKIPPED)  # unittest makes a failure of whatever is raised
    if status != 0:
        raise AssertionError(f"{' '.join(command)} ended with {status}:\n{output[-5000:]}")
    return output


def files_in(folder):
    """All files below it but compiled modules."""
    return {os.path.relpath(os.path.join(place, name), folder) for place, _, names in os.walk(folder)
            if os.path.basename(place) != "__pycache__" for name in names}


def virtual_environment(name, *packages):
    """A new one; its python."""
    folder = os.path.join(work, name)
    run(sys.executable, "-m", "venv", folder)
    python = os.path.join(folder, "bin", "python")
    run(python, "-m", "pip", "install", "-q", "-c", environment.CONSTRAINTS, *packages)
    return python


THREE_LINES = """
import prova
result = prova.lagom(lambda x: (x - 0.5) ** 2, parameters={"x": prova.double(0, 1)}, trials=8, workers=2, seed=1)
print(prova.__version__, prova.__file__, result.counts["COMPLETED"], result.trials[7].state)
"""

ASK_AND_TELL = """
import prova
search = prova.Search({"x": prova.double(-1, 1)}, "tpe", seed=1)
for _ in range(40):
    point = search.ask()
    search.tell(point, point["x"] ** 2)
assert search.best_value < 0.01, search.best_value
"""

SWEEP = """
name: echo
train: {command: [echo, "prova: step=1 loss=${x}"]}
metric: {name: loss, goal: minimize}
parameters: {x: {min: 0.0, max: 1.0}}
limits: {trials: 3}
"""

SUBMIT = """
import prova, subprocess, sys
driver = subprocess.Popen(["prova", "driver", "--listen", "ipc://endpoint", "--db", "other.db"], stdout=subprocess.PIPE,
                          text=True)
try:
    while "listening" not in driver.stdout.readline():
        assert driver.poll() is None
    worker = subprocess.Popen(["prova", "worker", "--driver", "ipc://endpoint"])
    try:
        *_, last = prova.connect("ipc://endpoint").submit("sweep.yaml").follow(interval=0.05)
        print(last.state, last.counts["COMPLETED"])
    finally:
        worker.terminate()
        worker.wait()
finally:
    driver.terminate()
    driver.communicate()
"""


class Installed(unittest.TestCase):
    def test_pip_install_is_all_that_is_needed_and_uninstall_leaves_nothing(self):
        python = virtual_environment("clean", "cloudpickle")
        folder, source = os.path.join(work, "clean"), os.path.join(work, "tree")
        before, of_tree = files_in(folder), files_in(source)
        run(python, "-m", "pip", "install", "-q", "-c", environment.CONSTRAINTS, "./sdk/python", folder=source)
        self.assertEqual(files_in(source), of_tree, "the build has changed the source tree")

        with self.subTest("the command is on the PATH of an environment that is activated"):
            os.environ["PATH"] = os.path.join(folder, "bin") + os.pathsep + os.environ["PATH"]
            self.assertEqual(shutil.which("prova"), os.path.join(folder, "bin", "prova"))
            said = run("prova", "version")
        with self.subTest("three lines"):
            words = run(python, "-c", THREE_LINES).split()
            self.assertEqual(words[-2:], ["8", "COMPLETED"])
            self.assertIn(words[-4], said)
            self.assertTrue(words[-3].startswith(folder), words)
        with self.subTest("ask and tell"):
            run(python, "-c", ASK_AND_TELL)
        with self.subTest("a sweep file is submitted"):
            with open(os.path.join(work, "sweep.yaml"), "w") as file:
                file.write(SWEEP)
            self.assertIn("completed 3", run(python, "-c", SUBMIT))

        run(python, "-m", "pip", "uninstall", "-q", "-y", "prova")
        self.assertEqual(files_in(folder), before)
        self.assertEqual(glob.glob(os.path.join(folder, "lib", "*", "site-packages", "prova*")), [])


class SourceDistribution(unittest.TestCase):
    def test_it_has_all_that_a_wheel_is_built_from(self):
        python = virtual_environment("tools", "scikit-build-core")
        dist, source = os.path.join(work, "dist"), os.path.join(work, "tree", "sdk", "python")
        before = files_in(source)
        # What a front end does (PEP 517).
        run(python, "-B", "-c", f"import sys; sys.path.insert(0, '.'); import _build; _build.build_sdist({dist!r})",
            folder=source)
        self.assertEqual(files_in(source), before)
        run(python, "-m", "pip", "wheel", "-q", "--no-cache-dir", "--no-deps", "--no-build-isolation", "-w", dist,
            *glob.glob(os.path.join(dist, "*.tar.gz")))
        (wheel,) = glob.glob(os.path.join(dist, "*.whl"))
        unpacked = os.path.join(work, "unpacked")
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
            archive.extractall(unpacked)
        package = os.path.join(TOP, "sdk", "python", "prova")
        expected = {f"prova/{name}" for name in files_in(package)}
        self.assertEqual({name for name in names if name.startswith("prova/")},
                         expected | {"prova/bin/prova", "prova/lib/libprova.so.0"})
        beside = sorted(name.split("/", 1)[1] for name in names if not name.startswith("prova/"))
        self.assertEqual(beside, ["METADATA", "RECORD", "WHEEL", "licenses/LICENSE", "scripts/prova"])
        with open(os.path.join(unpacked, "prova", "lib", "libprova.so.0"), "rb") as file:
            self.assertNotIn(work.encode(), file.read(), "the library names the folder that it was built in")
        self.assertIn(unpacked, run(python, "-c", f"import sys; sys.path.insert(0, {unpacked!r}); import prova._ffi as f; "
                                                  "print(f.library._name)"))


if __name__ == "__main__":
    unittest.main()

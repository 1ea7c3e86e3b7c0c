"""Making virtual environments, with wheels and indexes of the tests' own."""

import os
import subprocess
import sys
import threading
import unittest
import zipfile
from unittest import mock

import environment
from support import InFolder


def write_wheel(folder, name, version):
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(os.path.join(folder, f"{name}-{version}-py3-none-any.whl"), "w") as wheel:
        wheel.writestr(f"{name}.py", f"version = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


class Environments(InFolder):
    def setUp(self):
        super().setUp()
        settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": self.folder, "PIP_NO_INDEX": "1"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        patch = mock.patch.dict(os.environ, {**kept, **settings}, clear=True)
        patch.start()
        self.addCleanup(patch.stop)
        write_wheel(self.folder, "tiny", "1.0")
        self.require("tiny==1.0")

    def require(self, line):
        with open("requirements.txt", "w") as file:
            print(line, file=file)

    def call(self, *arguments):
        ended = subprocess.run([sys.executable, environment.__file__, *arguments], capture_output=True, text=True)
        return ended.returncode, ended.stdout, ended.stderr

    def make(self):
        return self.call("make", "made", "requirements.txt")

    def run_in_it(self):
        return self.call("run", "made", "-c", "import tiny; print(tiny.version)")

    @classmethod
    def setUpClass(cls):
        try:
            import ensurepip  # noqa: F401
        except ImportError:
            raise unittest.SkipTest("this python cannot make virtual environments") from None

    def counted(self):
        """Stands in for pip, and counts how often it is asked."""
        installed = []

        def install(folder, requirements, _limit_s):
            os.mkdir(folder)
            installed.append(environment.read(requirements))

        patch = mock.patch.object(environment, "install", install)
        patch.start()
        self.addCleanup(patch.stop)
        return installed

    def test_one_is_made_once_and_anew_when_the_requirements_change(self):
        installed = self.counted()
        for line in ("tiny==1.0", "tiny==1.0", "tiny==2.0", "tiny==2.0"):
            self.require(line)
            environment.make("made", "requirements.txt")
        self.assertEqual(installed, ["tiny==1.0\n", "tiny==2.0\n"])

    def test_two_at_one_time_make_one(self):
        installed = self.counted()
        makers = [threading.Thread(target=environment.make, args=("made", "requirements.txt")) for _ in range(8)]
        for maker in makers:
            maker.start()
        for maker in makers:
            maker.join()
        self.assertEqual(len(installed), 1)

    def test_what_is_required_can_be_imported(self):
        self.assertEqual(self.make(), (0, "", ""))
        self.assertEqual(self.run_in_it(), (0, "1.0\n", ""))

    def test_without_a_network_tests_are_skipped_and_say_so(self):
        del os.environ["PIP_NO_INDEX"], os.environ["PIP_FIND_LINKS"]
        os.environ["PIP_INDEX_URL"] = "http://127.0.0.1:1/simple"
        for call in (self.make, self.run_in_it):
            self.assertEqual(call(), (environment.SKIPPED, "skipped: PyPI cannot be reached\n", ""))
        self.assertFalse(os.path.exists("made"))

    def test_what_there_is_no_such_version_of_is_a_failure(self):
        self.require("tiny==3.0")
        status, output, errors = self.make()
        self.assertEqual((status, output), (1, ""))
        self.assertIn("No matching distribution found for tiny==3.0", errors)
        self.assertEqual(self.run_in_it()[0], 1)

    def test_a_torch_with_cuda_is_not_fetched(self):
        write_wheel(self.folder, "triton", "3.0")
        self.require("triton")
        status, output, _ = self.make()
        self.assertEqual(status, environment.SKIPPED)
        self.assertIn("PyTorch only with CUDA", output)

    def test_one_that_takes_too_long_leaves_nothing(self):
        with self.assertRaisesRegex(environment.Skipped, "could not be had in 0 s"):
            environment.make("made", "requirements.txt", 0)
        self.assertFalse(os.path.exists("made"))


if __name__ == "__main__":
    unittest.main()

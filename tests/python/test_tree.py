"""The package as it lies in the source tree, beside a build folder: what one has without pip."""

import os
import shutil
import subprocess
import sys
import unittest

from support import InFolder

CODE = """
import prova, prova._ffi
result = prova.lagom(lambda x: x, parameters={"x": prova.double(0, 1)}, trials=3, workers=1, seed=1, progress=False)
print(prova.connect().experiment().state, len(result.trials), prova._ffi.library._name)
"""


class Tree(InFolder):
    def setUp(self):
        super().setUp()
        package = os.path.dirname(os.path.dirname(os.path.abspath(sys.modules["prova"].__file__)))
        shutil.copytree(package, "sdk/python", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(os.path.join(package, "..", "prova.h"), "sdk")
        os.makedirs("build/release/sdk")

    def run_code(self):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PROVA_", "PYTHON"))}
        clean["PYTHONPATH"] = "sdk/python"
        return subprocess.run([sys.executable, "-B", "-c", CODE], env=clean, check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, timeout=100)

    def test_the_build_folder_beside_it_is_enough(self):
        os.symlink(os.environ["PROVA_LIBRARY"], "build/release/sdk/libprova.so.0")
        os.symlink(os.environ["PROVA_BIN"], "build/release/prova")
        done = self.run_code()
        self.assertEqual(done.stdout.split(),
                         ["completed", "3", os.path.join(self.folder, "build/release/sdk/libprova.so.0")], done.stderr)

    def test_a_library_that_does_not_load_says_what_it_needs(self):
        with open("build/release/sdk/libprova.so.0", "w") as file:
            file.write("no library" * 100)
        done = self.run_code()
        self.assertRegex(done.stderr, "NotFoundError: .*libprova.so.0 is there and cannot be loaded: .*header.*apt-get install")


if __name__ == "__main__":
    unittest.main()

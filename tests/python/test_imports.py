"""What is imported when: frameworks and what is optional only by who uses it."""

import subprocess
import sys
import unittest

OPTIONAL = ("torch", "tensorflow", "keras", "lightning", "pytorch_lightning", "transformers", "numpy", "pandas", "matplotlib",
            "IPython", "cloudpickle")


class Imports(unittest.TestCase):
    def test_the_package_and_its_modules_import_no_framework(self):
        program = f"""if True:
            import sys
            sys.modules.update(dict.fromkeys({OPTIONAL!r}))  # an import of them raises
            import prova
            for name in prova.__all__:
                getattr(prova, name)
            """
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()

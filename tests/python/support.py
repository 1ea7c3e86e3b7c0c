"""What the tests of the wrapper share: each test in an empty folder of its own."""

import os
import shutil
import tempfile
import unittest

import prova


class InFolder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="prova-py-test-")
        self.before = os.getcwd()
        os.chdir(self.folder)

    def tearDown(self):
        os.chdir(self.before)
        shutil.rmtree(self.folder)

    def lagom(self, train, **options):
        defaults = {"name": "t", "parameters": {"x": prova.double(0, 1)}, "metric": "loss", "goal": "minimize",
                    "trials": 6, "workers": 2, "seed": 1, "progress": False}
        return prova.lagom(train, **{**defaults, **options})

"""The docstrings: nothing public is without one, they name every argument and what is raised, and their examples run."""

import doctest
import importlib
import importlib.util
import inspect
import os
import pkgutil
import re
import shutil
import tempfile
import unittest

import prova

# Modules that import a framework: their examples run where it is installed.
FRAMEWORKS = {"prova._torch": "torch", "prova._tensorflow": "tensorflow", "prova._keras": "keras"}
# What users import from, beside `prova` itself.
MODULES = ("ablation", "callbacks", "earlystop", "errors", "experiment", "optimizer", "plots", "space", "tensorboard")
# What users do not make: their arguments are for the module that does.
MADE_BY_US = ("Connection", "Experiment", "Reporter", "Result", "Trial")


def public():
    """Everything public: its name, itself and its docstring."""
    found = {name: getattr(prova, name) for name in prova.__all__}
    for module in map(prova.__getattr__, MODULES):
        found.update({f"{module.__name__}.{name}": value for name, value in vars(module).items()
                      if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__})
    return [(name.rpartition(".")[2], value, inspect.getdoc(value) or "") for name, value in found.items()
            if inspect.isclass(value) or inspect.isfunction(value)]


class Docstrings(unittest.TestCase):
    def test_nothing_is_without_one(self):
        for name, value, words in public():
            with self.subTest(name):
                self.assertTrue(words)
                for part, method in vars(value).items() if inspect.isclass(value) else ():
                    if not part.startswith("_") and (inspect.isfunction(method) or isinstance(method, property)):
                        self.assertTrue(inspect.getdoc(getattr(value, part)), part)

    def test_every_argument_is_named_and_typed(self):
        for name, value, words in public():
            is_class = inspect.isclass(value)
            function = value.__init__ if is_class else value
            if is_class and (name in MADE_BY_US or issubclass(value, BaseException) or function is object.__init__):
                continue
            with self.subTest(name):
                for argument in list(inspect.signature(function).parameters.values())[is_class:]:
                    self.assertRegex(words, rf"\b{argument.name}\b")
                    self.assertIsNot(argument.annotation, argument.empty, argument.name)

    def test_what_is_raised_is_said(self):
        for name, value, words in public():
            source = inspect.getsource(value)
            if re.search(r"^\s+raise \w*Error|_check\.(?!explained)", source, re.M):
                with self.subTest(name):
                    self.assertIn("Raises:", words if inspect.isfunction(value) else source)

    def test_there_is_an_example(self):
        for name, _, words in public():
            with self.subTest(name):
                self.assertIn(">>> ", words)


def is_installed(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


class Finder(doctest.DocTestFinder):
    """Examples, also of what a decorator of another module has wrapped; none that imports what is not installed."""

    def _from_module(self, module, value):
        return super()._from_module(module, inspect.unwrap(value))

    def find(self, *arguments, **options):
        return [test for test in super().find(*arguments, **options)
                if all(map(is_installed, re.findall(r"^import (\w+)", "".join(e.source for e in test.examples), re.M)))]


def load_tests(loader, tests, _pattern):
    before, folder = os.getcwd(), []

    def enter(_test):
        folder.append(tempfile.mkdtemp(prefix="prova-py-doc-"))
        os.chdir(folder[-1])

    def leave(_test):
        os.chdir(before)
        shutil.rmtree(folder.pop())

    for module in pkgutil.iter_modules(prova.__path__, "prova."):
        if module.name != "prova._worker" and is_installed(FRAMEWORKS.get(module.name, "prova")):
            tests.addTests(doctest.DocTestSuite(importlib.import_module(module.name), setUp=enter, tearDown=leave,
                                                test_finder=Finder(), optionflags=doctest.IGNORE_EXCEPTION_DETAIL))
    return tests


if __name__ == "__main__":
    unittest.main()

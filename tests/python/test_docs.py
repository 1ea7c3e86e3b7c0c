"""The examples of the docstrings."""

import doctest
import importlib
import pkgutil
import unittest

import prova

# The program of a worker, and what imports a framework.
LEFT_OUT = {"prova." + name for name in ("_worker", "_torch", "_tensorflow", "_keras")}


def load_tests(_loader, tests, _pattern):
    for module in pkgutil.iter_modules(prova.__path__, "prova."):
        if module.name not in LEFT_OUT:
            tests.addTests(doctest.DocTestSuite(importlib.import_module(module.name),
                                                optionflags=doctest.IGNORE_EXCEPTION_DETAIL))
    return tests


if __name__ == "__main__":
    unittest.main()

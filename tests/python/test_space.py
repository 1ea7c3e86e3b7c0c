import glob
import os
import subprocess
import sys
import unittest

import prova
from prova import errors
from prova.config import Config, Handle, from_mapping


class Builders(unittest.TestCase):
    def test_they_mean_what_the_sweep_file_means(self):
        parameters = {
            "lr": prova.double(1e-4, 1, log=True, default=0.01),
            "layers": prova.int(1, 8, step=1),
            "batch": prova.discrete([16, 32, 64]),
            "solver": prova.categorical(["sgd", "adam"]),
            "momentum": prova.double(0, 0.99, when={"solver": "sgd"}),
            "epochs": prova.constant(40),
        }
        sweep = Handle(Config(name="t", parameters=parameters)).sweep()["parameters"]
        self.assertEqual(sweep["lr"], {"type": "double", "min": 1e-4, "max": 1, "scale": "log", "default": 0.01})
        self.assertEqual(sweep["momentum"]["when"], {"solver": ["sgd"]})
        self.assertEqual(list(sweep), list(parameters))

    def test_a_fault_is_said_in_the_words_of_the_sweep_file(self):
        with self.assertRaisesRegex(errors.ConfigError, "max .1. is below min .3. for 'x'"):
            Handle(Config(parameters={"x": prova.int(3, 1)}))

    def test_a_parameter_that_is_none_is_told_what_makes_one(self):
        for value in ((0, 1), [1, 2], 3, "x"):
            with self.subTest(value), self.assertRaisesRegex(errors.ConfigError, "parameter 'x' is .*prova.double"):
                Handle(Config(parameters={"x": value}))

    def test_what_cannot_stand_in_a_file_is_refused(self):
        with self.assertRaisesRegex(errors.ConfigError, "object"):
            Handle(Config(parameters={"x": {"value": object()}}))
        with self.assertRaisesRegex(errors.ConfigError, "not finite"):
            Handle(Config(parameters={"x": prova.double(0, float("inf"))}))


class MaggySpaces(unittest.TestCase):
    def test_it_reads_as_parameters(self):
        space = prova.Searchspace(kernel=("INTEGER", [2, 8]), act=("CATEGORICAL", ["relu", "tanh"]))
        space.add("dropout", ("DOUBLE", [0.01, 0.99]))
        self.assertEqual(dict(space)["act"], prova.categorical(["relu", "tanh"]))
        self.assertEqual(space.kernel, [2, 8])
        self.assertEqual(prova.Searchspace(**space.to_dict()).to_dict(), space.to_dict())

    def test_faults_name_the_parameter(self):
        for value, words in ((("DUBLE", [0, 1]), "unknown type"), (("DOUBLE", [0]), "two values"),
                             (("DISCRETE", []), "no values"), ("DOUBLE", "must be a tuple")):
            with self.subTest(words), self.assertRaisesRegex(errors.ConfigError, f"'x'.*{words}"):
                prova.Searchspace(x=value)
        with self.assertRaisesRegex(errors.ConfigError, "taken"):
            prova.Searchspace(x=("DOUBLE", [0, 1])).add("x", ("DOUBLE", [0, 1]))


class Configurations(unittest.TestCase):
    def test_a_dict_is_a_sweep_file(self):
        config = from_mapping({"name": "d", "parameters": {"x": {"min": 0, "max": 9}}, "search": {"name": "sobol"},
                               "metric": {"name": "acc", "goal": "maximize"},
                               "limits": {"trials": 7, "failures": 3}})
        sweep = Handle(config).sweep()
        self.assertEqual((sweep["name"], sweep["limits"]["trials"], sweep["limits"]["failures"]), ("d", 7, 3))
        self.assertEqual((sweep["metric"]["name"], sweep["metric"]["goal"]), ("acc", "maximize"))
        self.assertEqual(sweep["search"]["name"], "sobol")

    def test_a_sweep_file_is_the_same_as_an_object(self):
        examples = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples")
        files = glob.glob(os.path.join(examples, "**", "*.yaml"), recursive=True)
        self.assertGreater(len(files), 4)
        for file in files:
            with self.subTest(os.path.basename(file)):
                sweep = Handle(Config(sweep=file)).sweep()
                config = from_mapping(sweep)
                self.assertEqual(Handle(config).sweep(), sweep)
                self.assertEqual(Handle(from_mapping(config.to_document())).sweep(), sweep)

    def test_a_misspelt_option_is_named_with_the_one_that_was_meant(self):
        with self.assertRaisesRegex(errors.ConfigError, "'serch'; did you mean 'search'"):
            Config().replace(serch="tpe")
        with self.assertRaisesRegex(errors.ConfigError, "did you mean 'sobol'"):
            prova.lagom(lambda x: x, parameters={"x": prova.double(0, 1)}, search="sobool", progress=False)

    def test_maggys_configuration_becomes_one(self):
        space = prova.Searchspace(x=("DOUBLE", [0, 1]))
        maggy = prova.OptimizationConfig(num_trials=5, optimizer="randomsearch", searchspace=space, direction="max",
                                         es_policy="median", es_min=3, name="HP Optimization")
        sweep = Handle(maggy.to_config()).sweep()
        self.assertEqual((sweep["search"]["name"], sweep["stopping"]["name"]), ("random", "median"))
        self.assertEqual((sweep["metric"]["goal"], sweep["limits"]["trials"]), ("maximize", 5))


class TheImport(unittest.TestCase):
    def test_every_name_that_is_promised_is_there(self):
        for name in prova.__all__:
            self.assertIsNotNone(getattr(prova, name))

    def test_nothing_is_loaded_before_it_is_used(self):
        loaded = subprocess.run([sys.executable, "-c", "import prova, sys; print('ctypes' in sys.modules, "
                                 "[m for m in sys.modules if m.startswith('prova.')])"],
                                stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout
        self.assertEqual(loaded.strip(), "False []")


if __name__ == "__main__":
    unittest.main()

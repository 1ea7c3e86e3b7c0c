"""Arguments of wrong types: whatever is given to a public name, an exception of prova.errors says what it must be."""

import contextlib
import dataclasses
import io
import unittest

import prova
from prova import ablation, config, errors, experiment
from support import InFolder


class Odd:
    def __repr__(self):
        raise ValueError


WRONG = [None, 3, -1, 2.5, float("nan"), True, 10 ** 30, 1j, "abc", "", "\0", "\udcff", b"bytes", [], [1], [[1]], (), ("x",),
         {}, {"a": 1}, {3: {"min": 0, "max": 1}}, {"x": object()}, {1, 2}, object(), Odd(), lambda: 1, int, Odd]
SPACE = {"x": prova.double(0, 1)}
MAGGY = {"num_trials": 3, "optimizer": "randomsearch", "searchspace": prova.Searchspace(x=("DOUBLE", [0, 1]))}


def compiled(value, **changes):
    return config.Handle(config.as_config(value, changes)).sweep()


def in_maggys(kind, **always):
    return lambda **given: compiled(kind(**{**always, **given}))


def in_search(method, *arguments):
    """A call of a method of a search with the value at the place of `...`; the point asked for at that of "point"."""

    def call(value):
        search = prova.Search(SPACE, "random")
        point = search.ask()
        getattr(search, method)(*[value if a is ... else point if a == "point" else a for a in arguments])

    return call


# What is called with each wrong value, and the names of the arguments that get it ("": by its place).
CALLS = {
    "double": (prova.double, {"low": {"high": 1}, "high": {"low": 0}, **{k: {"low": 0, "high": 1} for k in
                                                                         ("log", "step", "default", "when")}}),
    "int": (prova.int, {"low": {"high": 1}, "high": {"low": 0}, **{k: {"low": 0, "high": 1} for k in
                                                                   ("log", "step", "default", "when")}}),
    "discrete": (prova.discrete, {"values": {}, **{k: {"values": [1]} for k in ("log", "default", "when")}}),
    "categorical": (prova.categorical, {"values": {}, **{k: {"values": [1]} for k in ("default", "when")}}),
    "constant": (prova.constant, {"value": {}}),
    "Searchspace": (prova.Searchspace, {"x": {}}),
    "Searchspace type": (lambda value: prova.Searchspace(x=(value, [1, 2])), {"": {}}),
    "Searchspace values": (lambda value: prova.Searchspace(x=("DOUBLE", value)), {"": {}}),
    "Searchspace.add": (lambda value: prova.Searchspace().add(value, ("DOUBLE", [0, 1])), {"": {}}),
    "Config": (lambda **given: compiled(config.Config(**{"parameters": SPACE, **given})),
               {field.name: {} for field in dataclasses.fields(config.Config)}),
    "a parameter": (lambda value: compiled({"parameters": {"x": value}}), {"": {}}),
    "a setting": (lambda value: compiled({"parameters": SPACE, "settings": {"limits.failures": value}}), {"": {}}),
    "metric": (lambda value: compiled({"parameters": SPACE, "metric": value}), {"": {}}),
    "limits": (lambda value: compiled({"parameters": SPACE, "limits": value}), {"": {}}),
    "a configuration": (compiled, {"": {}}),
    "HyperparameterOptConfig": (in_maggys(prova.HyperparameterOptConfig, **MAGGY), {k: {} for k in (
        *MAGGY, "optimization_key", "direction", "es_interval", "es_min", "es_policy", "name", "description", "hb_interval",
        "workers")}),
    "BaseConfig": (in_maggys(prova.BaseConfig), {k: {} for k in ("name", "hparams", "description", "hb_interval")}),
    "TorchDistributedConfig": (in_maggys(prova.TorchDistributedConfig), {k: {} for k in (
        "hparams", "backend", "mixed_precision", "zero_lvl", "deepspeed_config", "name", "workers", "metric", "direction")}),
    "TfDistributedConfig": (in_maggys(prova.TfDistributedConfig), {k: {} for k in ("hparams", "mixed_precision", "workers")}),
    "AblationConfig": (in_maggys(prova.AblationConfig, ablation_study={"features": ["a"]}), {k: {} for k in (
        "ablation_study", "ablator", "direction", "name", "metric", "repeats", "hparams", "workers")}),
    "Search": (lambda **given: prova.Search(**{"parameters": SPACE, **given}),
               {k: {} for k in ("parameters", "search", "goal", "seed", "startup")}),
    "Search.load": (prova.Search.load, {"": {}}),
    "ask_many": (in_search("ask_many", ...), {"": {}}),
    "tell a point": (in_search("tell", ..., 1.0), {"": {}}),
    "tell a value": (in_search("tell", "point", ...), {"": {}}),
    "tell_step of": (in_search("tell_step", ..., 1, 1.0), {"": {}}),
    "tell_step at": (in_search("tell_step", "point", ..., 1.0), {"": {}}),
    "tell_step a value": (in_search("tell_step", "point", 1, ...), {"": {}}),
    "add": (in_search("add", ...), {"": {}}),
    "add a value": (in_search("add", {"x": 0.5}, ...), {"": {}}),
    "features.include": (ablation.AblationStudy().features.include, {"": {}}),
    "features.exclude": (ablation.AblationStudy().features.exclude, {"": {}}),
    "layers.include_groups": (ablation.AblationStudy().model.layers.include_groups, {"": {}, "prefix": {}}),
    "custom models": (lambda value: ablation.AblationStudy().model.add_custom_model_generator(value, value), {"": {}}),
    "drop_features": (lambda value: ablation.drop_features({"a": 1}, value), {"": {}}),
    "drop_features of": (lambda value: ablation.drop_features(value, ["a"]), {"": {}}),
    "drop_layers of": (lambda value: ablation.drop_layers(value, ["a"]), {"": {}}),
    "names_of": (lambda value: ablation.names_of(value, "layer"), {"": {}}),
    "set_context": (experiment.set_context, {"": {}}),
    "experiment.lagom": (lambda value: experiment.lagom(lambda x: x, value, driver="nonsense"), {"": {}}),
    "connect": (prova.connect, {"": {}}),
    "report": (lambda value: prova.report(value, value), {"": {}}),
    "best_so_far": (prova.plots.best_so_far, {"": {}}),
    # A driver that no endpoint leads to: what is right in itself ends there.
    "lagom": (lambda **given: prova.lagom(**{"train_fn": lambda x: x, "parameters": SPACE, "driver": "nonsense", **given}),
              {k: {} for k in ("train_fn", "config", "start", "progress", "logs", "resume", "model", "driver", "nonsense")}),
}


class WrongTypes(InFolder):
    def tearDown(self):
        experiment._config = None
        super().tearDown()

    def test_nothing_but_an_exception_of_prova_comes_of_them(self):
        for label, (function, arguments) in CALLS.items():
            for name, others in arguments.items():
                for i, value in enumerate(WRONG):
                    with self.subTest(label, argument=name, value=i), contextlib.redirect_stderr(io.StringIO()):
                        try:
                            function(**others, **{name: value}) if name else function(value)
                        except errors.ProvaError as error:
                            self.assertTrue(str(error))

    def test_the_argument_and_what_it_must_be_are_named(self):
        rows = (
            (lambda: prova.double("a", 1), r"low must be a number, not 'a' \(str\)"),
            (lambda: prova.double(0, 1, log="yes"), "log must be True or False"),
            (lambda: prova.double(0, 1, when=["solver"]), "when must be a dict"),
            (lambda: prova.categorical("abc"), "values must be a list, not 'abc'"),
            (lambda: prova.Search(SPACE, seed=-1), "seed must be a whole number from 0"),
            (lambda: prova.Search([]), "parameters must be a dict"),
            (lambda: prova.Search(SPACE).tell("x", 1), "a suggestion, or its number"),
            (lambda: prova.Search(SPACE).ask_many(0), "n must be a whole number from 1"),
            (lambda: compiled({"parameters": SPACE, "trials": "many"}), "trials"),
            (lambda: compiled({"parameters": SPACE, "workers": 0}), "workers"),
            (lambda: compiled({"parameters": SPACE, "seed": 0.5}), "seed"),
            (lambda: compiled({"parameters": SPACE, "goal": 3}), "goal must be a text"),
            (lambda: compiled({"parameters": SPACE, "database": 3}), "database must be a text"),
            (lambda: prova.HyperparameterOptConfig(0, "tpe", SPACE), "num_trials must be a whole number from 1"),
            (lambda: prova.BaseConfig(hparams=3), "hparams must be a dict"),
            (lambda: prova.Config(trails=3), "Config has no argument 'trails'; did you mean 'trials'"),
            (lambda: prova.double(0, 1, defalt=1), "double has no argument 'defalt'; did you mean 'default'"),
            (lambda: prova.double(0), "double: missing a required argument: 'high'"),
            (lambda: prova.optimizer.GP(3), "GP: too many positional arguments"),
            (lambda: prova.optimizer.Optimizer(3), "search must be a text"),
            (lambda: prova.Search(SPACE, "tpe", 3), "Search: too many positional arguments"),
            (lambda: prova.TorchDistributedConfig(wrkers=3), "TorchDistributedConfig has no argument 'wrkers'.*'workers'"),
            (lambda: experiment.set_context("optimization", num_trails=3), "no argument 'num_trails'.*'num_trials'"),
            (lambda: prova.callbacks.KerasEpochEnd(metric=3), "metric must be a text, not 3"),
            (lambda: prova.int(1, 2.5), "high must be a whole number from .*, not 2.5"),
            (lambda: prova.int(1, 5, default="3"), "default must be a whole number"),
            (lambda: compiled({"parameters": SPACE, "metric": 3}), "metric must be a text, not 3"),
            (lambda: compiled({"parameters": SPACE, "name": 3}), "name must be a text, not 3"),
            (lambda: compiled({"parameters": SPACE, "context": 3}), "context must be a name, or a dict .*, not 3"),
            (lambda: compiled({"parameters": SPACE, "search": 3}), "search must be a name, or a dict .*, not 3"),
            (lambda: compiled({"parameters": SPACE, "schedule": {"eta": 3}}), "the name in schedule must be a text, not None"),
            (lambda: compiled(prova.HyperparameterOptConfig(3, 3, SPACE)), "search must be a name"),
            (lambda: compiled(prova.HyperparameterOptConfig(3, "tpe", SPACE, es_policy=3)), "stopping must be a name"),
            (lambda: prova.DistributedConfig(direction="up"), "direction is 'up': it must be 'max' or 'min'"),
            (lambda: compiled({"parameters": SPACE, "metric": {"goal": "max"}}), "goal is 'max': .*did you mean 'maximize'"),
            (lambda: prova.Search(SPACE, goal="MIN"), "goal is 'MIN': .*did you mean 'minimize'"),
            (lambda: prova.lagom(lambda x: x, parameters=SPACE, context="abblation"),
             r"^unknown context 'abblation'; did you mean 'ablation'\?; there are: [a-z, ]+$"),
            (lambda: prova.lagom(3, parameters=SPACE), "callable, not 3"),
            (lambda: prova.lagom(lambda x: x, parameters=SPACE, progress="no"), "progress .* must be True or False"),
            (lambda: prova.lagom(lambda x: x, parameters=SPACE, start="thread"), "'fresh' or 'fork'"),
            (lambda: prova.lagom(lambda x: x, 3), "prova.Config, a dict, the path of a sweep file"),
            (lambda: prova.connect(3), "where must be a text"),
            (lambda: prova.plots.best_so_far(3), "must be a result, not 3"),
        )
        for function, words in rows:
            with self.subTest(words), self.assertRaisesRegex(errors.ConfigError, words):
                function()


if __name__ == "__main__":
    unittest.main()

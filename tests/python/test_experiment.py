"""Maggy's module, callbacks and plots."""

import sys
import types
import unittest
from unittest import mock

import prova
from prova import errors, experiment
from support import InFolder


class MaggysModule(InFolder):
    def tearDown(self):
        experiment.set_dataset_generator(None)
        experiment.set_model_generator(None)
        super().tearDown()

    def test_contexts_change_and_the_function_does_not(self):
        def train(model, dataset, reporter, hparams):
            reporter.broadcast(model * sum(dataset) * hparams.get("lr", 0.5))
            return model * sum(dataset) * hparams.get("lr", 0.5)

        experiment.set_dataset_generator(lambda: [1, 2, 3])
        experiment.set_model_generator(lambda: 2)
        space = prova.Searchspace(lr=("DOUBLE", [0.1, 1]))
        experiment.set_context("optimization", num_trials=5, optimizer="randomsearch", searchspace=space, direction="max")
        result = experiment.lagom(train, progress=False)
        self.assertEqual(result.counts["COMPLETED"], 5)
        self.assertEqual(result.get("best_val"), 12 * result.get("best_hp")["lr"])
        experiment.set_context("single", hparams={"lr": 0.25})
        self.assertEqual(experiment.lagom(train, progress=False).best_value, 3.0)

    def test_what_is_wrong_with_a_context_is_said(self):
        with self.assertRaisesRegex(errors.ConfigError, "unknown context"):
            experiment.set_context("search")
        with self.assertRaisesRegex(errors.ConfigError, "num_trails"):
            experiment.set_context("optimization", num_trails=5)


class Frameworks(InFolder):
    """The frameworks' own part of the contract, by a stand-in of their base class."""

    def run_with(self, modules, train):
        with mock.patch.dict(sys.modules, modules):
            return self.lagom(train, start="fork", trials=2)

    def test_keras(self):
        keras = types.ModuleType("keras")
        keras.callbacks = types.SimpleNamespace(Callback=object)

        def train(x):
            callback = prova.callbacks.KerasEpochEnd(metric="val_loss")
            for epoch in range(3):
                callback.on_epoch_end(epoch, {"loss": 9, "val_loss": x + epoch})

        result = self.run_with({"keras": keras}, train)
        x = result.trials[0].params["x"]
        self.assertEqual(result.trials[0].curve(), ([0, 1, 2], [x, x + 1, x + 2]))

    def test_a_metric_that_the_framework_does_not_give_is_named(self):
        transformers = types.ModuleType("transformers")
        transformers.TrainerCallback = object
        with mock.patch.dict(sys.modules, {"transformers": transformers}):
            callback = prova.callbacks.TransformersReport("eval_accuracy")
            with self.assertRaisesRegex(errors.ConfigError, "'eval_accuracy'; it gives: eval_loss"):
                callback.on_evaluate(None, None, None, {"eval_loss": 1.0})

    def test_a_framework_that_is_not_there_is_named(self):
        with mock.patch.dict(sys.modules, {"transformers": None}), \
                self.assertRaisesRegex(errors.UnsupportedError, "transformers"):
            prova.callbacks.TransformersReport()


class Plots(InFolder):
    def test_every_plot_is_drawn(self):
        try:
            import matplotlib
        except ImportError:
            self.skipTest("matplotlib is not installed")
        matplotlib.use("agg")

        def train(x, k):
            prova.report(0, x)
            prova.report(1, x / 2)
            return x / 2

        result = self.lagom(train, parameters={"x": prova.double(1e-3, 1, log=True), "k": prova.categorical(["a", "b"])})
        self.assertEqual(len(prova.plots.best_so_far(result).get_lines()), 1)
        self.assertEqual(len(prova.plots.learning_curves(result).get_lines()), 6)
        prova.plots.parallel_coordinates(result).figure.savefig("parallel.png")
        prova.plots.parameter_effects(result).savefig("effects.png")
        with self.assertRaisesRegex(errors.ConfigError, "no trial has a parameter 'z'"):
            prova.plots.parameter_effects(result, ["z"])


if __name__ == "__main__":
    unittest.main()

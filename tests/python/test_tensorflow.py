"""Distributed training with TensorFlow: one function, on one worker and on several; and Keras."""

import os
import unittest

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras  # noqa: E402
import numpy  # noqa: E402
import tensorflow as tf  # noqa: E402

import prova  # noqa: E402
from prova import _tensorflow, ablation, errors  # noqa: E402
from support import InFolder  # noqa: E402

N = 48


def make_model():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(8, "tanh", name="hidden"),
                             keras.layers.Dense(1, name="out")])


def make_data():
    x = numpy.random.RandomState(0).rand(N, 4).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((x, (x ** 2).sum(1, keepdims=True)))
    return data.batch(16), data.batch(16)


def train(model, train_set, test_set, epochs=4):
    """Knows nothing of workers."""
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    model.fit(train_set, validation_data=test_set, epochs=epochs, verbose=0, callbacks=[prova.callbacks.KerasEpochEnd()])


class Training(InFolder):
    def curve(self, config, **options):
        result = prova.lagom(train, config, model=make_model, dataset=make_data, progress=False, **options)
        return [numpy.array(trial.curve()[1]) for trial in result.trials]

    def test_the_same_function_has_the_same_curve_alone_and_in_every_gang(self):
        alone, = self.curve(prova.BaseConfig())
        self.assertEqual(len(alone), 4)
        self.assertLess(alone[-1], 0.9 * alone[0])
        together, = self.curve(prova.TfDistributedConfig(workers=2))
        numpy.testing.assert_allclose(together, alone, rtol=1e-4)
        settings = {"workers_per_trial": 2, "distributed.runtime": "tensorflow"}
        searched = self.curve(prova.Config(name="s", parameters={"x": prova.double(0, 1)}, goal="minimize", trials=2, workers=2,
                                           settings=settings))
        numpy.testing.assert_allclose(searched, [alone, alone], rtol=1e-4)

    def test_a_gang_is_stopped_early(self):
        def endless(model, train_set, test_set, trial, folder):
            try:
                train(model, train_set, test_set, 1000)
            except BaseException as error:
                with open(f"{folder}/{trial.rank}", "w") as file:
                    file.write(type(error).__name__)
                raise

        result = self.lagom(endless, parameters={"folder": prova.constant(self.folder)}, trials=1, model=make_model,
                            dataset=make_data, settings={"workers_per_trial": 2, "distributed.runtime": "tensorflow"},
                            stopping={"name": "threshold", "step": 3, "value": 1e-9})
        self.assertEqual([(t.state, t.attempt) for t in result.trials], [("STOPPED", 1)])
        for rank in "01":
            with open(rank) as file:
                self.assertEqual(file.read(), "EarlyStop")


class Datasets(unittest.TestCase):
    def policy(self, dataset):
        return dataset.options().experimental_distribute.auto_shard_policy

    def test_they_are_shared_by_elements_unless_it_was_chosen(self):
        policies = tf.data.experimental.AutoShardPolicy
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = policies.OFF
        plain = tf.data.Dataset.range(4)
        left, right = _tensorflow.share((plain, {"chosen": plain.with_options(options), "other": 3}))
        self.assertEqual(self.policy(left), policies.DATA)
        self.assertEqual(self.policy(right["chosen"]), policies.OFF)
        self.assertEqual(right["other"], 3)


class Callbacks(InFolder):
    def fit(self, callback, epochs=3):
        model, (data, _) = make_model(), make_data()
        model.compile(optimizer="sgd", loss="mse")
        return model.fit(data, validation_data=data, epochs=epochs, verbose=0, callbacks=[callback()])

    def test_every_epoch_and_every_batch_is_reported(self):
        def train(kind):
            import test_tensorflow
            made = {"epoch": prova.callbacks.KerasEpochEnd, "batch": prova.callbacks.KerasBatchEnd}[kind]
            test_tensorflow.Callbacks().fit(made)

        result = self.lagom(train, parameters={"kind": prova.categorical(["epoch", "batch"])}, search="grid", trials=2)
        steps = {trial.params["kind"]: list(trial.curve()[0]) for trial in result.trials}
        self.assertEqual(steps, {"epoch": [0, 1, 2], "batch": list(range(9))})

    def test_a_metric_that_there_is_not_is_named(self):
        with self.assertRaisesRegex(errors.ConfigError, "'val_accuracy'; it gives: loss, val_loss"):
            self.fit(lambda: prova.callbacks.KerasEpochEnd(metric="val_accuracy"))


class Dropping(unittest.TestCase):
    def functional(self):
        x = keras.Input((4,), name="in")
        wide = keras.layers.Dense(8, name="wide")(x)
        same = keras.layers.Dense(8, name="same")(wide)
        joined = keras.layers.Add(name="sum")([wide, same])
        return keras.Model(x, keras.layers.Dense(1, name="out")(joined))

    def test_a_layer_of_a_sequential_model_is_left_out(self):
        for is_built in (True, False):
            model = make_model() if is_built else keras.Sequential(make_model().layers)
            model.compile(optimizer="sgd", loss="mae")
            left = ablation.drop_layers(model, ["hidden"])
            self.assertEqual([layer.name for layer in left.layers], ["out"])
            self.assertEqual(left(numpy.ones((2, 4))).shape, (2, 1))
            self.assertEqual(left.layers[0].kernel.shape, (4, 1))
            self.assertEqual((left.loss, left.built), ("mae", True))

    def test_what_came_into_a_layer_goes_on_without_it(self):
        model = self.functional()
        left = ablation.drop_layers(model, ["same"])
        self.assertEqual([layer.name for layer in left.layers], ["in", "wide", "sum", "out"])
        x = numpy.ones((2, 4), "float32")
        wide = model.get_layer("wide")(x)
        numpy.testing.assert_allclose(left(x), model.get_layer("out")(wide + wide), rtol=1e-5)
        narrow = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, name="a"), keras.layers.Dense(2, name="b")])
        outer = keras.Model(narrow.inputs, narrow.outputs)
        self.assertEqual(ablation.drop_layers(outer, ["a"])(x).shape, (2, 2))

    def test_what_cannot_be_left_out_is_said(self):
        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.dense = keras.layers.Dense(1, name="dense")

        for model, name, message in ((self.functional(), "sum", "joins several others"), (self.functional(), "in", "an input"),
                                     (self.functional(), "wiide", "no layer 'wiide'; it has: in, wide, same, sum, out"),
                                     (make_model(), "x", "no layer 'x'; it has: hidden, out"),
                                     (Own(), "dense", "layers of a Own.*argument `ablated`")):
            with self.assertRaisesRegex(errors.ConfigError, message):
                ablation.drop_layers(model, [name])


if __name__ == "__main__":
    unittest.main()

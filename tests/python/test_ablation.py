import unittest

import prova
from prova import ablation, errors
from support import InFolder

DATA = {"age": [1.0, 2.0], "income": [3.0, 4.0], "noise": [0.0, 0.0]}


def train(dataset):
    """Every feature that is there makes it better, by as much as it has to give."""
    return 10 - sum(sum(column) for column in dataset.values())


class Studies(InFolder):
    def study(self, **options):
        config = prova.AblationConfig({"features": ["age", "income", "noise"]}, direction="min", metric="loss")
        return prova.lagom(train, config, dataset=lambda: dict(DATA), progress=False, **options)

    def test_features_are_left_out_of_what_the_generator_makes(self):
        values = {tuple(t.variant.split(",")) if t.variant else (): t.value for t in self.study().trials}
        self.assertEqual(sorted(values.values()), [0.0, 0.0, 3.0, 7.0])

    def test_the_components_are_ranked(self):
        ranked = [(c["component"], c["importance"]) for c in self.study().components]
        self.assertEqual(ranked, [("feature:income", 7.0), ("feature:age", 3.0), ("feature:noise", 0.0)])

    def test_a_generator_that_asks_leaves_out_by_itself(self):
        def make(ablated):
            return {name: column for name, column in DATA.items() if f"feature:{name}" not in ablated}

        result = prova.lagom(lambda dataset, trial: train(dataset) + trial.ablated("feature", "noise"),
                             prova.AblationConfig({"features": ["noise"]}, direction="min"), dataset=make, progress=False)
        self.assertEqual([t.value for t in result.trials], [0.0, 1.0])

    def test_an_unknown_feature_fails_its_trial_with_what_there_is(self):
        result = prova.lagom(train, prova.AblationConfig({"features": ["agee", "age"]}, direction="min"),
                             dataset=lambda: dict(DATA), progress=False)
        failed = [t for t in result.trials if t.state == "FAILED"]
        self.assertEqual(len(failed), 1)
        self.assertIn("no feature 'agee': it has age, income, noise", failed[0].text)

    def test_maggys_study(self):
        study = ablation.AblationStudy("titanic", 1, label_name="survived", dataset_generator=lambda: dict(DATA))
        study.features.include("age", ["income", "noise"])
        study.features.exclude("noise")
        study.model.layers.include("one")
        study.model.layers.include_groups(["two", "three"])
        study.model.set_base_model_generator(lambda ablated: {"one", "two", "three"} - set(ablation.names_of(ablated, "layer")))
        study.model.add_custom_model_generator(lambda: {"custom"}, "other")
        result = prova.lagom(lambda model_function, dataset_function: 10 * len(model_function()) + len(dataset_function()),
                             prova.AblationConfig(study, direction="max"), progress=False)
        self.assertEqual(sorted(t.value for t in result.trials), [13.0, 13.0, 23.0, 32.0, 32.0, 33.0])
        self.assertEqual(study.to_dict()["included_features"], ["age", "income"])

    def test_a_study_of_nothing_is_refused(self):
        with self.assertRaisesRegex(errors.ConfigError, "leaves nothing out"):
            prova.lagom(train, prova.AblationConfig(ablation.AblationStudy()), dataset=lambda: DATA)
        with self.assertRaisesRegex(errors.ConfigError, "at least two names"):
            ablation.AblationStudy().model.layers.include_groups(["one"])
        with self.assertRaisesRegex(errors.ConfigError, "name or a list"):
            ablation.AblationStudy().features.include(3)


class Dropping(unittest.TestCase):
    def test_features_of_arrays_are_their_column_numbers(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("NumPy is not installed")
        x, y = numpy.arange(6).reshape(2, 3), numpy.array([0, 1])
        left, labels = ablation.drop_features((x, y), ["1"])
        self.assertEqual(left.tolist(), [[0, 2], [3, 5]])
        self.assertIs(labels, y)
        with self.assertRaisesRegex(errors.ConfigError, "'7'"):
            ablation.drop_features(x, ["7"])

    def test_features_of_frames_are_their_columns(self):
        try:
            import pandas
        except ImportError:
            self.skipTest("pandas is not installed")
        self.assertEqual(list(ablation.drop_features(pandas.DataFrame(DATA), ["age"]).columns), ["income", "noise"])

    def test_modules_of_torch(self):
        try:
            from torch import nn
        except ImportError:
            self.skipTest("PyTorch is not installed")
        model = nn.Sequential()
        for name in ("one", "two", "three"):
            model.add_module(name, nn.Linear(2, 2))
        ablation.drop_layers(model, ["two"])
        self.assertEqual([name for name, _ in model.named_children()], ["one", "three"])
        outer = nn.Module()
        outer.body = model
        outer.head = nn.Linear(2, 1)
        ablation.drop_layers(outer, ["head", "body.one"])
        self.assertIsInstance(outer.head, nn.Identity)
        self.assertEqual([name for name, _ in outer.body.named_children()], ["three"])
        with self.assertRaisesRegex(errors.ConfigError, "no module 'four'"):
            ablation.drop_layers(outer, ["four"])


if __name__ == "__main__":
    unittest.main()

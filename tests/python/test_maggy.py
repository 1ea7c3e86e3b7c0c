"""Scripts as they are written for Maggy, of several of its versions: only the name that is imported is changed."""

import contextlib
import io
import sys
import textwrap

from prova import errors, experiment
from support import InFolder


class Scripts(InFolder):
    def tearDown(self):
        experiment._config = None
        experiment.set_dataset_generator(None)
        experiment.set_model_generator(None)
        super().tearDown()

    def run_script(self, code):
        """What a script, whose `maggy` is `prova`, has left in its variables, and what it has printed."""
        names = {"__name__": "__main__"}
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            exec(compile(textwrap.dedent(code).replace("maggy", "prova"), "notebook", "exec"), names)
        return names, printed.getvalue()

    def test_a_search_with_a_configuration(self):
        names, _ = self.run_script("""
            from maggy import Searchspace, experiment
            from maggy.experiment_config import OptimizationConfig

            sp = Searchspace(kernel=('INTEGER', [2, 8]), pool=('INTEGER', [2, 8]))
            sp.add('dropout', ('DOUBLE', [0.01, 0.99]))

            def training_function(kernel, pool, dropout, reporter):
                from maggy import tensorboard
                with open(tensorboard.logdir() + "/events", "w") as file:
                    file.write("x")
                accuracy = 0.0
                for epoch in range(3):
                    accuracy += dropout / (kernel + pool)
                    reporter.broadcast(metric=accuracy)
                print('accuracy:', accuracy)
                return accuracy

            config = OptimizationConfig(name="hp_tuning_test", num_trials=4, optimizer="randomsearch", searchspace=sp,
                                        direction="max", es_interval=1, es_min=5)
            result = experiment.lagom(train_fn=training_function, config=config)
            """)
        result = names["result"]
        self.assertEqual((result["num_trials"], result["early_stopped"]), (4, 0))
        self.assertEqual(set(result["best_config"]), {"kernel", "pool", "dropout"})
        self.assertEqual(result["best_hp"], result.get("best_config"))
        self.assertGreaterEqual(result["best_val"], result["avg"])
        self.assertGreaterEqual(result["avg"], result["worst_val"])
        self.assertEqual(result["best_id"], result.best_trial)
        self.assertTrue(all(trial.curve()[0] == [0, 1, 2] for trial in result.trials))

    def test_a_search_of_the_time_before_configurations(self):
        code = """
            from maggy import Searchspace
            from maggy import experiment

            sp = Searchspace(kernel=('INTEGER', [2, 8]), dropout=('DOUBLE', [0.01, 0.99]))

            def mnist(kernel, dropout, reporter):
                reporter.broadcast(metric=dropout)
                return dropout

            result = experiment.{call}
            """
        for call in ("lagom(mnist, searchspace=sp, optimizer='randomsearch', direction='max', num_trials=5, name='MNIST', "
                     "hb_interval=1, es_interval=5, es_min=5)",
                     "lagom(map_fun=mnist, searchspace=sp, optimizer='randomsearch', direction='min', num_trials=5)",
                     "lagom(train_fn=mnist, name='b', experiment_type='optimization', searchspace=sp, optimizer='gridsearch', "
                     "num_trials=5, optimization_key='metric', es_policy='none', description='a grid')",
                     "launch(mnist, sp, optimizer='randomsearch', num_trials=5)"):
            with self.subTest(call):
                result = self.run_script(code.format(call=call))[0]["result"]
                best = min if "'min'" in call else max
                self.assertEqual(result["best_val"], best(trial.value for trial in result.trials))
                self.assertEqual(result["num_trials"], 5)

    def test_optimizers_and_rules_as_objects(self):
        names, _ = self.run_script("""
            from maggy import Searchspace, experiment
            from maggy.config import HyperparameterOptConfig
            from maggy.optimizer import Asha, RandomSearch
            from maggy.earlystop import MedianStoppingRule

            sp = Searchspace(x=('DOUBLE', [0.0, 1.0]))

            def train(x, budget, reporter):
                for epoch in range(budget):
                    reporter.broadcast(x, epoch)
                return x

            halved = experiment.lagom(train, HyperparameterOptConfig(9, Asha(3, 1, 9), sp, es_policy="none"))
            named = experiment.lagom(train, HyperparameterOptConfig(6, "asha", sp, es_policy="none"))
            ruled = experiment.lagom(lambda x: x, HyperparameterOptConfig(3, RandomSearch(), sp, es_policy=MedianStoppingRule))
            """)
        self.assertEqual(max(len(trial.curve()[0]) for trial in names["halved"].trials), 9)
        self.assertEqual(max(len(trial.curve()[0]) for trial in names["named"].trials), 4)
        self.assertEqual(names["ruled"]["num_trials"], 3)

    # A stand-in for Keras, of what leaving out a layer needs.
    KERAS = """
        class Layer:
            weights = []

            def __init__(self, name):
                self.name = name

            def get_config(self):
                return {'name': self.name}

            def get_weights(self):
                return []

            @classmethod
            def from_config(cls, config):
                return cls(**config)

        class Sequential:
            built = compiled = False

            def __init__(self, layers=(), name=None):
                self.layers, self.name = list(layers), name

            def get_config(self):
                return {}
        """

    ABLATION = """
        from maggy.ablation import AblationStudy
        ablation_study = AblationStudy('titanic_train_dataset', training_dataset_version=1, label_name='survived')

        def make_data(epochs=1, batch_size=1):
            return {'age': epochs, 'fare': batch_size, 'sex': 3}

        from keras import Layer, Sequential

        def base_model_generator():
            return Sequential([Layer('first'), Layer('my_two'), Layer('my_three'), Layer('my_four')])

        ablation_study.set_dataset_generator(make_data)
        ablation_study.features.include('age')
        ablation_study.features.include(['fare', 'sex'])
        ablation_study.features.exclude('sex')
        ablation_study.features.list_all()
        ablation_study.model.set_base_model_generator(base_model_generator)
        ablation_study.model.layers.include('my_two', 'my_three')
        ablation_study.model.layers.print_all()
        ablation_study.model.layers.include_groups(['my_two', 'my_four'])
        ablation_study.model.layers.include_groups(prefix='my_')
        ablation_study.model.layers.print_all_groups()
        ablation_study.model.add_custom_model_generator(lambda: Sequential(), 'a_custom_model')

        def training_fn(dataset_function, model_function):
            return 100.0 * len(model_function().layers) + sum(dataset_function(5, 10).values())
        """

    def test_an_ablation_study(self):
        with open("keras.py", "w") as file:
            file.write(textwrap.dedent(self.KERAS))
        sys.path.insert(0, self.folder)
        before = sys.modules.pop("keras", None)
        self.addCleanup(sys.modules.update, {"keras": before} if before else {})
        self.addCleanup(sys.modules.pop, "keras", None)
        self.addCleanup(sys.path.remove, self.folder)
        for call in ("""
                from maggy import experiment
                from maggy.experiment_config import AblationConfig
                config = AblationConfig(name="Titanic-LOCO", ablation_study=ablation_study, ablator="loco", description="",
                                        hb_interval=1)
                result = experiment.lagom(train_fn=training_fn, config=config)
                """, """
                from maggy.experiment import experiment
                result = experiment.lagom(map_fun=training_fn, experiment_type='ablation', ablation_study=ablation_study,
                                          ablator='loco', name='Titanic-LOCO', hb_interval=5)
                """):
            with self.subTest(call):
                names, printed = self.run_script(textwrap.dedent(self.ABLATION) + textwrap.dedent(call))
                values = sorted(trial.value for trial in names["result"].trials)
                # The custom model; the prefix; the group; two layers; fare; age; all.
                self.assertEqual(values, [18.0, 118.0, 218.0, 318.0, 318.0, 408.0, 413.0, 418.0])
                self.assertEqual(printed.splitlines()[:4], ["age", "fare", "my_two", "my_three"])
                self.assertEqual(names["result"]["best_val"], 418.0)

    def test_the_model_may_be_a_class_that_the_function_builds(self):
        names, _ = self.run_script("""
            from maggy import Searchspace, experiment
            from maggy.config import OptimizationConfig, TorchDistributedConfig

            class Model:
                def __init__(self, units=1):
                    self.units = units

            def train(model, train_set, test_set, hparams):
                return float(model(units=hparams['units']).units + len(train_set) + len(test_set))

            config = OptimizationConfig(num_trials=3, optimizer='randomsearch',
                                        searchspace=Searchspace(units=('INTEGER', [2, 8])),
                                        model=Model, train_set=[1, 2], test_set=[3])
            searched = experiment.lagom(train, config)

            def train_module(module, hparams, dataset):
                return float(module(**hparams).units + sum(dataset))

            distributed = experiment.lagom(train_module, TorchDistributedConfig(module=Model, dataset=[1, 2],
                                                                                hparams={'units': 7}, workers=1))
            """)
        self.assertEqual(names["searched"]["best_val"], names["searched"]["best_hp"]["units"] + 3)
        self.assertEqual(names["distributed"].best_value, 10.0)

    def test_the_contexts_of_the_talk(self):
        names, _ = self.run_script("""
            from maggy import Searchspace, experiment

            def train(model, dataset, reporter, hparams):
                reporter.broadcast(model * sum(dataset))
                return model * sum(dataset) + hparams.get('lr', 0)

            experiment.set_dataset_generator(lambda: [1, 2])
            experiment.set_model_generator(lambda: 2)
            experiment.set_context('optimization', num_trials=3, optimizer='randomsearch',
                                   searchspace=Searchspace(lr=('DOUBLE', [0.1, 0.2])), direction='max')
            tuned = experiment.lagom(train)
            experiment.set_context('dist_training', workers=2)
            trained = experiment.lagom(train)
            experiment.set_context('ablation', ablation_study={'variants': ['other']})
            ablated = experiment.lagom(train)
            """)
        self.assertAlmostEqual(names["tuned"].get("best_val"), 6 + names["tuned"].get("best_hp")["lr"])
        self.assertEqual((names["trained"].best_value, len(names["ablated"].trials)), (6.0, 2))

    def test_what_is_wrong_with_an_old_call_is_said(self):
        with self.assertRaisesRegex(errors.ConfigError, "experiment_type is 'search'"):
            experiment.lagom(lambda x: x, experiment_type="search")
        with self.assertRaisesRegex(errors.ConfigError, "optimization experiment: .*searchspace"):
            experiment.lagom(lambda x: x, num_trials=3)

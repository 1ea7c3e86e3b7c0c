"""Distributed training with PyTorch: one function, on one rank and on several."""

import math
import os
import signal
import unittest
import weakref
from unittest import mock

import numpy
import torch
from torch import nn
from torch.utils import data

import prova
from prova import _torch, errors
from support import InFolder

N = 48


def make_model(width=8):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 1))


def make_data():
    x = torch.rand(N, 4, generator=torch.Generator().manual_seed(0))
    return data.TensorDataset(x, (x ** 2).sum(1, keepdim=True))


def train(model, dataset, batch_size=16, shuffle=False, epochs=6):
    """Knows nothing of ranks."""
    loader = data.DataLoader(dataset, batch_size=batch_size, shuffle=shuffle)
    validation = data.DataLoader(dataset, batch_size=batch_size)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(epochs):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            loss = sum(nn.functional.mse_loss(model(x), y).item() for x, y in validation) / len(validation)
        prova.report(epoch, loss)
    return loss


class Training(InFolder):
    def run_on(self, workers, function, **options):
        config = prova.TorchDistributedConfig(module=make_model, dataset=make_data, workers=workers, direction="min") \
            if workers > 1 else prova.BaseConfig(model=make_model, dataset=make_data)
        return prova.lagom(function, config, progress=False, **options)

    def curve(self, workers, function):
        return numpy.array(self.run_on(workers, function).trials[0].curve()[1])

    def test_the_same_function_has_the_same_curve_on_one_rank_and_on_several(self):
        alone = self.curve(1, train)
        self.assertLess(alone[-1], 0.9 * alone[0])
        for workers in (2, 4):
            numpy.testing.assert_allclose(self.curve(workers, train), alone, rtol=1e-4)

    def test_other_batches_would_be_another_curve(self):
        """That the curves are the same says something only if a wrong share shows in them."""
        curves = [[], [], []]
        datasets = (make_data(), make_data(), data.Subset(make_data(), range(N // 2)))
        for curve, dataset, size in zip(curves, datasets, (16, 8, 16)):
            with mock.patch.object(prova, "report", lambda _, loss, curve=curve: curve.append(loss)):
                train(make_model(), dataset, size)
        for other in curves[1:]:
            self.assertFalse(numpy.allclose(curves[0], other, rtol=1e-2))

    def test_shuffled_epochs_differ_and_the_ranks_share_each(self):
        def seen(dataset, trial, folder):
            loader = data.DataLoader(list(range(N)), batch_size=16, shuffle=True)
            with open(f"{folder}/{trial.rank}", "w") as file:
                for _ in range(2):
                    print(*[int(i) for batch in loader for i in batch], file=file)
            return len(loader)

        result = prova.lagom(seen, prova.TorchDistributedConfig(dataset=make_data, hparams={"folder": self.folder}),
                             progress=False)
        self.assertEqual(result.best_value, 3.0)
        epochs = [[], []]
        for rank in range(2):
            with open(str(rank)) as file:
                for epoch, line in zip(epochs, file):
                    epoch.append([int(word) for word in line.split()])
        for parts in epochs:
            self.assertEqual([len(part) for part in parts], [N // 2, N // 2])
            self.assertEqual(sorted(parts[0] + parts[1]), list(range(N)))
        self.assertNotEqual(epochs[0], epochs[1])

    def test_what_the_function_sees_of_its_model_is_the_model(self):
        def look(model, dataset, trial):
            torch.save(model.state_dict(), os.path.join(trial.directory, f"{trial.rank}.pt"))
            fresh = make_model()
            fresh.load_state_dict(torch.load(os.path.join(trial.directory, f"{trial.rank}.pt")))
            model.load_state_dict(fresh.state_dict())
            return sum(parameter.numel() for parameter in model.parameters())

        self.assertEqual(self.run_on(2, look).best_value, self.run_on(1, look).best_value)

    def test_a_search_whose_every_trial_is_a_gang(self):
        def short(model, dataset, lr):
            return train(model, dataset, epochs=2) + lr

        result = prova.lagom(short, name="s", parameters={"lr": prova.double(0.1, 1)}, metric="loss", goal="minimize",
                             trials=3, workers=2, settings={"workers_per_trial": 2}, seed=1, model=make_model,
                             dataset=make_data, progress=False)
        self.assertEqual(result.counts["COMPLETED"], 3)
        self.assertEqual(len({round(t.value - t.params["lr"], 5) for t in result.trials}), 1)


class Ends(InFolder):
    """How gangs end that do not run to their end."""

    def lagom(self, function, **options):
        return super().lagom(function, model=make_model, dataset=make_data, settings={"workers_per_trial": 2}, **options)

    def test_a_gang_is_stopped_early(self):
        def endless(model, dataset, trial, reports, folder):
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
            try:
                for epoch in range(100000):
                    for x, y in data.DataLoader(dataset, batch_size=16):
                        optimizer.zero_grad()
                        nn.functional.mse_loss(model(x), y).backward()
                        optimizer.step()
                    if trial.rank == 0 or reports == "all":
                        prova.report(epoch, 1.0)
            except BaseException as error:
                with open(f"{folder}/{trial.number}-{trial.rank}", "w") as file:
                    file.write(type(error).__name__)
                raise

        space = {"reports": prova.categorical(["all", "rank 0"]), "folder": prova.constant(self.folder)}
        result = self.lagom(endless, parameters=space, search="grid", trials=2,
                            stopping={"name": "threshold", "step": 20, "value": 0.5})
        self.assertEqual([(t.state, t.attempt) for t in result.trials], [("STOPPED", 1)] * 2)
        for name in ("1-0", "1-1", "2-0", "2-1"):
            with open(name) as file:
                self.assertEqual((name, file.read()), (name, "EarlyStop"))

    def test_a_rank_that_dies_costs_an_attempt(self):
        def dies_once(model, dataset, trial):
            if trial.rank == 1 and trial.attempt == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return train(model, dataset)

        result = self.lagom(dies_once, trials=1, retries=1)
        self.assertEqual([(t.state, t.attempt) for t in result.trials], [("COMPLETED", 2)])

    def test_a_rank_that_fails_is_what_the_trial_failed_of(self):
        def fails(model, dataset, trial):
            def hook(*_):
                if trial.rank == 1:
                    raise ValueError("no such batch")
            model.register_forward_pre_hook(hook)
            return train(model, dataset)

        with self.assertRaisesRegex(errors.ExperimentFailed, "rank 1.*ValueError: no such batch"):
            self.lagom(fails, trials=1, retries=0)


    def test_a_model_is_gone_before_its_process_group(self):
        """PyTorch's reducer may hang when it is the last to hold the group: see Group.leave."""
        def ends(model, dataset, trial, how, folder):
            reference, destroy = weakref.ref(model), _torch.distributed.destroy_process_group
            number, rank = trial.number, trial.rank

            def look():
                with open(f"{folder}/{number}-{rank}", "w") as file:
                    file.write("there" if reference() else "gone")
                _torch.distributed.destroy_process_group = destroy
                destroy()

            _torch.distributed.destroy_process_group = look
            model.itself = [model]  # as much of a cycle as any
            loss = train(model, dataset, epochs=1)
            if how == "raises":
                raise ValueError("no more")
            if how == "stops":
                raise prova.EarlyStop
            return loss

        space = {"how": prova.categorical(["returns", "raises", "stops"]), "folder": prova.constant(self.folder)}
        self.lagom(ends, parameters=space, search="grid", trials=3, retries=0)
        for trial in (1, 2, 3):
            with open(f"{trial}-0") as file:
                self.assertEqual((trial, file.read()), (trial, "gone"))


class Parts(unittest.TestCase):
    """What needs no gang of its own."""

    def setUp(self):
        variables = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1",
                     "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
        patch = mock.patch.dict(os.environ, variables)
        patch.start()
        self.addCleanup(patch.stop)
        self.group = _torch.Group(variables, 1, lambda: self.is_stopped)
        self.is_stopped = False
        self.addCleanup(self.group.leave)

    def test_each_member_has_a_gpu_or_all_use_gloo(self):
        for n_gpus, members, backend in ((0, 1, "gloo"), (1, 2, "gloo"), (2, 2, "nccl"), (8, 2, "nccl")):
            with mock.patch.object(torch.cuda, "is_available", lambda n=n_gpus: n > 0), \
                    mock.patch.object(torch.cuda, "device_count", lambda n=n_gpus: n), \
                    mock.patch.object(torch.distributed, "is_nccl_available", lambda: True):
                self.assertEqual(_torch.choose_backend(members), backend)

    def test_what_has_nothing_to_learn_is_not_wrapped(self):
        self.assertIsInstance(self.group.wrap(make_model()), nn.parallel.DistributedDataParallel)
        for model in (nn.Identity(), make_model().requires_grad_(False), "no module"):
            self.assertIs(self.group.wrap(model), model)

    def test_a_stop_is_agreed_on_by_a_step_and_ends_the_next_but_one(self):
        model, x = self.group.wrap(make_model()), torch.zeros(1, 4)
        model(x)
        self.is_stopped = True
        for has_agreed in (False, True):
            with torch.no_grad():
                model(x)
            model(x)
            self.assertEqual(self.group.has_agreed, has_agreed)
        with self.assertRaises(prova.EarlyStop):
            model(x)

    def test_attributes_are_those_of_the_model_but_its_parts_are_not_called(self):
        inner = make_model()
        inner.n_classes = 10
        model = self.group.wrap(inner)
        self.assertEqual(model.n_classes, 10)
        inner.head = nn.Linear(1, 1)
        with self.assertRaisesRegex(AttributeError, "getattr\\(model, 'module', model\\).head"):
            model.head(torch.zeros(1))
        with self.assertRaisesRegex(AttributeError, "n_clases"):
            model.n_clases  # noqa: B018

    def test_evaluation_is_without_gradients_or_in_the_models_own_mode(self):
        model = self.group.wrap(make_model())
        self.assertFalse(self.group.is_evaluating())
        with torch.inference_mode():
            self.assertTrue(self.group.is_evaluating())
        model.eval()
        self.assertTrue(self.group.is_evaluating())
        model.train()
        self.assertFalse(self.group.is_evaluating())

    def test_loaders_with_a_sampler_of_their_own_are_left_alone(self):
        sampler = data.SequentialSampler(range(8))
        self.assertIs(data.DataLoader(range(8), sampler=sampler).sampler, sampler)
        batches = data.BatchSampler(sampler, 2, False)
        self.assertIs(data.DataLoader(range(8), batch_sampler=batches).batch_sampler, batches)

    def test_every_form_of_loader_gives_all_to_a_single_rank(self):
        for options in ({"batch_size": 4}, {"batch_size": 3}, {"batch_size": None}, {"batch_size": 4, "num_workers": 1},
                        {"batch_size": 3, "drop_last": True}):
            loader = data.DataLoader(list(range(12)), **options)
            for _ in range(2):
                self.assertEqual(sorted(torch.cat([torch.as_tensor(batch).reshape(-1) for batch in loader]).tolist()),
                                 list(range(12)))
            self.assertEqual(len(loader), math.ceil(12 / (options["batch_size"] or 1)))

    def test_loaders_are_as_before_afterwards(self):
        self.group.leave()
        self.assertIsInstance(data.DataLoader(range(8)).batch_sampler, data.BatchSampler)


if __name__ == "__main__":
    unittest.main()

import os
import unittest

import prova
from support import InFolder


class Gangs(InFolder):
    def test_every_member_finds_its_place_in_the_environment(self):
        def train(trial, folder):
            names = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
            with open(f"{folder}/{trial.rank}", "w") as file:
                print(*[os.environ[name] for name in names], file=file)
            return trial.world

        result = prova.lagom(train, prova.DistributedConfig(3, hparams={"folder": self.folder}), progress=False)
        self.assertEqual(result.best_value, 3.0)
        seen = []
        for rank in range(3):
            with open(str(rank)) as file:
                seen.append(file.read().split())
        self.assertEqual([words[:2] for words in seen], [["0", "3"], ["1", "3"], ["2", "3"]])
        self.assertEqual(len({tuple(words[2:]) for words in seen}), 1)

    def test_a_search_of_trials_on_two_workers_each(self):
        result = self.lagom(lambda x, trial: x + trial.rank, trials=4, workers=4, settings={"workers_per_trial": 2})
        self.assertEqual([t.value for t in result.trials], [t.params["x"] for t in result.trials])

    def test_torch_trains_the_same_function_alone_and_together(self):
        try:
            import torch
        except ImportError:
            self.skipTest("PyTorch is not installed")

        def make_model():
            torch.manual_seed(0)
            return torch.nn.Linear(2, 1)

        def make_data():
            x = torch.arange(16.0).reshape(8, 2) / 16
            return torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True))

        def train(model, dataset, trial):
            loader = torch.utils.data.DataLoader(dataset, batch_size=8 // trial.world)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
            for epoch in range(20):
                for x, y in loader:
                    loss = torch.nn.functional.mse_loss(model(x), y)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                prova.report(epoch, loss.item())
            x, y = torch.utils.data.default_collate(list(dataset))
            return torch.nn.functional.mse_loss(model(x), y).item()

        parts = {"model": make_model, "dataset": make_data, "progress": False}
        alone = prova.lagom(train, prova.BaseConfig(), **parts)
        together = prova.lagom(train, prova.TorchDistributedConfig(), workers=2, **parts)
        self.assertAlmostEqual(alone.best_value, together.best_value, places=6)


if __name__ == "__main__":
    unittest.main()

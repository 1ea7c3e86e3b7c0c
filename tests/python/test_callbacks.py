"""Callbacks in the loops of PyTorch Lightning and transformers."""

import logging
import os
import unittest
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"

import pytorch_lightning as lightning  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from torch.utils import data  # noqa: E402

import prova  # noqa: E402
from prova import errors  # noqa: E402
from support import InFolder  # noqa: E402


def samples():
    x = torch.rand(16, 2, generator=torch.Generator().manual_seed(0))
    return x, x.sum(1, keepdim=True)


class Line(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, _index):
        return torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", self.training_step(batch, index))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit_lightning(metric="val_loss", epochs=3):
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    loader = data.DataLoader(data.TensorDataset(*samples()), batch_size=8)
    trainer = lightning.Trainer(max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
                                enable_progress_bar=False, enable_model_summary=False,
                                callbacks=[prova.callbacks.LightningReport(metric)])
    trainer.fit(Line(), loader, loader)


class Regression(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, x, labels):
        y = self.layer(x)
        return {"loss": torch.nn.functional.mse_loss(y, labels), "logits": y}


def fit_transformers(metric="eval_loss", epochs=3):
    transformers.logging.set_verbosity_error()
    rows = [{"x": x, "labels": y} for x, y in zip(*samples())]
    arguments = transformers.TrainingArguments(
        output_dir="out", num_train_epochs=epochs, per_device_train_batch_size=8, eval_strategy="epoch", save_strategy="no",
        logging_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True)
    transformers.Trainer(Regression(), arguments, train_dataset=rows, eval_dataset=rows,
                         callbacks=[prova.callbacks.TransformersReport(metric)]).train()


class Callbacks(InFolder):
    def train(self, fit, **options):
        return self.lagom(lambda: fit(epochs=50 if "stopping" in options else 3), parameters={"c": prova.constant(0)}, trials=1,
                          start="fork", workers=1, **options).trials[0]

    def test_lightning_reports_every_epoch(self):
        steps, losses = self.train(fit_lightning).curve()
        self.assertEqual(list(steps), [0, 1, 2])
        self.assertLess(losses[2], losses[0])

    def test_transformers_report_every_evaluation(self):
        steps, losses = self.train(fit_transformers).curve()
        self.assertEqual(list(steps), [2, 4, 6])
        self.assertLess(losses[2], losses[0])

    def test_a_stop_ends_their_loops(self):
        for fit in (fit_lightning, fit_transformers):
            trial = self.train(fit, name=fit.__name__, stopping={"name": "threshold", "step": 4, "value": 1e-9})
            self.assertEqual(trial.state, "STOPPED")
            self.assertLess(len(trial.curve()[0]), 50)

    def test_a_metric_that_there_is_not_is_named(self):
        for fit, message in ((fit_lightning, "'loss'; it gives: val_loss"), (fit_transformers, "'loss'; it gives: eval_loss")):
            with self.assertRaisesRegex(errors.ConfigError, message):
                fit("loss")


if __name__ == "__main__":
    unittest.main()

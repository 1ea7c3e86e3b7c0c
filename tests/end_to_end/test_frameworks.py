"""The examples of distributed training, by the frameworks themselves where python3 has them."""

import functools
import os
import pathlib
import subprocess
import unittest

from harness import Case

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "distributed"
WITH_SERVERS = "distributed={workers: 4, runtime: tensorflow, parameter_servers: 1}"


@functools.lru_cache(maxsize=None)
def has(code: str) -> bool:
    return subprocess.run(["python3", "-c", code], stderr=subprocess.DEVNULL, check=False).returncode == 0


class Frameworks(Case):
    deadline = 280  # importing one takes many seconds, for each rank

    def test_pytorch(self):
        if not has("import torch.distributed as d; raise SystemExit(not d.is_available())"):
            self.skipTest("PyTorch is not installed for python3 (Debian: python3-torch)")
        result = self.json("run", str(EXAMPLES / "ddp.yaml"), "--set", "limits.trials=2")
        self.assertEqual(result["counts"]["COMPLETED"], 2)
        self.assertLess(result["best"]["value"], 0.1)

    def tensorflow(self, *options: str) -> None:
        if not has("import importlib.util; raise SystemExit(not importlib.util.find_spec('tensorflow'))"):
            self.skipTest("TensorFlow is not installed for python3 (PyPI: tensorflow-cpu)")
        result = self.json("run", str(EXAMPLES / "tf_config.yaml"), *options)
        self.assertEqual(result["counts"]["COMPLETED"], 1)
        self.assertLess(result["best"]["value"], 0.01)

    def test_tensorflow_whose_workers_mirror_the_weights(self):
        self.tensorflow()

    def test_tensorflow_with_a_parameter_server(self):
        self.tensorflow("--set", WITH_SERVERS)

    def stand_in(self, *options: str) -> float:
        """As where TensorFlow is not installed."""
        self.write("tensorflow.py", "raise ImportError\n")
        process = self.popen(
            "run", str(EXAMPLES / "tf_config.yaml"), *options, env={**os.environ, "PYTHONPATH": str(self.dir)}
        )
        self.finish(process, 0)
        return self.json("best", "tf-config")["best"]["value"]

    def test_the_addresses_of_tf_config_are_right_and_free(self):
        self.assertAlmostEqual(self.stand_in(), 2 / 3, delta=0.01)

    def test_a_parameter_server_is_ended_with_its_chief(self):
        self.assertAlmostEqual(self.stand_in("--set", WITH_SERVERS), 2 / 3, delta=0.01)


if __name__ == "__main__":
    unittest.main()

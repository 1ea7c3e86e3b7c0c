"""The example notebook that needs PyTorch, executed."""

import unittest

from notebook import Executed


class Notebooks(unittest.TestCase):
    def test_the_function_that_was_searched_is_trained_on_two_workers(self):
        run = Executed("torch_distributed", "seen = [[r.state, r.counts, r.best_value, r.best_params, "
                                            "[t.curve()[0][-1] for t in r.trials]] for r in (search, run)]")
        (state, counts, best, params, _), (state_2, counts_2, best_2, params_2, steps_2) = run.seen
        self.assertEqual((state, counts["COMPLETED"] + counts["STOPPED"]), ("completed", 16))
        self.assertEqual((state_2, counts_2["COMPLETED"], steps_2), ("completed", 1, [24]))
        self.assertEqual(params_2, params)
        self.assertGreater(best, 0.9)
        self.assertGreater(best_2, 0.85)
        self.assertEqual(len(run.outputs("prova.plots", "image/png")), 2)
        self.assertEqual(run.warnings, [])


if __name__ == "__main__":
    unittest.main()

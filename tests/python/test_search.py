import math
import unittest

import prova
from prova import errors

SPACE = {"x": prova.double(-1, 1), "k": prova.categorical(["a", "b"])}


class AskAndTell(unittest.TestCase):
    def test_it_finds_what_is_good(self):
        search = prova.Search(SPACE, "tpe", seed=4)
        for _ in range(60):
            point = search.ask()
            search.tell(point, point["x"] ** 2 + (point["k"] == "b"))
        self.assertLess(search.best_value, 0.01)
        self.assertEqual(search.best["k"], "a")

    def test_maximising_is_the_mirror_of_minimising(self):
        low, high = prova.Search(SPACE, "tpe", seed=4), prova.Search(SPACE, "tpe", goal="maximize", seed=4)
        for _ in range(30):
            one, other = low.ask(), high.ask()
            self.assertEqual(one.params, other.params)
            low.tell(one, one["x"])
            high.tell(other, -other["x"])

    def test_the_same_seed_gives_the_same_points(self):
        self.assertEqual(*[[dict(s.ask()) for _ in range(9)] for s in (prova.Search(SPACE, seed=7) for _ in "ab")])

    def test_a_point_is_told_once(self):
        search = prova.Search(SPACE)
        point = search.ask()
        search.tell(point, 1)
        with self.assertRaises(errors.ExistsError):
            search.tell(point, 1)
        with self.assertRaises(errors.ProvaError):
            search.tell(99, 1)

    def test_failed_points_are_never_best(self):
        search = prova.Search(SPACE)
        for value in (None, math.nan, math.inf, -math.inf):
            search.tell(search.ask(), value)
        self.assertIsNone(search.best_value)
        self.assertIsNone(search.best)

    def test_points_from_elsewhere_count(self):
        search = prova.Search(SPACE, "tpe")
        search.add({"x": 0.5, "k": "a"}, 0.25)
        number = search.add({"x": 0.25, "k": "a"})
        search.tell(number, 0.0625)
        self.assertEqual((search.best_value, search.best["x"]), (0.0625, 0.25))
        with self.assertRaisesRegex(errors.ConfigError, "z"):
            search.add({"z": 1}, 0)

    def test_a_search_is_kept_as_text_and_goes_on(self):
        search = prova.Search(SPACE, "tpe", seed=3)
        points = search.ask_many(12)
        for point in points[:11]:
            search.tell(point, None if point.number == 4 else point["x"] ** 2)
        restored = prova.Search.load(search.save())
        self.assertEqual([(point.params, state, value) for point, state, value in restored.trials],
                         [(point.params, state, value) for point, state, value in search.trials])
        self.assertEqual([state for _, state, _ in restored.trials].count("told"), 10)
        self.assertEqual([state for _, state, _ in restored.trials][3], "failed")
        self.assertEqual(restored.ask().params, search.ask().params)
        with self.assertRaisesRegex(errors.ConfigError, "line 1"):
            prova.Search.load("nonsense")

    def test_it_shows_what_it_knows(self):
        search = prova.Search({"k": prova.categorical(["a"])})
        self.assertEqual(repr(search), "<prova search: 0 points>")
        search.tell(search.ask(), 0.25)
        self.assertRegex(repr(search), "^<prova search: 1 point, best 0.25 with .*'a'.*>$")

    def test_a_space_runs_out(self):
        search = prova.Search({"k": prova.categorical(["a", "b"])})
        self.assertEqual({search.ask()["k"], search.ask()["k"]}, {"a", "b"})
        with self.assertRaises(errors.ExhaustedError):
            search.ask()

    def test_numbers_of_numpy_are_taken(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("NumPy is not installed")
        search = prova.Search({"b": prova.discrete(numpy.array([1, 2, 4])), "x": prova.double(numpy.float32(0), 1)})
        search.tell(search.ask(), numpy.float64(0.5))
        self.assertEqual(search.best_value, 0.5)


if __name__ == "__main__":
    unittest.main()

"""What the searches are measured on: tables of recorded results and the classical functions, the same for every searcher.

A problem has parameters in the form of a sweep file, a number of evaluations, and a value for every point, which is to be
minimised here whatever the table's goal is. Its regret is (best value - optimum), for a table divided by (median - optimum):
0 is perfect, 1 is the median row.

Tables are pairs NAME.yaml, NAME.csv in any folder below the given one: sections `metric`, `parameters` and `table` of the
yaml say the rest. A full-factorial table is looked up exactly. In a sampled one the nearest row counts: among the rows in
which the same parameters are active and those that decide over others have the same values, by Euclidean distance in the
unit cube, where different categories are 1 apart.
"""

import csv
import dataclasses
import math
import pathlib
import random
from collections.abc import Callable

EVALUATIONS = 100  # of a table
CHECKPOINTS = (10, 25, 50, 100)  # and the last


class BadTable(Exception):
    """A table cannot be used; the text says which and why."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    name: str
    kind: str  # double, int, discrete, categorical
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    values: tuple = ()
    when: tuple = ()  # ((name, (values...)), ...)

    def is_active(self, point):
        return all(point.get(name) in values for name, values in self.when)

    def unit(self, value):
        """Where a value lies in the unit interval, as the search sees it."""
        if self.kind in ("discrete", "categorical"):
            return self.values.index(value) / max(1, len(self.values) - 1)
        if self.log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)


@dataclasses.dataclass(frozen=True)
class Problem:
    name: str
    family: str  # factorial, categorical, conditional, curves or function
    parameters: tuple
    space: dict  # the `parameters:` section
    evaluations: int
    optimum: float
    scale: float  # what a regret is divided by
    evaluate: Callable  # point {name: value} without inactive ones -> value, minimised

    @property
    def continuous(self):
        return all(one.kind == "double" and not one.when for one in self.parameters)

    @property
    def checkpoints(self):
        return [at for at in CHECKPOINTS if at < self.evaluations] + [self.evaluations]

    def regret(self, best):
        return max(0.0, (best - self.optimum) / self.scale)


def parse_parameter(name, entry):
    when = tuple((key, tuple(values if isinstance(values, list) else [values]))
                 for key, values in entry.get("when", {}).items())
    if "value" in entry:
        return Parameter(name, "categorical", values=(entry["value"],), when=when)
    if "values" in entry:
        numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in entry["values"])
        kind = entry.get("type", "discrete" if numbers else "categorical")
        return Parameter(name, kind, values=tuple(entry["values"]), log=entry.get("scale") == "log", when=when)
    low, high = entry["min"], entry["max"]
    kind = entry.get("type", "int" if isinstance(low, int) and isinstance(high, int) else "double")
    return Parameter(name, kind, low, high, entry.get("scale") == "log", when=when)


def parse_value(parameter, text):
    """A cell of the csv as a value of the parameter; None where it is empty."""
    if text == "":
        return None
    if parameter.kind == "int":
        return int(float(text))
    if parameter.kind == "double":
        return float(text)
    for value in parameter.values:
        if str(value) == text or (parameter.kind == "discrete" and math.isclose(float(text), value, rel_tol=1e-9)):
            return value
    raise ValueError(f"{text!r} is no value of {parameter.name}")


class Table:
    """The rows of one table, read when the first value is asked for."""

    def __init__(self, path, document):
        table = document["table"]
        self.path = path.parent / table["file"]
        self.parameters = tuple(parse_parameter(*item) for item in document["parameters"].items())
        self.sign = -1.0 if document["metric"].get("goal", "minimize") == "maximize" else 1.0
        self.factorial = table["kind"] == "full-factorial"
        if "replicates" in table:
            self.columns = list(table["replicates"])
        else:
            curve = table["curve"]
            self.columns = [curve["column"].replace("{step}", str(curve["steps"][1]))]
        self.deciding = sorted({name for one in self.parameters for name, _ in one.when})
        self.rows = None
        self.cache = {}

    def key(self, point):
        return tuple(point.get(one.name) for one in self.parameters)

    def stratum(self, point):
        """Rows are compared only if the same parameters exist in them, for the same reasons."""
        active = tuple(one.name for one in self.parameters if one.name in point)
        return active, tuple(point.get(name) for name in self.deciding)

    def coordinates(self, point):
        where = []
        for one in self.parameters:
            if one.name not in point:
                continue
            if one.kind == "categorical":
                where += [math.sqrt(0.5) * (value == point[one.name]) for value in one.values]
            else:
                where.append(one.unit(point[one.name]))
        return tuple(where)

    def read(self):
        self.rows = {}
        with open(self.path, newline="") as file:
            for line in csv.DictReader(file):
                self.read_row(line)
        if not self.rows:
            raise BadTable(f"{self.path}: no rows")

    def read_row(self, line):
        try:
            point = {one.name: parse_value(one, line[one.name]) for one in self.parameters}
            cells = [float(line[column]) for column in self.columns if line[column] != ""]
        except (KeyError, ValueError) as fault:
            raise BadTable(f"{self.path}: {fault}") from fault
        if not cells:
            return
        point = {name: value for name, value in point.items() if value is not None}
        value = self.sign * sum(cells) / len(cells)
        if self.factorial:
            self.rows[self.key(point)] = value
        else:
            self.rows.setdefault(self.stratum(point), []).append((self.coordinates(point), value))

    def evaluate(self, point):
        if self.rows is None:
            self.read()
        key = self.key(point)
        if self.factorial:
            return self.rows.get(key, math.nan)  # nan: that combination has no result
        if key not in self.cache:
            where = self.coordinates(point)
            rows = self.rows.get(self.stratum(point), [])
            self.cache[key] = min(rows, key=lambda row: math.dist(row[0], where))[1] if rows else math.nan
        return self.cache[key]


def open_table(path, document):
    table, head = Table(path, document), document["table"]
    if table.factorial:
        family = "categorical" if all(one.kind == "categorical" for one in table.parameters) else "factorial"
    else:
        family = "conditional" if table.deciding else "curves"
    optimum, median = table.sign * head["optimum"], table.sign * head["median"]
    return Problem(document["name"], family, table.parameters, document["parameters"], EVALUATIONS, optimum,
                   median - optimum, table.evaluate)


def load_tables(folder):
    """Every table below a folder, in the order of its names."""
    try:
        import yaml
    except ImportError:
        raise BadTable("tables are described in YAML: install python3-yaml") from None
    problems = []
    for path in sorted(pathlib.Path(folder).rglob("*.yaml")):
        try:
            document = yaml.safe_load(path.read_text())
            if isinstance(document, dict) and "table" in document:
                problems.append(open_table(path, document))
        except (yaml.YAMLError, KeyError, TypeError, ValueError) as fault:
            raise BadTable(f"{path}: {type(fault).__name__}: {fault}") from fault
    if not problems:
        raise BadTable(f"{folder}: no NAME.yaml with a `table:` section")
    return problems


# The classical functions. Where the optimum would lie in the centre or on the diagonal, it is moved away from there by a
# fixed shift of up to a fifth of the width.


def branin(x):
    a, b = 5.1 / (4 * math.pi**2), 5 / math.pi
    return (x[1] - a * x[0] ** 2 + b * x[0] - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x[0]) + 10


HARTMANN_A = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14))
HARTMANN_P = ((0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886), (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
              (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650), (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381))


def hartmann6(x):
    inner = (sum(a * (xi - p) ** 2 for a, p, xi in zip(*rows, x)) for rows in zip(HARTMANN_A, HARTMANN_P))
    return -sum(alpha * math.exp(-s) for alpha, s in zip((1.0, 1.2, 3.0, 3.2), inner))


def ackley(x):
    mean_square, mean_cos = sum(v * v for v in x) / len(x), sum(math.cos(2 * math.pi * v) for v in x) / len(x)
    return 20 + math.e - 20 * math.exp(-0.2 * math.sqrt(mean_square)) - math.exp(mean_cos)


def levy(x):
    w = [1 + (v - 1) / 4 for v in x]
    middle = sum((v - 1) ** 2 * (1 + 10 * math.sin(math.pi * v + 1) ** 2) for v in w[:-1])
    return (math.sin(math.pi * w[0]) ** 2 + middle
            + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2))


def rosenbrock(x):
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in zip(x, x[1:]))


FUNCTIONS = (  # name, function, box, evaluations, minimum, shifted
    ("branin", branin, ((-5.0, 10.0), (0.0, 15.0)), 60, 0.39788735772973816, False),
    ("hartmann6", hartmann6, ((0.0, 1.0),) * 6, 100, -3.322368011415515, False),
    ("ackley10", ackley, ((-32.768, 32.768),) * 10, 200, 0.0, True),
    ("levy8", levy, ((-10.0, 10.0),) * 8, 150, 0.0, True),
    ("rosenbrock5", rosenbrock, ((-5.0, 10.0),) * 5, 150, 0.0, True),
)


def make_function(name, function, box, evaluations, minimum, shifted):
    draw = random.Random(f"shift of {name}")
    shift = [draw.uniform(-0.2, 0.2) * (high - low) if shifted else 0.0 for low, high in box]
    space = {f"x{i}": {"type": "double", "min": low, "max": high} for i, (low, high) in enumerate(box)}

    def evaluate(point):
        return function([point[key] - moved for key, moved in zip(space, shift)])

    parameters = tuple(parse_parameter(*item) for item in space.items())
    return Problem(f"function-{name}", "function", parameters, space, evaluations, minimum, 1.0, evaluate)


def load_functions():
    return [make_function(*one) for one in FUNCTIONS]


def load(folder=None, beginnings=("",), evaluations=math.inf):
    """The functions and, with a folder, its tables; those whose names begin so, with no more evaluations than that."""
    everything = load_functions() + (load_tables(folder) if folder else [])
    return [dataclasses.replace(one, evaluations=int(min(one.evaluations, evaluations)))
            for one in everything if one.name.startswith(tuple(beginnings))]

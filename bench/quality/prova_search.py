"""prova's searches on the problems, by ask and tell over libprova.so (prova.h, prova_search_...).

    prova_search.py LIBRARY OUTPUT [--data FOLDER] [--searches NAME,...] [--problems BEGINNING,...] [--seeds FROM:TO]
                    [--seconds N] [--workers N] [--evaluations N]

Appends lines like those of optuna_search.py, the searcher being prova-NAME, or prova-NAME@N with N workers: then N points
are pending at any time, and the oldest is told first. --evaluations ends each run earlier than the problem does.
"""

import argparse
import collections
import ctypes
import json
import math
import pathlib
import time

import problems as problem_set
import results as result_file

EXHAUSTED = -9  # PROVA_EEXHAUSTED


class Library:
    """The functions of libprova.so that are needed here."""

    def __init__(self, path):
        self.so = ctypes.CDLL(str(path))
        pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64
        self.declare("prova_search_new", pointer, text, text, text, text, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t)
        self.declare("prova_search_free", None, pointer)
        self.declare("prova_search_ask", ctypes.c_int, pointer, ctypes.POINTER(number))
        self.declare("prova_search_json", text, pointer, number)
        self.declare("prova_search_tell", ctypes.c_int, pointer, number, ctypes.c_double)
        self.declare("prova_search_tell_failed", ctypes.c_int, pointer, number)
        self.declare("prova_strerror", text, ctypes.c_int)

    def declare(self, name, result, *arguments):
        function = getattr(self.so, name)
        function.restype, function.argtypes = result, arguments

    def check(self, code):
        if code < 0:
            raise RuntimeError(self.so.prova_strerror(code).decode())


class Search:
    """One search; ask gives (number, point)."""

    def __init__(self, library, problem, name, seed, options=None):
        self.so, self.check = library.so, library.check
        space, error = json.dumps(problem.space).encode(), ctypes.create_string_buffer(1000)
        self.numeric = [one for one in problem.parameters if one.kind == "discrete"]
        self.handle = self.so.prova_search_new(space, name.encode(), options and options.encode(), b"minimize", seed, error,
                                               len(error))
        if not self.handle:
            raise RuntimeError(f"{problem.name}: search {name}: {error.value.decode()}")

    def ask(self):
        """None when every point has been asked for."""
        number = ctypes.c_int64()
        code = self.so.prova_search_ask(self.handle, ctypes.byref(number))
        if code == EXHAUSTED:
            return None
        self.check(code)
        return number.value

    def point(self, number):
        text = self.so.prova_search_json(self.handle, number)
        if text is None:
            raise MemoryError("prova_search_json")
        point = {name: value for name, value in json.loads(text).items() if value is not None}
        for one in self.numeric:  # the table's own number, to the last bit
            if one.name in point:
                point[one.name] = min(one.values, key=lambda value: abs(value - point[one.name]))
        return point

    def tell(self, number, value):
        if math.isfinite(value):
            self.check(self.so.prova_search_tell(self.handle, number, value))
        else:
            self.check(self.so.prova_search_tell_failed(self.handle, number))

    def close(self):
        self.so.prova_search_free(self.handle)


def run(library, problem, name, seed, workers, version):
    """Best-so-far of one search on one problem, in the order in which results were told."""
    search, pending = Search(library, problem, name, seed), collections.deque()
    best, series, cpu_s, n_asked = math.inf, [], 0.0, 0
    while len(series) < problem.evaluations:
        begin = time.process_time()
        while n_asked < problem.evaluations and len(pending) < workers and (number := search.ask()) is not None:
            pending.append(number)
            n_asked += 1
        cpu_s += time.process_time() - begin
        if not pending:
            break
        number = pending.popleft()
        value = problem.evaluate(search.point(number))
        begin = time.process_time()
        search.tell(number, value)
        cpu_s += time.process_time() - begin
        best = min(best, value) if math.isfinite(value) else best
        series.append(best)
    search.close()
    return {"searcher": searcher_name(name, workers), "problem": problem.name, "seed": seed, "version": version,
            "evaluations": problem.evaluations, "best": series, "cpu_s": round(cpu_s, 3)}


def searcher_name(name, workers):
    return f"prova-{name}" if workers == 1 else f"prova-{name}@{workers}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--searches", default="tpe")
    parser.add_argument("--problems", default="")
    parser.add_argument("--seeds", default="0:20")
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--evaluations", type=float, default=math.inf)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()

    chosen = problem_set.load(args.data, args.problems.split(","), args.evaluations)
    version = result_file.version_of(args.library)
    library, output = Library(args.library), result_file.Results(args.output, version)
    first, last = map(int, args.seeds.split(":"))
    end = time.monotonic() + args.seconds
    for seed in range(first, last):
        for problem in chosen:
            for name in args.searches.split(","):
                if output.has(searcher_name(name, args.workers), problem.name, seed, problem.evaluations):
                    continue
                if time.monotonic() > end:
                    return
                output.add(run(library, problem, name, seed, args.workers, version))


if __name__ == "__main__":
    main()

"""A file of results, one JSON object a line: {"searcher", "problem", "seed", "version", "evaluations", "best": [...], "cpu_s"}.

`evaluations` is how many were asked for; a search that had no point left has fewer in `best`. Lines without it are those of an
older bench, and count as absent.

Lines are appended whole and never changed; a line that was cut off when a run was interrupted is passed over, and its result
is computed again.
"""

import hashlib
import json


def version_of(library):
    """Results of prova are those of one build of it."""
    return hashlib.sha256(library.read_bytes()).hexdigest()[:12]


def read_lines(path):
    if not path.exists():
        return
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


class Results:
    """Results by (searcher, problem, seed). With a version, those of another version count as absent."""

    def __init__(self, path, version=None):
        self.path, self.version = path, version
        self.by_key = {}
        for one in read_lines(path):
            if "evaluations" in one and version in (None, one["version"]):
                self.keep(one)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab+") as file:  # a half line of an interrupted run must not spoil the next one
            if file.tell() > 0:
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    file.write(b"\n")

    def keep(self, result):
        """Of two of the same run, the longer one."""
        key = result["searcher"], result["problem"], result["seed"]
        if not self.has(*key, result["evaluations"]):
            self.by_key[key] = result

    def has(self, searcher, problem, seed, evaluations):
        known = self.by_key.get((searcher, problem, seed))
        return known is not None and known["evaluations"] >= evaluations

    def add(self, result):
        self.keep(result)
        with open(self.path, "a") as file:
            file.write(json.dumps(result) + "\n")

    def of(self, searcher, problem):
        """{seed: result} of one searcher on one problem."""
        return {key[2]: one for key, one in self.by_key.items() if key[:2] == (searcher, problem)}

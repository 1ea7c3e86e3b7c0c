"""Experiments from outside: those of a database, or of a running driver.

    here = prova.connect()                          # ./prova.db
    there = prova.connect("tcp://10.0.0.1:5700")    # a driver
    for experiment in here.experiments():
        print(experiment.name, experiment.state, experiment.best)
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Union

from . import _check, _command, errors
from .config import as_config
from .result import Result, Source, TrialRecord, read_trials, to_pandas

if TYPE_CHECKING:
    import pandas

Document = Dict[str, Any]


def _state(about: Document) -> str:
    """The state of an experiment as the command tells it."""
    return "unfinished" if about["state"] == "running" and about["live"] is False else str(about["state"])


class Experiment:
    """One experiment of a database or driver, as `Connection.experiment` finds it. Every property is read when it is asked for.

    >>> import prova
    >>> result = prova.lagom(lambda x: x, name="found", parameters={"x": prova.double(0, 1)}, trials=3, progress=False)
    >>> experiment = prova.connect().experiment("found")
    >>> experiment.state, len(experiment.trials), experiment.best.value == result.best_value
    ('completed', 3, True)
    """

    def __init__(self, connection: "Connection", identity: str) -> None:
        self._connection = connection
        self.id = identity

    @property
    def _source(self) -> Source:
        return Source(self._connection._place, self.id)

    def show(self) -> Document:
        """All that `prova show --json` says: the experiment, its counts, workers, events."""
        return dict(self._source.query("show"))

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.show()["experiment"]["name"])

    @property
    def state(self) -> str:
        """"running", "completed", "interrupted", "failed", or "unfinished": its driver was killed."""
        return _state(self.show()["experiment"])

    @property
    def counts(self) -> Dict[str, int]:
        """How many trials are in each state."""
        return dict(self.show()["counts"])

    @property
    def best(self) -> Optional[TrialRecord]:
        """The best trial; None: no trial has a value."""
        best = self._source.query("best").get("best")
        return TrialRecord._read(best) if best else None

    @property
    def trials(self) -> List[TrialRecord]:
        """All trials, by number; with their reports where a database is at hand."""
        return read_trials(self._source, reports=True)

    def to_pandas(self) -> "pandas.DataFrame":
        """A data frame with a row a trial. Needs pandas."""
        return to_pandas(self.trials)

    def result(self) -> Result:
        """What `lagom` would have returned, as of now."""
        return self._result(self.show())

    def _result(self, document: Document) -> Result:
        about, best = document["experiment"], document.get("best")
        return Result({
            "id": self.id, "name": about["name"], "state": _state(about),
            "best_trial": best["trial"] if best else None, "best_value": best["value"] if best else None,
            "best_params": best["params"] if best else {}, "counts": document["counts"],
            "seconds": document["seconds"], "metric": about["metric"], "goal": about["goal"],
        }, self._source)

    def log(self, trial: int, attempt: Optional[int] = None) -> str:
        """What a trial has printed; "" if it has printed nothing. It is kept on the machine where the trial ran.

        Raises:
            ConfigError: there is no such trial.
        """
        more = ["--attempt", str(attempt)] if attempt else []
        place = self._connection._place if self._connection._place[0] == "--db" else []
        return _command.run(["logs", self.id, str(trial), *place, *more])

    def stop(self) -> None:
        """Stops it, so that it can be resumed. Returns when its running trials have stopped."""
        _command.run(["stop", self.id, *self._connection._place])

    def remove(self) -> None:
        """Removes it and its results from the database."""
        _command.run(["rm", self.id, *self._connection._place, "--force"])

    def follow(self, interval: float = 0.5, wait: float = 300) -> Iterator[Result]:
        """Its result now, and again at each change, until it is over. Its driver tells of the changes: nothing polls.

        A driver that is started again is found again. Leaving the loop ends the following, and not the experiment.

        Args:
            interval: At least so many seconds between two results, 0 to 3600.
            wait: Give up after so many seconds without a driver; 0: never.

        Yields:
            `Result`s; the last one is final.

        Raises:
            DriverError: it is not over, and no driver has it, or none that came back in time. The last result is of state
                "unfinished" if its database was asked; `lagom` with `resume=True`, or `prova resume`, goes on with it.
            ConfigError: an argument makes no sense.
        """
        words = [f"--{name}={_check.seconds(value, name, low, high)}"
                 for name, value, low, high in (("interval", interval, 0, 3600), ("wait", wait, 0, 1e9))]
        documents = _command.documents(["show", self.id, *self._connection._place, "--follow", *words])
        return (self._result(document) for document in documents)

    def __repr__(self) -> str:
        return f"<prova experiment {self.id[:8]} of {self._connection!r}>"

    def _repr_html_(self) -> str:
        return self.result()._repr_html_()


class Connection:
    """A database or a running driver. Made by `prova.connect`.

    >>> import prova
    >>> result = prova.lagom(lambda x: x, name="listed", parameters={"x": prova.double(0, 1)}, trials=3, progress=False)
    >>> prova.connect().experiments()[0].name
    'listed'
    """

    def __init__(self, place: List[str]) -> None:
        self._place = place

    def experiments(self) -> List[Experiment]:
        """All experiments, the newest first."""
        return [Experiment(self, record["id"]) for record in _command.query(["ls", *self._place])["experiments"]]

    def experiment(self, name: Optional[str] = None) -> Experiment:
        """One experiment: the newest of a name, or by the beginning of its id; the newest of all without.

        Raises:
            NotFoundError: there is none.
        """
        which = [] if name is None else [_check.text(name, "name")]
        document = _command.query(["show", *which, *self._place])
        return Experiment(self, document["experiment"]["id"])

    def submit(self, config: Any = None, **options: Any) -> Experiment:
        """Gives a sweep of a command to the driver, whose workers run it, and does not wait for it.

        Args:
            config: The path of a sweep file, or a `Config`, whose `settings` then say `train.command`.
            **options: Fields of `prova.Config`, above those of `config`.

        Raises:
            ConfigError: it is faulty, or this is no connection to a driver.
        """
        if self._place[0] != "--driver":
            raise errors.ConfigError("only a running driver takes experiments: connect('tcp://...'); with a database, "
                                     "prova.lagom starts a driver of its own")
        chosen = as_config(config, options)
        if chosen.sweep is None:
            words = self._submit_document(chosen.to_document())
        else:
            changes = [word for path, value in chosen.to_settings() for word in ("--set", f"{path}={value}")]
            words = _command.run(["submit", os.fspath(chosen.sweep), *self._place, "--detach", *changes])
        return self.experiment(words.split()[-1])

    def _submit_document(self, document: Document) -> str:
        train = document.get("train")
        if isinstance(train, dict):  # relative paths start here, as they would beside a file
            train.setdefault("directory", os.getcwd())
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix="prova-", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            return _command.run(["submit", file.name, *self._place, "--detach"])

    def __repr__(self) -> str:
        return f"prova.connect({self._place[1]!r})"


def connect(where: Union[str, "os.PathLike[str]", None] = None) -> Connection:
    """Opens a database, or a running driver.

    Args:
        where: A driver's endpoint ("tcp://host:port" or "ipc://path"), or a database's path; $PROVA_DRIVER, $PROVA_DB or
            "prova.db" without.

    Raises:
        NotFoundError: there is no such database.

    >>> connect("/nowhere/prova.db")
    Traceback (most recent call last):
    prova.errors.NotFoundError: there is no database /nowhere/prova.db
    """
    place = _check.path(os.environ.get("PROVA_DRIVER") or os.environ.get("PROVA_DB") or "prova.db" if where is None else where,
                        "where")
    if "://" in place:
        return Connection(["--driver", place])
    if not os.path.exists(place):
        raise errors.NotFoundError(f"there is no database {place}")
    return Connection(["--db", place])

"""What came of an experiment."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional

from . import _command, _ffi
from .errors import ProvaError

if TYPE_CHECKING:
    import pandas

    from .config import Config

STATES = ("PENDING", "ASSIGNED", "RUNNING", "PAUSED", "STOPPING", "COMPLETED", "STOPPED", "FAILED")


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """One trial, as it is kept.

    Attributes:
        number: From 1.
        state: "COMPLETED", "STOPPED", "FAILED", "RUNNING", ...
        value: Its objective; None: none.
        params: Its active parameters.
        seconds: How long its attempts have run.
        step: The last reported step; None: none.
        n_reports: How many values it has reported.
        attempt: How often it was begun.
        text: Why it failed, or was stopped.
        log: The file with what it has printed, on the machine where it ran; None: it printed nothing.
        variant: In an ablation study, what it leaves out; None: it is the base, or there is no study.
        repeat: In an ablation study, which repeat of the variant it is, from 1.
        reports: Its reports, `{"step": ..., "metric": ..., "value": ...}`, where they were asked for.

    >>> TrialRecord(number=1, state="COMPLETED", value=0.5, params={"x": 0.5}).curve()
    ([], [])
    """

    number: int
    state: str
    value: Optional[float]
    params: Dict[str, Any]
    seconds: Optional[float] = None
    step: Optional[int] = None
    n_reports: int = 0
    attempt: int = 1
    text: str = ""
    log: Optional[str] = None
    variant: Optional[str] = None
    repeat: Optional[int] = None
    reports: List[Dict[str, Any]] = dataclasses.field(default_factory=list, repr=False, compare=False)

    @classmethod
    def _read(cls, record: Mapping[str, Any]) -> "TrialRecord":
        known = {field.name for field in dataclasses.fields(cls)}
        values = {name: value for name, value in record.items() if name in known}
        values["log"] = values.get("log") or None
        return cls(number=record["trial"], **{k: v for k, v in values.items() if k != "number"})

    def curve(self, metric: Optional[str] = None) -> "tuple[List[int], List[float]]":
        """Steps and values of a metric (the objective, which is the first that was reported, unless one is named). Of an
        attempt that was lost there is what came before the next one began again."""
        if metric is None and self.reports:
            metric = self.reports[0]["metric"]
        steps: List[int] = []
        values: List[float] = []
        for report in self.reports:  # by attempt and step
            if report["metric"] != metric:
                continue
            while steps and steps[-1] >= report["step"]:
                del steps[-1], values[-1]
            steps.append(report["step"])
            values.append(report["value"])
        return steps, values


class Source:
    """Where an experiment is read: a database, or a driver."""

    def __init__(self, place: List[str], experiment: str) -> None:
        self.place = place
        self.experiment = experiment

    def query(self, what: str, *arguments: str) -> Any:
        """One document of the `prova` command."""
        return _command.query([what, self.experiment, *self.place, *arguments], ok=(0, 1))


def read_trials(source: Source, reports: bool = False) -> List[TrialRecord]:
    """All trials of an experiment, by number."""
    if reports and source.place[0] == "--db":
        document = json.loads(_command.run(["export", source.experiment, *source.place, "--format", "json", "--reports"]))
    else:
        document = source.query("trials")
    return [TrialRecord._read(record) for record in document["trials"]]


def to_pandas(trials: List[TrialRecord]) -> "pandas.DataFrame":
    """A row a trial: its number, state, value and times, and its parameters as `params.NAME`."""
    try:
        import pandas
    except ImportError:
        raise ProvaError("to_pandas needs pandas: `pip install pandas` (Debian: python3-pandas)") from None
    rows = []
    for trial in trials:
        row = {"number": trial.number, "state": trial.state, "value": trial.value, "seconds": trial.seconds,
               "step": trial.step, "text": trial.text}
        row.update({f"params.{name}": value for name, value in trial.params.items()})
        rows.append(row)
    return pandas.DataFrame(rows).set_index("number") if rows else pandas.DataFrame()


class Result(Mapping[str, Any]):
    """What `lagom` returns.

    Also a mapping with Maggy's keys: `best_id`, `best_val`, `best_hp` (and `best_config`), `worst_id`, `worst_val`,
    `worst_hp`, `avg`, `num_trials`, `early_stopped`.

    Attributes:
        id: The experiment's id (UUID).
        name: Its name.
        state: "completed", "interrupted", "failed".
        best_trial: Number of the best trial; None: no trial has a value.
        best_value: Its objective; None likewise.
        best_params: Its parameters; {} likewise.
        counts: How many trials are in each state.
        seconds: How long it took.
        metric: Name of the objective.
        goal: "minimize" or "maximize".

    Raises:
        KeyError: as of any mapping, for a key that is none of Maggy's.

    >>> import prova
    >>> result = prova.lagom(lambda x: x, name="kept", parameters={"x": prova.double(0, 1)}, trials=3, progress=False)
    >>> result.state, result["num_trials"], result.best_params == result.get("best_hp")
    ('completed', 3, True)
    """

    def __init__(self, values: Mapping[str, Any], source: Source) -> None:
        self.id: str = values["id"]
        self.name: str = values["name"]
        self.state: str = values["state"]
        self.best_trial: Optional[int] = values["best_trial"]
        self.best_value: Optional[float] = values["best_value"]
        self.best_params: Dict[str, Any] = values["best_params"]
        self.counts: Dict[str, int] = values["counts"]
        self.seconds: float = values["seconds"]
        self.metric: str = values["metric"]
        self.goal: str = values["goal"]
        self._source = source
        self._trials: Optional[List[TrialRecord]] = None
        self._document: Optional[Dict[str, Any]] = None

    @classmethod
    def _read(cls, pointer: int, config: "Config", metric: Mapping[str, Any]) -> "Result":
        lib = _ffi.library
        best = lib.prova_result_best_trial(pointer)
        value = lib.prova_result_best_value(pointer)
        place = ["--driver", config.driver] if config.driver else ["--db", config.database_path()]
        identity = _ffi.text(lib.prova_result_id(pointer))
        return cls({
            "id": identity,
            "name": _ffi.text(lib.prova_result_name(pointer)),
            "state": _ffi.text(lib.prova_result_state(pointer)),
            "best_trial": best or None,
            "best_value": None if math.isnan(value) else value,
            "best_params": json.loads(_ffi.text(lib.prova_result_best_json(pointer)) or "{}"),
            "counts": {state: lib.prova_result_count(pointer, state.encode()) for state in STATES},
            "seconds": lib.prova_result_seconds(pointer),
            "metric": metric["name"],
            "goal": metric["goal"],
        }, Source(place, identity))

    @property
    def trials(self) -> List[TrialRecord]:
        """All trials, by number, with their reports where a database is at hand. Read when first asked for."""
        if self._trials is None:
            self._trials = read_trials(self._source, reports=True)
        return self._trials

    @property
    def parameters(self) -> Dict[str, Dict[str, Any]]:
        """The search space, as a sweep file has it, with all defaults. Read when first asked for."""
        parameters: Dict[str, Dict[str, Any]] = self._shown()["experiment"]["spec"]["parameters"]
        return parameters

    @property
    def components(self) -> List[Dict[str, Any]]:
        """The report of an ablation study, a dict for each component, the most important first (docs/ablation.md says what
        is in them); empty in other contexts."""
        return list(self._shown().get("components") or [])

    @property
    def ablation(self) -> Optional[Dict[str, Any]]:
        """Of an ablation study `base` (its `mean` and `sd`), `repeats`, `test` and `confidence`; None in other contexts."""
        ablation: Optional[Dict[str, Any]] = self._shown().get("ablation")
        return ablation

    def _shown(self) -> Dict[str, Any]:
        if self._document is None:
            self._document = dict(self._source.query("show"))
        return self._document

    def to_pandas(self) -> "pandas.DataFrame":
        """A data frame with a row a trial. Needs pandas."""
        return to_pandas(self.trials)

    # Maggy's dict

    def _maggy(self) -> Dict[str, Any]:
        with_value = [t for t in self.trials if t.value is not None and t.state in ("COMPLETED", "STOPPED")]
        worst = None
        if with_value:
            worst = (min if self.goal.startswith("max") else max)(with_value, key=lambda t: t.value or 0.0)
        return {
            "best_id": self.best_trial,
            "best_val": self.best_value,
            "best_hp": self.best_params,
            "best_config": self.best_params,
            "worst_id": worst.number if worst else None,
            "worst_val": worst.value if worst else None,
            "worst_hp": worst.params if worst else {},
            "avg": sum(t.value or 0.0 for t in with_value) / len(with_value) if with_value else None,
            "num_trials": len(self.trials),
            "early_stopped": self.counts.get("STOPPED", 0),
        }

    _QUICK = {"best_id": "best_trial", "best_val": "best_value", "best_hp": "best_params", "best_config": "best_params"}
    _KEYS = ("best_id", "best_val", "best_hp", "best_config", "worst_id", "worst_val", "worst_hp", "avg", "num_trials",
             "early_stopped")

    def __getitem__(self, key: str) -> Any:
        if key in self._QUICK:
            return getattr(self, self._QUICK[key])
        if key not in self._KEYS:
            raise KeyError(key)
        return self._maggy()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._KEYS)

    def __len__(self) -> int:
        return len(self._KEYS)

    # Looks

    def __repr__(self) -> str:
        done = self.counts.get("COMPLETED", 0)
        rest = "".join(f", {self.counts[s]} {s.lower()}" for s in ("STOPPED", "FAILED") if self.counts.get(s))
        best = f"best {self.best_value:.6g} (trial {self.best_trial}) with {self.best_params}" \
            if self.best_value is not None else "no trial has a value"
        return f"<prova result '{self.name}': {self.state}, {done} completed{rest}; {best}>"

    def _repr_html_(self) -> str:
        from . import display
        return display.result_html(self)

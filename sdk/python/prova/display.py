"""Progress and results for people: in a notebook as HTML that updates in place, else libprova's line on stderr."""

from __future__ import annotations

import contextlib
import datetime
import html
import importlib
import math
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from . import _ffi
from .errors import ProvaError
from .result import STATES, Result, Source, TrialRecord

if TYPE_CHECKING:
    from .config import Config

_lib = _ffi.library
_TABLE_S = 1.0  # between two looks at the best trials
_N_BEST = 5
_N_RUNNING = 4


class Progress:
    """How an experiment stands.

    Attributes:
        name: The experiment's name.
        counts: How many trials are in each state.
        limit: How many are asked for; None: no limit.
        best_trial: Number of the best so far; None: none has a value.
        best_value: Its objective; None likewise.
        seconds: How long it has run.
        explanation: What the search makes of the experiment, e.g. which one "auto" has chosen, and why; "": nothing.
    """

    def __init__(self, pointer: int) -> None:
        value = _lib.prova_result_best_value(pointer)
        self.id: str = _ffi.text(_lib.prova_result_id(pointer))
        self.name: str = _ffi.text(_lib.prova_result_name(pointer))
        self.counts: Dict[str, int] = {s: _lib.prova_result_count(pointer, s.encode()) for s in STATES}
        self.limit: Optional[int] = _lib.prova_result_limit(pointer) or None
        self.best_trial: Optional[int] = _lib.prova_result_best_trial(pointer) or None
        self.best_value: Optional[float] = None if math.isnan(value) else value
        self.seconds: float = _lib.prova_result_seconds(pointer)
        self.explanation: str = _ffi.text(_lib.prova_result_explanation(pointer))

    @property
    def n_ended(self) -> int:
        """How many trials have ended."""
        return sum(self.counts[s] for s in ("COMPLETED", "STOPPED", "FAILED"))


def _unless_away() -> "contextlib.AbstractContextManager[None]":
    """For what is only shown: a driver that is away, which is waited for elsewhere, ends nothing."""
    return contextlib.suppress(ProvaError)


class Show:
    """What `lagom` calls while it waits. `callback` runs on its thread."""

    interval_ms = 500

    def __init__(self) -> None:
        self._error: Optional[BaseException] = None

    def update(self, progress: Progress) -> Optional[bool]:
        """Shows it; true stops the experiment."""
        raise NotImplementedError

    def callback(self, pointer: int, _arg: object) -> int:
        """For C: no exception may pass."""
        try:
            return 1 if self.update(Progress(pointer)) else 0
        except BaseException as error:
            if self._error is None:
                self._error = error
            return 1

    def clear(self) -> None:
        """Makes room for a line of something else."""

    def finish(self, result: Result) -> None:
        """The experiment is over."""

    def reraise(self) -> None:
        """Raises what `update` has raised."""
        if self._error is not None:
            raise self._error


class Call(Show):
    """A function of the user's."""

    def __init__(self, function: Callable[[Progress], Optional[bool]]) -> None:
        super().__init__()
        self._function = function

    def update(self, progress: Progress) -> Optional[bool]:
        return self._function(progress)


class Logs(Show):
    """Prints what trials print, and shows progress as another does."""

    def __init__(self, inner: Optional[Show], source: Callable[[str], Source]) -> None:
        super().__init__()
        self._inner = inner
        self._source = source
        self._read: Dict[str, int] = {}
        self._id = ""

    def update(self, progress: Progress) -> Optional[bool]:
        self._id = progress.id
        self._print()
        return self._inner.update(progress) if self._inner else None

    def _print(self) -> None:
        records = []
        with _unless_away():
            records = self._source(self._id).query("trials").get("trials", [])
        for record in records:
            path = record.get("log")
            if path and os.path.exists(path):
                self._print_new(record["trial"], path)

    def _print_new(self, number: int, path: str) -> None:
        with open(path, "rb") as file:
            file.seek(self._read.get(path, 0))
            text = file.read()
        whole = text.rfind(b"\n") + 1
        self._read[path] = self._read.get(path, 0) + whole
        if whole and self._inner:
            self._inner.clear()
        for line in text[:whole].decode("utf-8", "replace").splitlines():
            print(f"[{number}] {line}")
        sys.stdout.flush()

    def finish(self, result: Result) -> None:
        if self._id:
            self._print()
        if self._inner:
            self._inner.finish(result)


class Running:
    """Some of the trials that run, looked at now and then.

    Attributes:
        trials: The first few; their `seconds` are since they began.
    """

    def __init__(self) -> None:
        self.trials: List[TrialRecord] = []

    def look(self, source: Source) -> None:
        """Reads them anew."""
        records = source.query("trials", "--state", "RUNNING", "--limit", str(_N_RUNNING))["trials"]
        now = datetime.datetime.now(datetime.timezone.utc)
        for record in records:
            begun = datetime.datetime.fromisoformat(record["started"].replace("Z", "+00:00")) if record["started"] else now
            record["seconds"] = max(0.0, (now - begun).total_seconds())
        self.trials = [TrialRecord._read(record) for record in records]

    def more(self, counts: Mapping[str, int]) -> str:
        """How many others there are, in words."""
        n = counts["RUNNING"] - len(self.trials)
        return f"and {n} more running" if n > 0 and self.trials else ""


class Terminal(Show):
    """Lines that are drawn over themselves: how it stands, and a line a running trial. The cursor waits where they begin, so
    that whatever else is written there only has to clear what is below."""

    def __init__(self, source: Callable[[str], Source]) -> None:
        super().__init__()
        self._source = source
        self._running = Running()
        self._looked_s = -math.inf
        self._has_explained = False

    def update(self, progress: Progress) -> Optional[bool]:
        now = time.monotonic()
        if now - self._looked_s > _TABLE_S and progress.counts["RUNNING"]:
            self._looked_s = now
            with _unless_away():
                self._running.look(self._source(progress.id))
        if progress.explanation and not self._has_explained:
            self._has_explained = True
            self._write(f"\033[Jprova: search {progress.explanation}\n")
        columns, rows = _terminal_size()
        lines = [line[:columns - 1] for line in progress_lines(progress, self._running)][:max(1, rows - 1)]
        self._write("\033[J" + "\n".join(lines) + "\r" + f"\033[{len(lines) - 1}A" * (len(lines) > 1))
        return None

    def clear(self) -> None:
        self._write("\033[J")

    def finish(self, result: Result) -> None:
        best = f", best {_number(result.best_value)} (trial {result.best_trial})" if result.best_value is not None else ""
        self._write(f"\033[J{result.name}: {_words(result.counts, None)}{best}, {_time(result.seconds)}\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


class Notebook(Show):
    """A display that updates in place: a bar, the counts, the best trials, and some of those that run."""

    def __init__(self, source: Callable[[str], Source], goal: str) -> None:
        super().__init__()
        self._source = source
        self._goal = goal
        self._handle: Any = None
        self._table: List[TrialRecord] = []
        self._running = Running()
        self._table_s = -math.inf

    def _show(self, text: str) -> None:
        ipython = importlib.import_module("IPython.display")
        if self._handle is None:
            self._handle = ipython.display(ipython.HTML(text), display_id=True)
        else:
            self._handle.update(ipython.HTML(text))

    def update(self, progress: Progress) -> Optional[bool]:
        now = time.monotonic()
        if now - self._table_s > _TABLE_S and (progress.best_trial or progress.counts["RUNNING"]):
            self._table_s = now
            source = self._source(progress.id)
            with _unless_away():
                document = source.query("trials", "--sort", "best", "--limit", str(_N_BEST))
                self._table = [t for t in map(TrialRecord._read, document["trials"]) if t.value is not None]
                self._running.look(source)
        self._show(progress_html(progress, self._table, self._running))
        return None

    def finish(self, result: Result) -> None:
        self._show(result_html(result))


def in_notebook() -> bool:
    """Whether this is a notebook's kernel.

    >>> in_notebook()
    False
    """
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython
    shell = get_ipython()
    return shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell"


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _terminal_size() -> Tuple[int, int]:
    """Columns and lines, at least 2 and 1."""
    try:
        columns, lines = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        columns, lines = 0, 0
    return (columns, lines) if columns > 1 and lines > 0 else (80, 24)


def choose(config: "Config", sweep: Mapping[str, Any]) -> Optional[Show]:
    """How this experiment shows its progress; None: by libprova's plain lines, or not at all."""
    place = ["--driver", config.driver] if config.driver else ["--db", config.database_path()]

    def source(identity: str) -> Source:
        return Source(place, identity)

    show: Optional[Show] = None
    if callable(config.progress):
        show = Call(config.progress)
    elif config.progress and in_notebook():
        show = Notebook(source, sweep["metric"]["goal"])
    elif config.progress and _on_terminal():
        show = Terminal(source)
    return Logs(show, source) if config.logs else show


# HTML

# Nothing of it sets the ground or the colour of text, which are the page's: it is read on white and on black.
_STYLE = ("<style>.prova{font:13px/1.5 system-ui,sans-serif;max-width:62em;overflow-x:auto}"
          ".prova table{border-collapse:collapse;margin:.5em 0;color:inherit;font:inherit;font-variant-numeric:tabular-nums}"
          ".prova tr,.prova th,.prova td{background:none!important}"
          ".prova th,.prova td{padding:.15em 1.1em .15em 0;text-align:right;border:0;white-space:nowrap}"
          ".prova th:first-child,.prova td:first-child{padding-left:.4em}"
          ".prova .left{text-align:left}.prova th{font-weight:600;border-bottom:1px solid #8886}"
          ".prova tr.best td{font-weight:600;background:#e8590c22!important}"
          ".prova .bar{height:8px;border-radius:4px;background:#8883;overflow:hidden;margin:.4em 0}"
          ".prova .bar i{display:block;float:left;height:100%}"
          ".prova .done{background:#2a78d6}.prova .stopped{background:#eda100}.prova .failed{background:#e34948}"
          ".prova .running{background:#2a78d677}.prova .dim{opacity:.65}"
          ".prova .dot{display:inline-block;width:.6em;height:.6em;border-radius:50%;margin:0 .35em 0 .9em}</style>")


def _number(value: Optional[float]) -> str:
    return "" if value is None else f"{value:.6g}"


def _cell(value: Any) -> str:
    return html.escape(_number(value) if isinstance(value, float) else str(value))


def _bar(counts: Mapping[str, int], limit: Optional[int]) -> str:
    parts = (("done", counts["COMPLETED"]), ("stopped", counts["STOPPED"]), ("failed", counts["FAILED"]),
             ("running", counts["RUNNING"]))
    total = max(limit or 0, sum(n for _, n in parts), 1)
    return '<div class="bar">' + "".join(
        f'<i class="{kind}" style="width:{100 * n / total:.2f}%"></i>' for kind, n in parts if n) + "</div>"


_KINDS = (("COMPLETED", "done"), ("STOPPED", "stopped"), ("FAILED", "failed"), ("RUNNING", "running"))


def _counts(counts: Mapping[str, int], limit: Optional[int]) -> str:
    """How many have ended, and a legend of the bar."""
    ended = sum(counts[s] for s in ("COMPLETED", "STOPPED", "FAILED"))
    words = [f"{ended}/{limit} trials" if limit else f"{ended} trial{'s' if ended != 1 else ''}"]
    if counts["COMPLETED"] != ended or counts.get("RUNNING"):
        words += [f'<i class="dot {kind}"></i>{counts[s]} {s.lower()}' for s, kind in _KINDS if counts.get(s)]
    words += [f"{counts[s]} {s.lower()}" for s in ("PAUSED",) if counts.get(s)]
    return " ".join(words)


def _words(counts: Mapping[str, int], limit: Optional[int]) -> str:
    """The same without colours."""
    ended = sum(counts[s] for s in ("COMPLETED", "STOPPED", "FAILED"))
    words = [f"{ended}/{limit} trials" if limit else f"{ended} trial{'s' if ended != 1 else ''}"]
    return ", ".join(words + [f"{counts[s]} {s.lower()}" for s in ("RUNNING", "STOPPED", "FAILED") if counts[s]])


def progress_lines(progress: Progress, running: Running) -> List[str]:
    """A running experiment in plain lines, the first of which is the whole."""
    best = f", best {_number(progress.best_value)} (trial {progress.best_trial})" if progress.best_value is not None else ""
    lines = [f"{progress.name}: {_words(progress.counts, progress.limit)}{best}, {_time(progress.seconds)}"]
    for trial in running.trials if progress.counts["RUNNING"] else ():
        params = (f"{name}={_number(value) if isinstance(value, float) else value}" for name, value in trial.params.items())
        lines.append(f"  trial {trial.number}: {_time(trial.seconds)}, {_step(trial)}  {' '.join(params)}")
    more = running.more(progress.counts)
    return [line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)
            for line in lines + [f"  {more}"] * bool(more)]


def _step(trial: TrialRecord) -> str:
    return f"{trial.state.lower()}, step {trial.step}" if trial.step is not None else trial.state.lower()


def _table(trials: List[TrialRecord], metric: str, best: Optional[int], names: Sequence[str] = ()) -> str:
    """Trials, a row each, with their parameters in the order of the space."""
    if not trials:
        return ""
    names = list(dict.fromkeys([*names, *(name for trial in trials for name in trial.params)]))
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("trial", metric, *names, "time", "state"))
    rows = "".join(
        f"<tr{' class=best' if t.number == best else ''}>" + "".join(f"<td>{cell}</td>" for cell in (
            str(t.number), _number(t.value), *(_cell(t.params.get(name, "")) for name in names), _time(t.seconds),
            _step(t) if t.state == "RUNNING" else t.state.lower())) + "</tr>"
        for t in trials)
    return f"<table><tr>{head}</tr>{rows}</table>"


def _time(seconds: Optional[float]) -> str:
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = int(seconds) // 60
    return f"{minutes} min {int(seconds) % 60:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _components(result: Result) -> str:
    """The report of an ablation study."""
    ablation = result.ablation
    if not ablation:
        return ""
    base = ablation.get("base") or {}
    rows = ['<tr><td></td><td class="left">base</td>'
            f"<td>{_number(base.get('mean'))}</td><td></td><td></td><td></td></tr>"]
    for c in result.components:
        interval = f"{c['low']:+.3g} &hellip; {c['high']:+.3g}" if c["low"] is not None else ""
        change = f"{c['change']:+.4g}" if c["change"] is not None else c["state"]
        p = "" if c["p_holm"] is None else "&lt;0.0001" if c["p_holm"] < 1e-4 else f"{c['p_holm']:.4f}"
        rows.append(f"<tr><td>{c['rank'] or ''}</td><td class=\"left\">{html.escape(c['component'])}</td>"
                    f"<td>{_number(c['mean'])}</td><td>{change}</td><td>{interval}</td><td>{p}</td></tr>")
    confidence = f"{100 * float(ablation.get('confidence') or 0.95):g} % interval"
    head = f'<th>rank</th><th class="left">left out</th><th>{html.escape(result.metric)}</th><th>change</th>' \
           f"<th>{confidence}</th><th>P (Holm)</th>"
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def progress_html(progress: Progress, best: List[TrialRecord], running: Running) -> str:
    """A running experiment: the best trials, and below them some of those that run."""
    trials = [*best, *(running.trials if progress.counts["RUNNING"] else ())]
    more = running.more(progress.counts)
    notes = "".join(f'<div class="dim">{html.escape(note)}</div>' for note in (
        more, f"search {progress.explanation}" if progress.explanation else "") if note)
    value = f" &middot; best <b>{_number(progress.best_value)}</b> (trial {progress.best_trial})" \
        if progress.best_value is not None else ""
    return (f'{_STYLE}<div class="prova"><b>{html.escape(progress.name)}</b> '
            f'<span class="dim">{_time(progress.seconds)}</span>{value} '
            f"&middot; {_counts(progress.counts, progress.limit)}"
            f'{_bar(progress.counts, progress.limit)}{_table(trials, "value", progress.best_trial)}{notes}</div>')


def result_html(result: Result) -> str:
    """A result, with its best trials; of an ablation study, with its components."""
    def order(trial: TrialRecord) -> float:
        value = trial.value or 0.0
        return -value if result.goal.startswith("max") else value

    table = components = ""
    with contextlib.suppress(Exception):  # the database is gone; what the result itself knows can still be shown
        best = sorted((t for t in result.trials if t.value is not None), key=order)[:_N_BEST]
        varying = [name for name, parameter in result.parameters.items() if "value" not in parameter]
        components = _components(result)
        table = components or _table(best, result.metric, result.best_trial, varying)
    value = f" &middot; best {html.escape(result.metric)} <b>{_number(result.best_value)}</b> (trial {result.best_trial})" \
        if result.best_value is not None else " &middot; no trial has a value"
    if components:  # of which none is meant to be the best
        value = ""
    return (f'{_STYLE}<div class="prova"><b>{html.escape(result.name)}</b> {html.escape(result.state)} '
            f'<span class="dim">{_time(result.seconds)}</span>{value} '
            f"&middot; {_counts(result.counts, None)}{_bar(result.counts, None)}{table}</div>")

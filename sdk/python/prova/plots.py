"""Plots of a result, by matplotlib. Each returns its axes, and draws on given ones.

    result = prova.lagom(...)
    prova.plots.best_so_far(result)
    prova.plots.parallel_coordinates(result)
"""

from __future__ import annotations

import math
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .errors import ConfigError, ProvaError
from .result import Result, TrialRecord

_BLUE, _GREY = "#2a78d6", "#8a8985"


def _axes(axes: Any, width: float = 6.4, height: float = 4.0) -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ProvaError("plots need matplotlib: `pip install matplotlib` (Debian: python3-matplotlib)") from None
    if axes is None:
        _, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes


def _with_value(result: Result) -> List[TrialRecord]:
    trials = [t for t in result.trials if t.value is not None and math.isfinite(t.value)]
    if not trials:
        raise ConfigError(f"no trial of '{result.name}' has a value: there is nothing to plot")
    return trials


def best_so_far(result: Result, axes: Any = None) -> Any:
    """Every trial's objective by its number, and the best so far as a line.

    Args:
        result: A result.
        axes: Matplotlib axes to draw on; new ones without.

    Returns:
        The axes.
    """
    axes = _axes(axes)
    trials = _with_value(result)
    better = max if result.goal.startswith("max") else min
    best: List[float] = []
    for trial in trials:
        value = trial.value if trial.value is not None else math.nan
        best.append(better(best[-1], value) if best else value)
    numbers = [t.number for t in trials]
    axes.scatter(numbers, [t.value for t in trials], s=14, color=_GREY, alpha=0.6, label="trial", linewidths=0)
    axes.step(numbers, best, where="post", color=_BLUE, linewidth=2, label="best so far")
    axes.set(xlabel="trial", ylabel=result.metric, title=result.name)
    axes.legend(frameon=False)
    return axes


def learning_curves(result: Result, metric: Optional[str] = None, axes: Any = None) -> Any:
    """The reports of every trial over their steps, the best trial's in colour. Arguments as of `best_so_far`, and
    `metric`: another metric than the objective."""
    axes = _axes(axes)
    for trial in result.trials:
        steps, values = trial.curve(metric or result.metric)
        if not steps:
            steps, values = trial.curve(metric)
        is_best = trial.number == result.best_trial
        axes.plot(steps, values, color=_BLUE if is_best else _GREY, alpha=1 if is_best else 0.35,
                  linewidth=2 if is_best else 1, zorder=3 if is_best else 2,
                  label=f"best (trial {trial.number})" if is_best else None)
    axes.set(xlabel="step", ylabel=metric or result.metric, title=result.name)
    if result.best_trial:
        axes.legend(frameon=False)
    return axes


def _positions(values: Sequence[Any]) -> Tuple[List[float], List[Tuple[float, str]]]:
    """Places from 0 to 1 of a parameter's values, and its tick labels."""
    present = [v for v in values if v is not None]
    if present and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in present):
        low, high = float(min(present)), float(max(present))
        log = low > 0 and high / low >= 100
        scale = math.log if log else float
        span = (scale(high) - scale(low)) or 1.0
        places = [math.nan if v is None else (scale(v) - scale(low)) / span for v in values]
        return places, [(0.0, f"{low:.3g}"), (1.0, f"{high:.3g}")]
    names = sorted({str(v) for v in present})
    step = 1 / max(len(names) - 1, 1)
    order: Dict[str, float] = {name: i * step for i, name in enumerate(names)}
    return [math.nan if v is None else order[str(v)] for v in values], [(p, name) for name, p in order.items()]


def parallel_coordinates(result: Result, axes: Any = None) -> Any:
    """One line a trial through its parameters and its objective, coloured by the objective: dark is good."""
    trials = _with_value(result)
    names: List[str] = []
    for trial in trials:
        names += [name for name in trial.params if name not in names]
    axes = _axes(axes, width=1.6 * (len(names) + 2))
    from matplotlib import pyplot
    columns = [_positions([t.params.get(name) for t in trials]) for name in names]
    columns.append(_positions([t.value for t in trials]))
    order = sorted(range(len(trials)), key=lambda i: trials[i].value or 0.0, reverse=not result.goal.startswith("max"))
    shade = pyplot.get_cmap("Blues")
    for rank, i in enumerate(order):
        good = (rank + 1) / len(order)
        axes.plot(range(len(columns)), [places[i] for places, _ in columns], color=shade(0.15 + 0.85 * good),
                  linewidth=0.8 + 1.2 * good, alpha=0.8)
    for x, (_, ticks) in enumerate(columns):
        axes.axvline(x, color=_GREY, linewidth=0.8)
        for y, label in ticks:
            axes.annotate(label, (x, y), xytext=(3, 2), textcoords="offset points", fontsize=8)
    axes.set_xticks(range(len(columns)), [*names, result.metric])
    axes.set(yticks=[], title=result.name)
    axes.spines["left"].set_visible(False)
    return axes


def parameter_effects(result: Result, parameters: Optional[Sequence[str]] = None) -> Any:
    """The objective over each parameter, a panel each.

    Args:
        result: A result.
        parameters: Some of its parameters; all without.

    Returns:
        The figure.
    """
    trials = _with_value(result)
    names = list(parameters or {name: None for t in trials for name in t.params})
    _axes(None).figure.clear()
    from matplotlib import pyplot
    pyplot.close()
    n_columns = min(3, max(1, len(names)))
    n_rows = math.ceil(len(names) / n_columns)
    figure, panels = pyplot.subplots(n_rows, n_columns, figsize=(3.2 * n_columns, 2.6 * n_rows), sharey=True,
                                     squeeze=False, layout="constrained")
    for panel in panels.flat[len(names):]:
        panel.set_visible(False)
    for panel, name in zip(panels.flat, names):
        mine = [t for t in trials if name in t.params]
        if not mine:
            raise ConfigError(f"no trial has a parameter '{name}'")
        _effect(_axes(panel), [t.params[name] for t in mine], [t.value for t in mine])
        panel.set_xlabel(name)
    for row in panels:
        row[0].set_ylabel(result.metric)
    return figure


def _effect(axes: Any, values: Sequence[Any], objective: Sequence[Any]) -> None:
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    if numeric and min(values) > 0 and max(values) / min(values) >= 100:
        axes.set_xscale("log")
    axes.scatter(values if numeric else [str(v) for v in values], objective, s=14, color=_BLUE, alpha=0.6, linewidths=0)

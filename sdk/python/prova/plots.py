"""Plots of a result, by matplotlib. Each returns its axes, and draws on given ones.

    result = prova.lagom(...)
    prova.plots.best_so_far(result)
    prova.plots.parallel_coordinates(result)
"""

from __future__ import annotations

import math
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from . import _check
from .errors import ConfigError, ProvaError
from .result import Result, TrialRecord

# Readable on white and on black.
_BLUE, _GREY, _ORANGE = "#2a78d6", "#8a8985", "#e8590c"


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ProvaError("plots need matplotlib: `pip install matplotlib` (Debian: python3-matplotlib)") from None
    return pyplot


def _axes(axes: Any, width: float = 6.4, height: float = 4.0) -> Any:
    if axes is None:
        _, axes = _pyplot().subplots(figsize=(width, height), layout="constrained")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes


def _trials(result: Result) -> List[TrialRecord]:
    if not hasattr(result, "trials"):
        raise ConfigError(f"what is plotted must be a result, not {_check.short(result)}")
    return result.trials


def _with_value(result: Result) -> List[TrialRecord]:
    trials = [t for t in _trials(result) if t.value is not None and math.isfinite(t.value)]
    if not trials:
        raise ConfigError(f"no trial of '{result.name}' has a value: there is nothing to plot")
    return trials


def best_so_far(result: Result, axes: Any = None) -> Any:
    """Every trial's objective by its number, and the best so far as a line.

    Args:
        result: A result.
        axes: Matplotlib axes to draw on; None: new ones, of 6.4 x 4 inches.

    Returns:
        The axes: over the trials' numbers, from 1, the objective in its own unit.

    Raises:
        ConfigError: it is no result, or no trial has a value.
        ProvaError: matplotlib is not installed.

    >>> import matplotlib
    >>> import prova
    >>> matplotlib.use("Agg")
    >>> result = prova.lagom(lambda x: x, name="best", parameters={"x": prova.double(0, 1)}, trials=4, progress=False)
    >>> axes = best_so_far(result)
    >>> axes.get_xlabel(), axes.get_ylabel(), len(axes.collections[0].get_offsets())
    ('trial', 'objective', 4)
    """
    trials = _with_value(result)
    axes = _axes(axes)
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
    """The reports of every trial over their steps, the best trial's in colour.

    Args:
        result: A result.
        metric: Name of another metric than the objective; None: the objective.
        axes: Matplotlib axes to draw on; None: new ones, of 6.4 x 4 inches.

    Returns:
        The axes: over the steps that were reported the metric in its own unit, a line a trial.

    Raises:
        ConfigError: it is no result, or no trial has reported that metric.
        ProvaError: matplotlib is not installed.

    >>> import matplotlib
    >>> import prova
    >>> matplotlib.use("Agg")
    >>> def train(x):
    ...     for epoch in range(3):
    ...         prova.report(epoch, x / (epoch + 1))
    >>> result = prova.lagom(train, name="curves", parameters={"x": prova.double(0, 1)}, trials=4, progress=False)
    >>> [line.get_xdata().tolist() for line in learning_curves(result).lines]
    [[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, 2]]
    """
    curves = [(trial, *trial.curve(metric or result.metric)) for trial in _trials(result)]
    known = sorted({r["metric"] for trial in _trials(result) for r in trial.reports})
    if not any(steps for _, steps, _ in curves):
        raise ConfigError(f"no trial of '{result.name}' has reported '{metric or result.metric}'"
                          + (f"; reported are: {', '.join(known)}" if known else ": there are no curves to plot"))
    axes = _axes(axes)
    for trial, steps, values in curves:
        is_best = trial.number == result.best_trial
        axes.plot(steps, values, color=_ORANGE if is_best else _GREY, alpha=1 if is_best else 0.35,
                  linewidth=2 if is_best else 1, zorder=3 if is_best else 2,
                  marker="o" if len(steps) == 1 else None, markersize=4,
                  label=f"best (trial {trial.number})" if is_best else None)
    axes.set(xlabel="step", ylabel=metric or result.metric, title=result.name)
    if result.best_trial:
        axes.legend(frameon=False)
    return axes


# Parameters


class _Scale:
    """Where a parameter's values stand on an axis: by its place in the search space, or by the values where it has none."""

    def __init__(self, parameter: Mapping[str, Any], values: Sequence[Any]) -> None:
        present = [v for v in values if v is not None]
        choices = parameter.get("values")
        is_number = all(_is_number(v) for v in choices or present)
        self.choices: List[Any] = []
        if choices or not is_number:
            self.choices = sorted(choices) if choices and is_number else list(choices or sorted({str(v) for v in present}))
        else:
            ends = [parameter["min"], parameter["max"]] if "min" in parameter else [min(present), max(present)]
            self.low, self.high = float(ends[0]), float(ends[1])
        self.log = not self.choices and parameter.get("scale") == "log"

    def place(self, value: Any) -> float:
        """From 0 to 1."""
        if self.choices:
            known = self.choices if value in self.choices else [str(c) for c in self.choices]
            i = known.index(value if known is self.choices else str(value))
            return (i + 0.5) / len(self.choices)
        scale = math.log if self.log else float
        span = scale(self.high) - scale(self.low)
        return (scale(value) - scale(self.low)) / span if span else 0.5

    def ticks(self) -> List[Tuple[float, str]]:
        """Some places, and what stands there."""
        if not self.choices:
            return [(0.0, f"{self.low:.4g}"), (1.0, f"{self.high:.4g}")]
        some = self.choices if len(self.choices) <= 12 else [self.choices[0], self.choices[-1]]
        return [(self.place(choice), str(choice)) for choice in some]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _names(result: Result, trials: Sequence[TrialRecord]) -> List[str]:
    """The parameters in the order of the space, without constants."""
    names = dict.fromkeys(result.parameters)
    names.update(dict.fromkeys(name for trial in trials for name in trial.params))
    return [name for name in names if "value" not in result.parameters.get(name, {})]


def _mix(good: float) -> Tuple[float, ...]:
    """From grey to blue."""
    from matplotlib import colors
    grey, blue = colors.to_rgb(_GREY), colors.to_rgb(_BLUE)
    return tuple(g + good * (b - g) for g, b in zip(grey, blue))


def parallel_coordinates(result: Result, axes: Any = None) -> Any:
    """One line a trial through its parameters and its objective: the better, the bluer, and the best one orange. A line
    passes below the axis of a parameter that was not active.

    Args:
        result: A result.
        axes: Matplotlib axes to draw on; None: new ones, 4 inches high and the wider the more parameters there are.

    Returns:
        The axes: parameters from left to right in the order of the space, without constants, each on its own scale from its
        lower to its upper end, and then the objective from the least to the greatest value.

    Raises:
        ConfigError: it is no result, or no trial has a value.
        ProvaError: matplotlib is not installed.

    >>> import matplotlib
    >>> import prova
    >>> matplotlib.use("Agg")
    >>> space = {"x": prova.double(0, 1), "units": prova.int(1, 8)}
    >>> result = prova.lagom(lambda x, units: x * units, name="lines", parameters=space, trials=4, progress=False)
    >>> [label.get_text() for label in parallel_coordinates(result).get_xticklabels()]
    ['x', 'units', 'objective']
    """
    trials = _with_value(result)
    names = _names(result, trials)
    axes = _axes(axes, width=1.5 * (len(names) + 1.5))
    scales = [_Scale(result.parameters.get(name, {}), [t.params.get(name) for t in trials]) for name in names]
    objective = _Scale({}, [t.value for t in trials])
    sign = 1 if result.goal.startswith("max") else -1
    has_inactive = False
    order = sorted(trials, key=lambda t: sign * (t.value or 0.0))
    for rank, trial in enumerate(order):
        good = (rank + 1) / len(order)
        places = [s.place(trial.params[n]) if n in trial.params else _BELOW for n, s in zip(names, scales)]
        has_inactive = has_inactive or _BELOW in places
        is_best = trial is order[-1]
        axes.plot(range(len(names) + 1), [*places, objective.place(trial.value)], color=_ORANGE if is_best else _mix(good),
                  linewidth=2.4 if is_best else 0.7 + good, alpha=1 if is_best else 0.25 + 0.5 * good, solid_joinstyle="round")
    for x, scale in enumerate([*scales, objective]):
        axes.plot([x, x], [0, 1], color=_GREY, linewidth=1, zorder=1)
        _label_scale(axes, x, scale)
    if has_inactive:
        axes.annotate("not active", (0, _BELOW), xytext=(-8, 0), textcoords="offset points", fontsize=8, ha="right",
                      va="center", color=_GREY)
    axes.set_xticks(range(len(names) + 1), [*names, result.metric])
    axes.tick_params(length=0)
    axes.set(yticks=[], title=result.name, xlim=(-0.5, len(names) + 0.6), ylim=(_BELOW - 0.08 if has_inactive else -0.1, 1.1))
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    return axes


_BELOW = -0.16


def _label_scale(axes: Any, x: int, scale: _Scale) -> None:
    """Ends above and below the axis; choices beside it, on the ground of the plot."""
    for y, label in scale.ticks():
        if scale.choices:
            ground = {"boxstyle": "round,pad=0.15", "facecolor": axes.get_facecolor(), "edgecolor": "none", "alpha": 0.8}
            axes.annotate(label, (x, y), xytext=(5, 0), textcoords="offset points", fontsize=8, va="center", bbox=ground,
                          zorder=5)
        else:
            axes.annotate(label, (x, y), xytext=(0, 4 if y else -4), textcoords="offset points", fontsize=8, ha="center",
                          va="bottom" if y else "top", zorder=5)


def parameter_effects(result: Result, parameters: Optional[Sequence[str]] = None) -> Any:
    """The objective over each parameter, a panel each, the best trial in orange.

    Args:
        result: A result.
        parameters: Names of some of its parameters; None: all but constants.

    Returns:
        The panels' axes, a NumPy array of shape (parameters,): over a parameter's values, on its own scale, the objective.

    Raises:
        ConfigError: it is no result, there is no such parameter, or nothing to plot.
        ProvaError: matplotlib is not installed.

    >>> import matplotlib
    >>> import prova
    >>> matplotlib.use("Agg")
    >>> space = {"x": prova.double(0.01, 1, log=True)}
    >>> result = prova.lagom(lambda x: x, name="panels", parameters=space, trials=4, progress=False)
    >>> panels = parameter_effects(result)
    >>> panels.shape, panels[0].get_xscale()
    ((1,), 'log')
    """
    _pyplot()
    trials = _with_value(result)
    known = _names(result, trials)
    names = known if parameters is None else list(parameters)
    for name in names:
        if not any(name in t.params for t in trials):
            raise ConfigError(f"no trial has a parameter '{name}'; there are: {', '.join(known)}")
    if not names:
        raise ConfigError(f"'{result.name}' has no parameters that vary")
    n_columns = 3 if len(names) in (5, 6, 9) else min(4, len(names))
    n_rows = math.ceil(len(names) / n_columns)
    figure, panels = _pyplot().subplots(n_rows, n_columns, figsize=(1.2 + 2.4 * n_columns, 0.4 + 2.4 * n_rows), sharey=True,
                                        squeeze=False, layout="constrained")
    figure.suptitle(result.name, fontsize="large")
    for panel in panels.flat[len(names):]:
        panel.set_visible(False)
    for panel, name in zip(panels.flat, names):
        mine = [t for t in trials if name in t.params]
        _effect(_axes(panel), result, name, mine)
    for row in panels:
        row[0].set_ylabel(result.metric)
    return panels.ravel()[:len(names)]


def _effect(axes: Any, result: Result, name: str, trials: Sequence[TrialRecord]) -> None:
    scale = _Scale(result.parameters.get(name, {}), [t.params[name] for t in trials])
    if scale.choices:  # points of one value stand beside each other; the golden section spreads them evenly
        n = len(scale.choices)
        spread = [((t.number * 0.618034) % 1 - 0.5) * 0.5 for t in trials]
        places = [scale.place(t.params[name]) * n - 0.5 + s for t, s in zip(trials, spread)]
        axes.set_xticks([p * n - 0.5 for p, _ in scale.ticks()], [label for _, label in scale.ticks()],
                        rotation=30 if sum(len(label) + 2 for _, label in scale.ticks()) > 26 else 0)
        axes.set_xlim(-0.6, n - 0.4)
    else:
        places = [t.params[name] for t in trials]
        if scale.log:
            axes.set_xscale("log")
    axes.scatter(places, [t.value for t in trials], s=14, color=_BLUE, alpha=0.55, linewidths=0)
    best = [(p, t.value) for p, t in zip(places, trials) if t.number == result.best_trial]
    axes.scatter([p for p, _ in best], [v for _, v in best], s=44, color=_ORANGE, zorder=3)
    axes.set_xlabel(name)


# Ablation studies


def component_effects(result: Result, axes: Any = None) -> Any:
    """What leaving out each component of an ablation study does to the objective, with its confidence interval, the most
    important on top; what is shown to matter in blue, what is not in grey.

    Args:
        result: A result of an ablation study.
        axes: Matplotlib axes to draw on; None: new ones, the higher the more components there are.

    Returns:
        The axes: a row a component; the mean change of the objective, in its own unit, and its interval at the study's
        `confidence` (0 to 1).

    Raises:
        ConfigError: it is no ablation study, or compares nothing.
        ProvaError: matplotlib is not installed.

    >>> import matplotlib
    >>> import prova
    >>> matplotlib.use("Agg")
    >>> def train(dataset, trial):
    ...     return 2.0 * len(dataset) + trial.seed % 3
    >>> result = prova.lagom(train, prova.AblationConfig({"features": ["age", "income"]}, repeats=3), progress=False,
    ...                      dataset=lambda: {"age": [1], "income": [2], "height": [3]})
    >>> sorted(label.get_text() for label in component_effects(result).get_yticklabels())
    ['feature:age', 'feature:income']
    """
    compared = [c for c in result.components if c["change"] is not None]
    if not compared:
        raise ConfigError(f"'{result.name}' is no ablation study with components that were compared")
    axes = _axes(axes, height=1.2 + 0.3 * len(compared))
    places = range(len(compared), 0, -1)
    axes.axvline(0, color=_GREY, linewidth=1, zorder=1)
    level = 1 - float((result.ablation or {}).get("confidence") or 0.95)
    for y, component in zip(places, compared):
        shown = component["p_holm"] is not None and component["p_holm"] < level
        color = _BLUE if shown else _GREY
        if component["low"] is not None:
            axes.plot([component["low"], component["high"]], [y, y], color=color, linewidth=2, solid_capstyle="round")
        axes.scatter([component["change"]], [y], s=36, color=color, zorder=3)
    axes.set_yticks(list(places), [c["component"] for c in compared])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set(xlabel=f"change of {result.metric} without it", title=result.name, ylim=(0.4, len(compared) + 0.6))
    return axes

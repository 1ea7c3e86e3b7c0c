"""The picture of bench/run quality: best-so-far regret per problem, median and quartiles, as SVG."""

import math
import statistics
from xml.sax.saxutils import escape

COLUMNS, PANEL, PLOT = 4, (290, 220), (46, 28, 232, 150)  # panels a row; size of one; x, y, width, height of its axes
COLOURS = {  # those of Okabe and Ito, which people of all colour vision tell apart
    "prova-auto": "#D55E00", "prova-gp": "#0072B2", "prova-tpe": "#009E73", "prova-cmaes": "#CC79A7", "prova-de": "#56B4E9",
    "optuna-gp": "#0072B2", "optuna-tpe": "#009E73", "optuna-cmaes": "#CC79A7", "optuna-random": "#888888",
}
N_POINTS = 60  # of one line
LONG_TITLE = 36  # characters; longer ones are made narrower, so that they end with the panel
MIN_SEEDS = 3  # fewer have no quartiles


def quartiles(runs, at):
    values = [run[at] for run in runs if at in run]
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return max(low, min(values)), middle, min(high, max(values))


def chosen_evaluations(runs):
    common = sorted(set.intersection(*(set(run) for run in runs)))
    common = [at for at in common if at >= 3] or common
    step = max(1, len(common) // N_POINTS)
    return sorted({*common[::step], common[-1]})


class Axes:
    """From evaluations and regrets to places in a panel; regrets on a logarithmic scale."""

    def __init__(self, left, top, last, low, high):
        self.left, self.top, self.last = left + PLOT[0], top + PLOT[1], last
        self.low, self.high = math.log10(low), math.log10(high)

    def x(self, at):
        return self.left + PLOT[2] * at / self.last

    def y(self, regret):
        part = (math.log10(max(regret, 10**self.low)) - self.low) / (self.high - self.low)
        return self.top + PLOT[3] * (1 - min(1.0, part))

    def path(self, points):
        return "M" + " L".join(f"{self.x(at):.1f},{self.y(regret):.1f}" for at, regret in points)


def label(value):
    exponent = round(math.log10(value))
    return f"{value:g}" if -3 <= exponent <= 3 else f"1e{exponent}"


def draw_frame(axes, title):
    x, y, width, height = axes.left, axes.top, PLOT[2], PLOT[3]
    fit = f' textLength="{width}" lengthAdjust="spacingAndGlyphs"' if len(title) > LONG_TITLE else ""
    yield f'<text x="{x}" y="{y - 8}" class="t"{fit}>{escape(title)}</text>'
    first, last = math.ceil(axes.low - 1e-9), math.floor(axes.high + 1e-9)
    every = max(1, math.ceil((last - first + 1) / 6))
    for exponent in range(first, last + 1, every):
        at = axes.y(10.0**exponent)
        yield f'<path d="M{x},{at:.1f} h{width}" class="g"/>'
        yield f'<text x="{x - 5}" y="{at + 3.5:.1f}" text-anchor="end">{label(10.0**exponent)}</text>'
    for part in (0, 0.5, 1):
        yield f'<text x="{x + width * part}" y="{y + height + 14}" text-anchor="middle">{round(axes.last * part)}</text>'
    yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" class="f"/>'


def draw_line(axes, searcher, points):
    colour = COLOURS.get(searcher, "#000000")
    dash = "" if searcher.startswith("prova") else ' stroke-dasharray="5 3"'
    if searcher in ("prova-auto", "optuna-tpe", "optuna-gp"):  # more bands would hide each other
        edge = [(at, low) for at, (low, _, _) in points] + [(at, high) for at, (_, _, high) in reversed(points)]
        yield f'<path d="{axes.path(edge)} Z" fill="{colour}" fill-opacity="0.10"/>'
    line = axes.path([(at, middle) for at, (_, middle, _) in points])
    width = 4 if searcher == "prova-auto" else 1.6  # it is drawn first, and mostly is one of the others
    yield f'<path d="{line}" fill="none" stroke="{colour}" stroke-width="{width}"{dash}/>'


def draw_panel(figures, problem, searchers, left, top):
    lines = {}
    for searcher in searchers:
        runs = [run for run in figures.of(searcher, problem).values() if problem.evaluations in run]
        if len(runs) >= MIN_SEEDS:
            lines[searcher] = [(at, quartiles(runs, at)) for at in chosen_evaluations(runs)]
    seen = [value for points in lines.values() for _, values in points for value in values]
    high = max(seen, default=1.0) or 1.0
    low = max(min((value for value in seen if value > 0), default=high / 10), high * 1e-7)
    axes = Axes(left, top, problem.evaluations, 10 ** math.floor(math.log10(low)), max(high, low * 10))
    yield from draw_frame(axes, problem.name)
    for searcher, points in lines.items():
        yield from draw_line(axes, searcher, points)


def draw_legend(searchers, top):
    for i, searcher in enumerate(searchers):
        x, y = 20 + 150 * (i % 7), top + 18 * (i // 7)
        dash = "" if searcher.startswith("prova") else ' stroke-dasharray="5 3"'
        yield f'<path d="M{x},{y} h26" stroke="{COLOURS.get(searcher, "#000000")}" stroke-width="2"{dash}/>'
        yield f'<text x="{x + 32}" y="{y + 4}">{escape(searcher)}</text>'


def draw(figures, problems):
    """The whole picture as text."""
    searchers = [one for one in COLOURS if any(figures.of(one, problem) for problem in problems)]
    rows = math.ceil(len(problems) / COLUMNS)
    width, height = COLUMNS * PANEL[0] + 10, rows * PANEL[1] + 66
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        '<style>text{font:11px sans-serif;fill:#333}.t{font-weight:bold}.g{stroke:#ddd}.f{fill:none;stroke:#999}</style>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *draw_legend(searchers, 16),
    ]
    for i, problem in enumerate(problems):
        parts += draw_panel(figures, problem, searchers, PANEL[0] * (i % COLUMNS), 40 + PANEL[1] * (i // COLUMNS))
    caption = "regret (logarithmic) against evaluations; lines: medians over seeds, bands: quartiles; at the bottom edge: none"
    parts += [f'<text x="20" y="{height - 8}">{caption}</text>', "</svg>"]
    return "\n".join(parts) + "\n"

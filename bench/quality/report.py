"""The table of bench/run quality, in Markdown: regrets of every searcher on every problem."""

import statistics

from figures import compare
from judge import PEERS

HEAD = """\
# Search quality, measured

Regret after so many evaluations: median over seeds of (best value - optimum), for tables divided by (median row - optimum); in
brackets the quartiles at the end. Against its peers (one-sided Wilcoxon tests over paired seeds, at 1 %): `+` better, `-`
worse, `=` neither. {recorded}
"""
RECORDED = "Figures of some peers are the recorded ones, of Optuna {version}: they were not run here on as many seeds."
SIGNS = {"better": "+", "worse": "-"}


def number(value):
    return "0" if value == 0 else f"{value:.2g}"


def verdicts(figures, problem, searcher):
    words = []
    for peer in PEERS.get(searcher, []):
        verdict = compare(figures.pairs(searcher, peer, problem))
        if verdict:
            words.append(f"{SIGNS.get(verdict, '=')}{peer.removeprefix('optuna-')}")
    return " ".join(words)


def line(figures, problem, searcher):
    columns = [figures.at(searcher, problem, at) for at in problem.checkpoints]
    last = columns[-1]
    quartiles = statistics.quantiles(last, n=4) if len(last) > 1 else last * 3
    cells = [number(statistics.median(column)) if column else "" for column in columns]
    cells[-1] += f" [{number(max(quartiles[0], 0.0))}, {number(quartiles[2])}]"
    return f"| {searcher} | {len(last)} | {' | '.join(cells)} | {verdicts(figures, problem, searcher)} |"


def write(figures, problems, recorded):
    words = RECORDED.format(version=recorded["version"]) if figures.recorded_used else ""
    parts = [HEAD.format(recorded=words)]
    for problem in problems:
        searchers = [one for one in figures.searchers() if figures.at(one, problem)]
        searchers.sort(key=lambda one: (one.startswith("optuna"), one))
        parts.append(f"## {problem.name}\n")
        parts.append(f"| | seeds | {' | '.join(f'at {at}' for at in problem.checkpoints)} | against Optuna |")
        parts.append("|" + "---|" * (3 + len(problem.checkpoints)))
        parts += [line(figures, problem, searcher) for searcher in searchers]
        parts.append("")
    return "\n".join(parts)

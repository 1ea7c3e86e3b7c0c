"""The measures of the contexts: what a study costs beside a search."""

import functools

from harness import Measure, median, row


def loco(bench):
    """Trials per second of a study that leaves out each of 64 components, against as many trials of random search, 8 workers.

    Five repeats are over in a few hundredths of a second, so they are run often; the long study has time for a steady rate.
    """
    for name, repeats, runs in (("loco", 5, 25), ("loco_long", 50 if bench.quick else 300, bench.runs)):
        study, search = bench.in_turn(
            functools.partial(bench.program, "study", ".", 8, 64, repeats, "ablation"),
            functools.partial(bench.program, "study", ".", 8, 64, repeats, "random"),
            runs=3 if bench.quick else runs,
        )
        yield row(f"context.{name}", median(study, "trials_per_s"), "1/s", median(search, "trials_per_s"),
                  ("ratio", ">=", 0.9))
        yield row(f"context.{name}.cpu", median(study, "cpu_us_per_trial"), "us", median(search, "cpu_us_per_trial"))


def gang(bench):
    """Start of a gang of 8 local workers, from all idle to all inside the function; the reference is one worker's idle gap."""
    starts, gaps = bench.in_turn(
        functools.partial(bench.program, "gang", ".", 8, 100 if bench.quick else 400),
        functools.partial(bench.program, "gap", ".", 8, 400 if bench.quick else 3_000),
        runs=1 if bench.quick else 3,
    )
    gap = median(gaps, "median_us") / 1e3
    yield row("context.gang.median", median(starts, "median_us") / 1e3, "ms", gap, ("value", "<", 5))
    yield row("context.gang.p99", median(starts, "p99_us") / 1e3, "ms", gap)


MEASURES = [Measure("context.loco", loco), Measure("context.gang", gang)]

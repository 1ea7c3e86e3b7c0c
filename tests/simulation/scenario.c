/* What the worlds are about. */
#include <stdio.h>
#include <string.h>

#include "world.h"

static const char *const sweeps[] = {
    "name: first\n"
    "train: {command: [x]}\n"
    "metric: {name: loss}\n"
    "parameters: {a: {min: 0.0, max: 1.0}, b: {min: 1, max: 50}, c: {values: [u, v, w]}}\n"
    "search: {name: random}\n"
    "stopping: {name: median, min_trials: 5}\n"
    "limits: {trials: 300, failures: 0}\n"
    "retries: 2\n"
    "seed: 1\n",
    "name: second\n"
    "train: {command: [x]}\n"
    "metric: {name: loss, goal: maximize}\n"
    "parameters: {a: {min: 1, max: 8}, b: {min: 1, max: 8}, c: {values: [1, 2, 4, 8]}}\n"
    "search: {name: random}\n"
    "limits: {trials: 200, failures: 0}\n"
    "retries: 1\n"
    "seed: 2\n",
    "name: third\n"
    "train: {command: [x]}\n"
    "metric: {name: loss}\n"
    "parameters: {a: {min: 0.0, max: 1.0}, b: {min: 0.0, max: 1.0}, c: {min: 0.0, max: 1.0}}\n"
    "search: {name: tpe}\n"
    "schedule: {name: asha, min_budget: 1, max_budget: 4, eta: 2}\n"
    "limits: {trials: 150, failures: 0}\n"
    "retries: 2\n"
    "seed: 3\n",
};

void scenario_single(struct scenario *scenario)
{
    *scenario = (struct scenario){.n = 3,
                                  .n_endings = {1, 1, 3},
                                  .budgets = {0, 0, MAX_BUDGET},
                                  .beat_ns = 500 * MS,
                                  .lease_ns = 5 * S};
    for (size_t i = 0; i < scenario->n; i++)
        (void)snprintf(scenario->sweeps[i], sizeof scenario->sweeps[i], "%s", sweeps[i]);
}

/* One of single workers, one of small, one of middling and one of great gangs: several times the workers that
 * there are, all at once. */
void scenario_gangs(struct scenario *scenario, uint64_t seed)
{
    static const struct {
        int least, most, trials;
        const char *more;
    } kinds[] = {
        {1, 1, 400, ""},
        {2, 8, 80, "stopping: {name: median, min_trials: 5}\n"},
        {9, 32, 40, ""},
        {33, 64, 24, "schedule: {name: asha, min_budget: 1, max_budget: 4, eta: 2}\n"},
    };
    struct rng rng;
    rng_init(&rng, seed, 5);
    *scenario = (struct scenario){.n = 4,
                                  .n_endings = {1, 1, 1, 3},
                                  .budgets = {0, 0, 0, MAX_BUDGET},
                                  .beat_ns = 2 * S,
                                  .lease_ns = 10 * S};
    for (int i = 0; i < 4; i++) {
        int n = kinds[i].least + (int)rng_below(&rng, (uint64_t)(kinds[i].most - kinds[i].least + 1));
        (void)snprintf(
            scenario->sweeps[i], sizeof scenario->sweeps[i],
            "name: gangs%d\ntrain: {command: [x]}\nmetric: {name: loss}\n"
            "parameters: {a: {min: 0.0, max: 1.0}, b: {min: 0.0, max: 1.0}, c: {min: 0.0, max: 1.0}}\n"
            "search: {name: random}\n%slimits: {trials: %d, failures: 0}\nretries: 2\nseed: %d\n"
            "workers_per_trial: %d\n",
            i, kinds[i].more, kinds[i].trials, i + 1, n);
    }
}

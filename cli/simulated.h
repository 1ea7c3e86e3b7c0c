#ifndef CLI_SIMULATED_H
#define CLI_SIMULATED_H

#include <jansson.h>
#include <stdio.h>

#include "core/spec.h"
#include "driver/simulation.h"

/* What came of simulations of one sweep, a run for each seed. docs/simulate.md has the forms. */
struct simulated {
    const struct spec *spec;
    const struct recording *recording;
    const char *table; /* the file */
    size_t n_runs;
    struct simulation_result *runs;
    double cpu_seconds; /* that it took */
};

/* For people: best so far at growing times, and the end. */
void simulated_write_text(struct text *out, const struct simulated *simulated);
/* NULL: out of memory. */
json_t *simulated_json(const struct simulated *simulated);
/* A row whenever the best of a run has changed, and one at its end. Write errors stay in the stream. */
void simulated_write_csv(FILE *file, const struct simulated *simulated);

#endif

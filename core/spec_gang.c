/* The part of a sweep file that says on how many workers each trial runs: `distributed` and
 * `workers_per_trial`. The first is also the section of context distributed, where it may give values of
 * parameters. */
#include <string.h>

#include "core/spec_reader.h"

static void read_values(struct reader *r, void *target, const struct field *field,
                        const struct yaml_pair *pair)
{
    (void)target, (void)field; /* they are the context's settings, as those of context single */
    if (pair->value->kind != YAML_MAP)
        yaml_fault(r->faults, pair->value, "'parameters' must be a map of names and values");
    else
        read_settings(r, &r->spec->context, "", pair->value);
}

void read_distributed(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    static const struct field fields[] = {
        {.name = "workers",
         .read = read_int,
         .offset = offsetof(struct gang_spec, workers),
         .min = 1,
         .max = MAX_GANG},
        {.name = "runtime",
         .read = read_choice,
         .offset = offsetof(struct gang_spec, runtime),
         .choices = "env|tensorflow|mpi"},
        {.name = "parameter_servers",
         .read = read_int,
         .offset = offsetof(struct gang_spec, parameter_servers),
         .max = MAX_GANG},
        {.name = "parameters", .read = read_values},
    };
    (void)target, (void)field; /* the whole section */
    READ_FIELDS(r, &r->spec->gang, fields, "distributed", pair->value);
}

void read_workers_per_trial(struct reader *r, void *target, const struct field *field,
                            const struct yaml_pair *pair)
{
    static const struct field workers = {.name = "workers_per_trial", .min = 1, .max = MAX_GANG};
    (void)target, (void)field; /* its range is not that of the table's line */
    read_int(r, &r->spec->gang.workers, &workers, pair);
}

static void check_section(struct reader *r, const struct yaml *root, const struct yaml_pair *section)
{
    bool is_context = strcmp(r->spec->context.name, "distributed") == 0;
    const struct yaml_pair *workers = section ? yaml_find_given(section->value, "workers") : NULL;
    const struct yaml_pair *values = section ? yaml_find_given(section->value, "parameters") : NULL;
    const struct yaml_pair *per_trial = yaml_find_given(root, "workers_per_trial");
    if (workers && per_trial)
        yaml_fault(r->faults, per_trial->key, "'distributed' has 'workers' already: give one of them");
    if (is_context && !workers && !per_trial)
        yaml_fault(r->faults, section ? section->key : root,
                   "context distributed needs to know on how many workers: distributed: {workers: 2}");
    if (values && !is_context)
        yaml_fault(r->faults, values->key, "'parameters' in 'distributed' is for context distributed only");
}

static void check_runtime(struct reader *r, const struct yaml_pair *section)
{
    const struct gang_spec *gang = &r->spec->gang;
    const struct yaml_pair *runtime = yaml_find_given(section->value, "runtime");
    const struct yaml_pair *servers = yaml_find_given(section->value, "parameter_servers");
    if (servers && gang->parameter_servers && gang->runtime != RUNTIME_TENSORFLOW)
        yaml_fault(r->faults, servers->key, "'parameter_servers' is for runtime tensorflow");
    else if (servers && gang->parameter_servers && gang->parameter_servers > gang->workers - 2)
        yaml_fault(r->faults, servers->value,
                   "of %lld workers at most %lld can be parameter servers: one is the chief and one works",
                   (long long)gang->workers, (long long)(gang->workers > 2 ? gang->workers - 2 : 0));
    if (runtime && gang->runtime == RUNTIME_MPI && r->spec->train.kind == TRAIN_COMMAND)
        yaml_fault(
            r->faults, runtime->value,
            "runtime mpi is for functions (train: {library: ..., function: ...}); a command that uses MPI "
            "by itself starts its ranks itself: command: [mpirun, -n, \"4\", ./program]");
}

void settle_gang(struct reader *r, const struct yaml *root)
{
    struct spec *spec = r->spec;
    const struct yaml_pair *section = yaml_find_given(root, "distributed");
    const struct yaml_pair *workers = yaml_find_given(root, "workers");
    if (section && section->value->kind != YAML_MAP)
        section = NULL; /* which is a fault already */
    check_section(r, root, section);
    if (section)
        check_runtime(r, section);
    if (!workers)
        spec->workers = spec->gang.workers;
    else if (spec->workers < spec->gang.workers)
        yaml_fault(r->faults, workers->value,
                   "a trial needs %lld workers at once, and 'workers' are %lld: no trial could start",
                   (long long)spec->gang.workers, (long long)spec->workers);
}

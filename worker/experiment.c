/* What a worker knows of an experiment. */
#include "worker/experiment.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "core/faults.h"
#include "core/text.h"

static void destroy(struct experiment *experiment)
{
    if (experiment->has_pattern)
        regfree(&experiment->pattern);
    /* So that a library which was built anew is loaded anew by the next experiment. */
    if (experiment->library)
        (void)dlclose(experiment->library); /* what fails to unload stays, which harms nobody */
    spec_destroy(experiment->spec);
    free(experiment->name);
    free(experiment);
}

static void read_spec(struct experiment *experiment, const char *spec, size_t size)
{
    struct faults faults = {0};
    int code = spec_parse(&experiment->spec, spec, size, experiment->name, NULL, 0, &faults);
    if (code == ERR_INVALID && faults.n > 0)
        (void)err_set(&experiment->fault, code, "this worker cannot read the experiment: %s",
                      faults.list[0].text);
    else if (code)
        (void)err_set(&experiment->fault, code, "this worker cannot read the experiment: %s",
                      err_string(code));
    faults_fini(&faults);
    if (code)
        experiment->spec = NULL;
}

static void compile_pattern(struct experiment *experiment)
{
    const char *pattern = experiment->spec->metric.pattern;
    if (!pattern)
        return;
    int code = regcomp(&experiment->pattern, pattern, REG_EXTENDED);
    if (code) {
        char text[128];
        (void)regerror(code, &experiment->pattern, text, sizeof text); /* a long text is cut */
        (void)err_set(&experiment->fault, ERR_INVALID, "metric.pattern '%s': %s", pattern, text);
    }
    experiment->has_pattern = !code;
}

struct experiment *experiment_read(struct id id, const char *name, const char *spec, size_t spec_size)
{
    struct experiment *experiment = calloc(1, sizeof *experiment);
    char *copy = strdup(name);
    if (!experiment || !copy) {
        free(experiment);
        free(copy);
        return NULL;
    }
    experiment->id = id;
    (void)id_format(id, experiment->id_text);
    experiment->name = copy;
    experiment->refs = 1;
    read_spec(experiment, spec, spec_size);
    if (experiment->spec)
        compile_pattern(experiment);
    return experiment;
}

struct experiment *experiment_ref(struct experiment *experiment)
{
    experiment->refs++;
    return experiment;
}

void experiment_unref(struct experiment *experiment)
{
    if (experiment && --experiment->refs == 0)
        destroy(experiment);
}

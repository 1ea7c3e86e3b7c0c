/* Parameters as text, for prova_string and prova_params_json. The handle has no room for them, on purpose:
 * nearly no trial asks. */
#include "sdk/trial_texts.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/spec.h"
#include "core/text.h"

/* Whose texts are kept. A trial object may be used again for the next trial, so its address says nothing. */
struct owner {
    const struct prova_trial *trial;
    uint64_t number, attempt;
    char experiment_id[40];
};

static struct {
    pthread_mutex_t lock;
    struct owner owner;
    size_t n;
    char **list; /* [n], a parameter each, then all as JSON; NULL: not asked for yet */
} texts = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct owner owner_of(const struct prova_trial *trial)
{
    struct owner owner = {.trial = trial, .number = trial->number, .attempt = trial->attempt};
    const char *id = trial->experiment_id ? trial->experiment_id : "";
    (void)strncpy(owner.experiment_id, id, sizeof owner.experiment_id - 1); /* an id has 36 characters */
    return owner;
}

static bool same_owner(const struct owner *a, const struct owner *b)
{
    return a->trial == b->trial && a->number == b->number && a->attempt == b->attempt &&
           !strcmp(a->experiment_id, b->experiment_id);
}

static int change_owner(const struct owner *owner, size_t n)
{
    char **list = calloc(n, sizeof *list);
    if (!list)
        return -1;
    for (size_t i = 0; i < texts.n; i++)
        free(texts.list[i]);
    free(texts.list);
    texts.list = list;
    texts.n = n;
    texts.owner = *owner;
    return 0;
}

static char *write_value(const struct prova_trial *trial, size_t index)
{
    const struct space *space = trial->spec->space;
    struct text text = {0};
    if (index < space->n_params)
        param_write_text(&text, &space->params[index], trial->point[index]);
    else
        space_write_json(&text, space, trial->point);
    return text_take(&text);
}

const char *trial_texts_get(const struct prova_trial *trial, size_t index)
{
    size_t n = trial->spec->space->n_params + 1;
    struct owner owner = owner_of(trial);
    const char *text = NULL;
    (void)pthread_mutex_lock(&texts.lock); /* cannot fail for a plain mutex */
    bool is_kept = texts.n == n && same_owner(&texts.owner, &owner);
    if (is_kept || !change_owner(&owner, n)) {
        if (!texts.list[index])
            texts.list[index] = write_value(trial, index);
        text = texts.list[index];
    }
    (void)pthread_mutex_unlock(&texts.lock);
    return text;
}

const char *trial_texts_json(const struct prova_trial *trial)
{
    return trial_texts_get(trial, trial->spec->space->n_params);
}

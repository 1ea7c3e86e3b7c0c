/* Watches by experiment: a change marks the experiment alone, and only marked ones are looked at. */
#include "driver/watch.h"

#include <stdbool.h>
#include <stdlib.h>
#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl == NULL */
#include <uthash.h>
#include <utlist.h>

#define MAX_INTERVAL_MS 3600000

struct watch {
    struct route route;
    uint64_t request;
    int64_t interval_ns;
    int64_t told_ns;      /* when it was told last; INT64_MIN: never */
    uint64_t told_change; /* number of the change that it was told of */
    uint64_t told_state;
    struct watch *prev, *next;
};

/* What is watched: one experiment. */
struct watched {
    int64_t key;
    struct id experiment;
    uint64_t n_changes;
    bool changed; /* in watches->changed: some watch is behind */
    struct watch *watches;
    struct watched *prev_changed, *next_changed;
    UT_hash_handle hh;
};

struct watches {
    struct watched *by_key;
    struct watched *changed;
    int64_t deadline_ns;
};

struct watches *watches_create(void)
{
    struct watches *watches = calloc(1, sizeof *watches);
    if (watches)
        watches->deadline_ns = INT64_MAX;
    return watches;
}

static void unmark(struct watches *watches, struct watched *watched)
{
    if (watched->changed)
        DL_DELETE2(watches->changed, watched, prev_changed, next_changed);
    watched->changed = false;
}

static void mark(struct watches *watches, struct watched *watched)
{
    watched->n_changes++;
    watches->deadline_ns = 0; /* a look decides who is due */
    if (watched->changed)
        return;
    watched->changed = true;
    DL_APPEND2(watches->changed, watched, prev_changed, next_changed);
}

static void remove_watch(struct watches *watches, struct watched *watched, struct watch *watch)
{
    DL_DELETE(watched->watches, watch);
    free(watch);
    if (watched->watches)
        return;
    unmark(watches, watched);
    HASH_DEL(watches->by_key, watched);
    free(watched);
}

void watches_destroy(struct watches *watches)
{
    if (!watches)
        return;
    struct watched *watched, *next;
    HASH_ITER(hh, watches->by_key, watched, next)
    {
        while (watched->watches->next)
            remove_watch(watches, watched, watched->watches);
        remove_watch(watches, watched, watched->watches);
    }
    free(watches);
}

static struct watched *find_or_create(struct watches *watches, int64_t key, struct id experiment)
{
    struct watched *watched;
    HASH_FIND(hh, watches->by_key, &key, sizeof key, watched);
    if (watched)
        return watched;
    watched = calloc(1, sizeof *watched);
    if (!watched)
        return NULL;
    watched->key = key;
    watched->experiment = experiment;
    HASH_ADD(hh, watches->by_key, key, sizeof watched->key, watched);
    if (watched->hh.tbl)
        return watched;
    free(watched);
    return NULL;
}

static struct watch *find_or_add(struct watched *watched, const struct route *route)
{
    struct watch *watch;
    DL_FOREACH(watched->watches, watch)
    {
        if (route_equal(&watch->route, route))
            return watch;
    }
    watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->route = *route;
    DL_APPEND(watched->watches, watch);
    return watch;
}

int watches_add(struct watches *watches, int64_t key, struct id experiment, const struct route *route,
                uint64_t request, uint64_t interval_ms)
{
    struct watched *watched = find_or_create(watches, key, experiment);
    if (!watched)
        return ERR_NOMEM;
    struct watch *watch = find_or_add(watched, route);
    if (!watch) {
        if (!watched->watches) {
            HASH_DEL(watches->by_key, watched);
            free(watched);
        }
        return ERR_NOMEM;
    }
    watch->request = request;
    watch->interval_ns = (int64_t)(interval_ms < MAX_INTERVAL_MS ? interval_ms : MAX_INTERVAL_MS) * 1000000;
    watch->told_ns = INT64_MIN;
    watch->told_change = watched->n_changes;
    mark(watches, watched);
    return 0;
}

void watches_forget(struct watches *watches, const struct route *route)
{
    struct watched *watched, *next_watched;
    HASH_ITER(hh, watches->by_key, watched, next_watched)
    {
        struct watch *watch, *next;
        DL_FOREACH_SAFE(watched->watches, watch, next)
        {
            if (route_equal(&watch->route, route)) {
                remove_watch(watches, watched, watch); /* a client has one of an experiment */
                break;
            }
        }
    }
}

void watches_changed(struct watches *watches, int64_t key)
{
    struct watched *watched;
    HASH_FIND(hh, watches->by_key, &key, sizeof key, watched);
    if (watched)
        mark(watches, watched);
}

/* Tells who is due; returns when the next one is. */
static int64_t serve(struct watched *watched, struct wire_status *status, const struct watch_teller *teller,
                     int64_t now_ns)
{
    int64_t next_ns = INT64_MAX;
    struct watch *watch;
    DL_FOREACH(watched->watches, watch)
    {
        if (watch->told_change == watched->n_changes)
            continue;
        bool never = watch->told_ns == INT64_MIN;
        int64_t due_ns = never ? now_ns : watch->told_ns + watch->interval_ns;
        if (due_ns > now_ns && watch->told_state == status->state) {
            next_ns = due_ns < next_ns ? due_ns : next_ns;
            continue;
        }
        watch->told_ns = now_ns;
        watch->told_change = watched->n_changes;
        watch->told_state = status->state;
        status->request = watch->request;
        teller->tell(teller->arg, &watch->route, status);
    }
    return next_ns;
}

void watches_serve(struct watches *watches, const struct watch_teller *teller, int64_t now_ns)
{
    if (watches->deadline_ns > now_ns)
        return;
    watches->deadline_ns = INT64_MAX;
    struct watched *watched, *next;
    DL_FOREACH_SAFE2(watches->changed, watched, next, next_changed)
    {
        struct wire_status status;
        int64_t next_ns = INT64_MAX;
        if (teller->status(teller->arg, &status, watched->experiment) == 0)
            next_ns = serve(watched, &status, teller, now_ns);
        if (next_ns == INT64_MAX)
            unmark(watches, watched);
        else if (next_ns < watches->deadline_ns)
            watches->deadline_ns = next_ns;
    }
}

int64_t watches_deadline(const struct watches *watches)
{
    return watches->deadline_ns;
}

void watches_each(struct watches *watches, void (*visit)(void *arg, const struct route *route), void *arg)
{
    for (struct watched *watched = watches->by_key; watched; watched = watched->hh.next) {
        struct watch *watch;
        DL_FOREACH(watched->watches, watch)
        {
            visit(arg, &watch->route);
        }
    }
}

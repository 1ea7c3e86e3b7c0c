/* The thread that computes suggestions. See driver/advisor.h.
 *
 * Three batches: `filling` belongs to the loop; `queue` and `answers` are shared under the lock; `working`
 * and `taken` belong to the thread and the loop. Handing over swaps or appends, so nothing is allocated per
 * item once the batches have grown. */
#include "driver/advisor.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl == NULL */
#include <uthash.h>

#include "core/log.h"

enum item_kind { ITEM_ASK, ITEM_OBSERVE, ITEM_ANSWER };

struct item {
    enum item_kind kind;
    int64_t key;
    const struct spec *spec;
    uint64_t first_trial, n;        /* of ASK and ANSWER */
    struct observation observation; /* of OBSERVE; its point is points[offset] */
    size_t offset;                  /* of OBSERVE and ANSWER: where its points begin */
};

struct batch {
    struct item *items;
    size_t n, capacity;
    double *points;
    size_t n_points, capacity_points;
};

struct seeker {
    int64_t key;
    struct search *search;
    UT_hash_handle hh;
};

struct advisor {
    struct batch filling, taken; /* of the loop */
    size_t next_taken;
    struct batch working; /* of the thread, */
    double *points;       /* as are the points of one answer, */
    size_t capacity_points;
    struct seeker *seekers; /* and the searches */

    pthread_mutex_t lock;
    pthread_cond_t wake; /* something is in `queue`, or `quit` */
    struct batch queue, answers;
    bool quit;
    struct err failure;

    int event_fd;
    pthread_t thread;
};

static void batch_fini(struct batch *batch)
{
    free(batch->items);
    free(batch->points);
}

static void batch_swap(struct batch *a, struct batch *b)
{
    struct batch swapped = *a;
    *a = *b;
    *b = swapped;
}

/* Makes room for one item more and n_points values; true on success. */
static bool batch_reserve(struct batch *batch, size_t n_items, size_t n_points)
{
    if (batch->capacity - batch->n < n_items) {
        size_t capacity = 2 * batch->capacity + n_items + 16;
        struct item *items = realloc(batch->items, capacity * sizeof *items);
        if (!items)
            return false;
        batch->items = items;
        batch->capacity = capacity;
    }
    if (batch->capacity_points - batch->n_points < n_points) {
        size_t capacity = 2 * batch->capacity_points + n_points + 64;
        double *points = realloc(batch->points, capacity * sizeof *points);
        if (!points)
            return false;
        batch->points = points;
        batch->capacity_points = capacity;
    }
    return true;
}

/* Adds a copy; item->offset is set. */
static int batch_add(struct batch *batch, const struct item *item, const double *points, size_t n_points)
{
    if (!batch_reserve(batch, 1, n_points))
        return ERR_NOMEM;
    struct item *added = &batch->items[batch->n++];
    *added = *item;
    added->offset = batch->n_points;
    if (n_points)
        memcpy(batch->points + batch->n_points, points, n_points * sizeof *points);
    batch->n_points += n_points;
    return 0;
}

/* Moves all of `from` behind `to`. */
static int batch_move(struct batch *to, struct batch *from)
{
    if (!to->n) {
        batch_swap(to, from);
    } else {
        if (!batch_reserve(to, from->n, from->n_points))
            return ERR_NOMEM;
        for (size_t i = 0; i < from->n; i++) {
            struct item *moved = &to->items[to->n + i];
            *moved = from->items[i];
            moved->offset += to->n_points;
        }
        if (from->n_points)
            memcpy(to->points + to->n_points, from->points, from->n_points * sizeof *from->points);
        to->n += from->n;
        to->n_points += from->n_points;
    }
    from->n = from->n_points = 0;
    return 0;
}

/* The thread */

/* What the search makes of the experiment, for the log. */
static void log_reason(const struct spec *spec, const struct search *search)
{
    struct text why = {0};
    search_explain(&why, search);
    if (why.size)
        log_info("search chosen experiment=%s search=%s why=\"%s\"", spec->name, spec->search.name,
                 text_get(&why));
    text_fini(&why);
}

static struct search *find_search(struct advisor *advisor, const struct item *item, struct err *err)
{
    struct seeker *seeker;
    HASH_FIND(hh, advisor->seekers, &item->key, sizeof item->key, seeker);
    if (seeker)
        return seeker->search;
    const struct spec *spec = item->spec;
    seeker = calloc(1, sizeof *seeker);
    if (!seeker)
        goto no_memory;
    seeker->key = item->key;
    if (search_create_for(&seeker->search, spec, err)) {
        free(seeker);
        return NULL;
    }
    if (search_warm_start(seeker->search, &spec->warm_start)) {
        search_destroy(seeker->search);
        goto no_memory;
    }
    HASH_ADD(hh, advisor->seekers, key, sizeof seeker->key, seeker);
    if (seeker->hh.tbl) {
        log_reason(spec, seeker->search);
        return seeker->search;
    }
    search_destroy(seeker->search);
no_memory:
    free(seeker);
    (void)err_set(err, ERR_NOMEM, "out of memory");
    return NULL;
}

/* The loop reads the counter to zero; a full one (2^64) cannot be. */
static void raise_event(struct advisor *advisor)
{
    uint64_t one = 1;
    (void)!write(advisor->event_fd, &one, sizeof one);
}

static int publish(struct advisor *advisor, const struct item *answer, size_t n_points)
{
    (void)pthread_mutex_lock(&advisor->lock);
    bool was_empty = !advisor->answers.n;
    int rc = batch_add(&advisor->answers, answer, advisor->points, n_points);
    (void)pthread_mutex_unlock(&advisor->lock);
    if (was_empty && !rc)
        raise_event(advisor);
    return rc;
}

static int answer(struct advisor *advisor, const struct item *item, struct search *search, struct err *err)
{
    size_t n_params = item->spec->space->n_params, needed = item->n * n_params;
    if (advisor->capacity_points < needed) {
        double *points = realloc(advisor->points, needed * sizeof *points);
        if (!points)
            return err_set(err, ERR_NOMEM, "out of memory");
        advisor->points = points;
        advisor->capacity_points = needed;
    }
    struct item reply = {.kind = ITEM_ANSWER, .key = item->key, .first_trial = item->first_trial};
    for (; reply.n < item->n; reply.n++) {
        int rc =
            search_suggest(advisor->points + reply.n * n_params, search, item->first_trial + reply.n, err);
        if (rc == ERR_EXHAUSTED)
            break;
        if (rc)
            return rc;
    }
    if (publish(advisor, &reply, reply.n * n_params))
        return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

static int serve(struct advisor *advisor, const struct item *item, struct err *err)
{
    struct search *search = find_search(advisor, item, err);
    if (!search)
        return err->code ? err->code : err_set(err, ERR_NOMEM, "out of memory");
    if (item->kind == ITEM_ASK)
        return answer(advisor, item, search, err);
    struct observation observation = item->observation;
    observation.point = advisor->working.points + item->offset;
    int rc = search_observe(search, &observation);
    return rc ? err_set(err, rc, "%s", err_string(rc)) : 0;
}

static bool must_quit(struct advisor *advisor)
{
    (void)pthread_mutex_lock(&advisor->lock);
    bool quit = advisor->quit;
    (void)pthread_mutex_unlock(&advisor->lock);
    return quit;
}

/* Waits for work; false: there will be none. */
static bool take_work(struct advisor *advisor)
{
    (void)pthread_mutex_lock(&advisor->lock);
    while (!advisor->queue.n && !advisor->quit)
        (void)pthread_cond_wait(&advisor->wake, &advisor->lock);
    bool quit = advisor->quit;
    if (!quit)
        batch_swap(&advisor->working, &advisor->queue);
    (void)pthread_mutex_unlock(&advisor->lock);
    return !quit;
}

static void fail(struct advisor *advisor, const struct err *err)
{
    (void)pthread_mutex_lock(&advisor->lock);
    advisor->failure = *err;
    (void)pthread_mutex_unlock(&advisor->lock);
    raise_event(advisor);
}

static void *run(void *arg)
{
    struct advisor *advisor = arg;
    while (take_work(advisor)) {
        for (size_t i = 0; i < advisor->working.n; i++) {
            struct err err = {0};
            const struct item *item = &advisor->working.items[i];
            if (serve(advisor, item, &err)) {
                (void)err_prefix(&err, "search '%s'", item->spec->search.name);
                fail(advisor, &err);
                return NULL;
            }
            if (item->kind == ITEM_ASK && must_quit(advisor))
                return NULL;
        }
        advisor->working.n = advisor->working.n_points = 0;
    }
    return NULL;
}

/* The loop's side */

/* Signals are for the threads of the program, not for this one. */
static int start_thread(struct advisor *advisor)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&advisor->thread, NULL, run, advisor);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int advisor_create(struct advisor **created, struct err *err)
{
    struct advisor *advisor = calloc(1, sizeof *advisor);
    if (!advisor)
        return err_set(err, ERR_NOMEM, "out of memory");
    (void)pthread_mutex_init(&advisor->lock, NULL); /* with default attributes they cannot fail on Linux */
    (void)pthread_cond_init(&advisor->wake, NULL);
    advisor->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int rc = advisor->event_fd < 0 ? errno : start_thread(advisor);
    if (!rc) {
        *created = advisor;
        return 0;
    }
    if (advisor->event_fd >= 0)
        (void)close(advisor->event_fd);
    (void)pthread_cond_destroy(&advisor->wake);
    (void)pthread_mutex_destroy(&advisor->lock);
    free(advisor);
    return err_set(err, ERR_IO, "cannot start a thread: %s", strerror(rc));
}

void advisor_destroy(struct advisor *advisor)
{
    if (!advisor)
        return;
    (void)pthread_mutex_lock(&advisor->lock);
    advisor->quit = true;
    (void)pthread_cond_signal(&advisor->wake);
    (void)pthread_mutex_unlock(&advisor->lock);
    (void)pthread_join(advisor->thread, NULL);
    struct seeker *seeker, *next;
    HASH_ITER(hh, advisor->seekers, seeker, next)
    {
        HASH_DEL(advisor->seekers, seeker);
        search_destroy(seeker->search);
        free(seeker);
    }
    batch_fini(&advisor->filling);
    batch_fini(&advisor->taken);
    batch_fini(&advisor->working);
    batch_fini(&advisor->queue);
    batch_fini(&advisor->answers);
    free(advisor->points);
    (void)close(advisor->event_fd);
    (void)pthread_cond_destroy(&advisor->wake);
    (void)pthread_mutex_destroy(&advisor->lock);
    free(advisor);
}

int advisor_ask(struct advisor *advisor, int64_t key, const struct spec *spec, uint64_t first_trial,
                uint64_t n)
{
    struct item item = {.kind = ITEM_ASK, .key = key, .spec = spec, .first_trial = first_trial, .n = n};
    return batch_add(&advisor->filling, &item, NULL, 0);
}

int advisor_observe(struct advisor *advisor, int64_t key, const struct spec *spec,
                    const struct observation *observation)
{
    struct item item = {.kind = ITEM_OBSERVE, .key = key, .spec = spec, .observation = *observation};
    return batch_add(&advisor->filling, &item, observation->point, spec->space->n_params);
}

void advisor_hand_over(struct advisor *advisor)
{
    if (!advisor->filling.n)
        return;
    (void)pthread_mutex_lock(&advisor->lock);
    if (batch_move(&advisor->queue, &advisor->filling) == 0)
        (void)pthread_cond_signal(&advisor->wake); /* else it stays, and goes with the next round */
    (void)pthread_mutex_unlock(&advisor->lock);
}

int advisor_event_fd(const struct advisor *advisor)
{
    return advisor->event_fd;
}

static void take_answers(struct advisor *advisor)
{
    uint64_t count;
    (void)!read(advisor->event_fd, &count, sizeof count); /* empty: nothing was published since */
    advisor->taken.n = advisor->taken.n_points = advisor->next_taken = 0;
    (void)pthread_mutex_lock(&advisor->lock);
    batch_swap(&advisor->taken, &advisor->answers);
    (void)pthread_mutex_unlock(&advisor->lock);
}

bool advisor_next(struct advice *advice, struct advisor *advisor)
{
    if (advisor->next_taken == advisor->taken.n)
        take_answers(advisor);
    if (advisor->next_taken == advisor->taken.n)
        return false;
    const struct item *item = &advisor->taken.items[advisor->next_taken++];
    *advice = (struct advice){item->key, item->first_trial, item->n, advisor->taken.points + item->offset};
    return true;
}

int advisor_failure(struct advisor *advisor, struct err *err)
{
    (void)pthread_mutex_lock(&advisor->lock);
    struct err failure = advisor->failure;
    (void)pthread_mutex_unlock(&advisor->lock);
    if (failure.code && err)
        *err = failure;
    return failure.code;
}

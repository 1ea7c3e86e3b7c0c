/* Any allocation may fail, whoever asks for it: then it is ERR_NOMEM, what was committed is there, and
 * nothing is leaked or touched twice. The allocator of this program fails on demand. */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "driver/store_query.h"
#include "tests/store/sample.h"

/* glibc's own, which the functions below stand in front of. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static atomic_long n_allocations, fail_from, fail_to; /* numbers from 1; 0: none */
static atomic_long n_live;                            /* blocks that were not freed */

/* The parsers are exempt: core tests its own failures, but libfyaml does not stand them all, and jansson
 * calls some of them faults of the text. */
static _Thread_local int is_exempt;

static bool fails(void)
{
    if (is_exempt)
        return false;
    long n = atomic_fetch_add(&n_allocations, 1) + 1;
    bool is_failing = n >= atomic_load(&fail_from) && n <= atomic_load(&fail_to);
    if (is_failing)
        errno = ENOMEM;
    return is_failing;
}

/* Visible, or the shared libraries would go on with the others. */
#define EVERYBODYS __attribute__((visibility("default")))

static void *count(void *memory)
{
    atomic_fetch_add(&n_live, memory != NULL);
    return memory;
}

EVERYBODYS void *malloc(size_t size)
{
    return fails() ? NULL : count(__libc_malloc(size));
}

EVERYBODYS void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : count(__libc_calloc(n, size));
}

EVERYBODYS void *realloc(void *memory, size_t size)
{
    if (!memory)
        return malloc(size);
    return fails() ? NULL : __libc_realloc(memory, size);
}

EVERYBODYS void free(void *memory)
{
    atomic_fetch_sub(&n_live, memory != NULL);
    __libc_free(memory);
}

int __real_spec_parse(struct spec **spec, const char *text, size_t size, const char *file,
                      const struct override *overrides, size_t n_overrides, struct faults *faults);
int __wrap_spec_parse(struct spec **spec, const char *text, size_t size, const char *file,
                      const struct override *overrides, size_t n_overrides, struct faults *faults);

int __wrap_spec_parse(struct spec **spec, const char *text, size_t size, const char *file,
                      const struct override *overrides, size_t n_overrides, struct faults *faults)
{
    is_exempt++;
    int rc = __real_spec_parse(spec, text, size, file, overrides, n_overrides, faults);
    is_exempt--;
    return rc;
}

json_t *__real_json_loads(const char *text, size_t flags, json_error_t *error);
json_t *__wrap_json_loads(const char *text, size_t flags, json_error_t *error);

json_t *__wrap_json_loads(const char *text, size_t flags, json_error_t *error)
{
    is_exempt++;
    json_t *json = __real_json_loads(text, flags, error);
    is_exempt--;
    return json;
}

static struct sample sample;

static int take_experiment(void *arg, const struct experiment_record *record, struct spec *spec,
                           struct err *err)
{
    (void)arg, (void)record, (void)err;
    spec_destroy(spec);
    return 0;
}

static int take_trial(void *arg, const struct trial_record *record, const struct curve *curve,
                      struct err *err)
{
    (void)record, (void)curve, (void)err;
    ++*(int *)arg;
    return 0;
}

static int append_trial(struct store *store, uint64_t number)
{
    struct report reports[20];
    for (int i = 0; i < 20; i++)
        reports[i] = (struct report){.step = i, .metric = (uint32_t)i % 2, .value = i};
    struct wire_str name = {"loss", 4};
    struct record records[] = {sample_trial(1, number, TRIAL_ASSIGNED, sample_sgd),
                               sample_report(1, number, 1, reports),
                               sample_attempt(1, number, 1, OUTCOME_COMPLETED),
                               sample_trial(1, number, TRIAL_COMPLETED, sample_adam)};
    records[1].reports.reports.n = 20;
    records[1].reports.names = (struct wire_strs){1, &name};
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        if (store_append(store, &records[i]) < 0)
            return ERR_NOMEM;
    return 0;
}

/* Opens, appends, commits, loads; every step only if the one before went well. */
static int live(struct err *err)
{
    struct store *store = NULL;
    int n_trials = 0;
    struct store_loader loader = {.experiment = take_experiment, .trial = take_trial, .arg = &n_trials};
    int rc = store_open(&store, sample.path, err);
    for (uint64_t i = 1; !rc && i <= 3; i++) {
        rc = append_trial(store, i);
        if (!rc)
            rc = store_sync(store, err);
    }
    if (!rc)
        rc = store_load(store, (struct id){{0}}, &loader, err);
    if (!rc && n_trials != 3)
        rc = err_set(err, ERR_INVALID, "%d trials", n_trials); /* Check asks for memory itself */
    int closing = store_close(store, err);
    return rc ? rc : closing;
}

static int ask(struct err *err)
{
    struct query *query = NULL;
    struct text text = {0};
    int rc = query_open(&query, sample.path, err);
    if (!rc)
        rc = query_show(query, "one", query_to_text(&text), err);
    if (!rc)
        rc = query_export_csv(query, "one", false, query_to_text(&text), err);
    query_close(query);
    text_fini(&text);
    return rc;
}

/* Does it with allocations first to last failing. Returns how many it asked for; *rc is its code. */
static long try(int *rc, int (*what)(struct err *), long first, long last)
{
    struct err err = {0};
    atomic_store(&n_allocations, 0);
    atomic_store(&fail_from, first);
    atomic_store(&fail_to, last);
    long n_before = atomic_load(&n_live);
    *rc = what(&err);
    long n_after = atomic_load(&n_live), n = atomic_load(&n_allocations);
    atomic_store(&fail_to, 0);
    ck_assert_msg(*rc == 0 || *rc == ERR_NOMEM, "allocation %ld: %d %s", first, *rc, err.text);
    ck_assert_msg(!first || n_after <= n_before, "allocation %ld: %ld blocks leak", first,
                  n_after - n_before);
    return n;
}

/* Fails the k-th allocation, alone and with all that follow it, for growing k. */
static void fail_everywhere(int (*what)(struct err *))
{
    int rc = 0, n_failed = 0;
    long n = try(&rc, what, 0, 0); /* libraries that keep memory from their first use on have it now */
    ck_assert_int_eq(rc, 0);
    for (long k = 1; k <= n; k += 1 + k / 64) {
        try(&rc, what, k, LONG_MAX);
        n_failed += rc == ERR_NOMEM;
        try(&rc, what, k, k);
        n_failed += rc == ERR_NOMEM;
    }
    ck_assert_int_gt(n_failed, 100);
}

static void set_up(void)
{
    sample_set_up(&sample);
    struct store *store = sample_open(&sample);
    sample_append(store, sample_experiment(&sample, 1, "one"));
    sample_append(store, sample_trial(1, 1, TRIAL_COMPLETED, sample_sgd));
    sample_close(store);
}

static void tear_down(void)
{
    sample_tear_down(&sample);
}

START_TEST(store_without_memory_says_so)
{
    fail_everywhere(live);
    ck_assert_str_eq(sample_text(&sample, "PRAGMA integrity_check"), "ok");
}
END_TEST

START_TEST(query_without_memory_says_so)
{
    fail_everywhere(ask);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *all = tcase_create("memory");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_set_timeout(all, 100);
    tcase_add_test(all, store_without_memory_says_so);
    tcase_add_test(all, query_without_memory_says_so);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

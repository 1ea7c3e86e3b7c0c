/* Items by trial number: against an array that has one for every number. */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/rng.h"
#include "optimizers/trial_table.h"

enum { MOST = 1000 };

struct item {
    uint64_t trial;
    char letter; /* an odd size */
};

static void check_all(const struct trial_table *table, const bool *is_there, struct item *const *places)
{
    uint64_t last = 0;
    for (uint64_t trial = 0; trial <= MOST; trial++) {
        const struct item *item = trial_table_find(table, trial);
        ck_assert_int_eq(item != NULL, is_there[trial]);
        if (!item)
            continue;
        ck_assert_uint_eq(item->trial, trial);
        ck_assert_int_eq(item->letter, 'a' + (char)(trial % 26));
        ck_assert_ptr_eq(item, places[trial]); /* it stays where it is */
        ck_assert_ptr_eq(trial_table_next(table, last), item);
        last = trial;
    }
    ck_assert_ptr_null(trial_table_next(table, last));
}

START_TEST(it_holds_what_was_added_and_not_removed)
{
    struct trial_table table;
    struct rng rng;
    bool is_there[MOST + 1] = {false};
    struct item *places[MOST + 1] = {NULL};
    rng_init(&rng, 1, 1);
    trial_table_init(&table, sizeof(struct item));
    for (int i = 0; i < 5000; i++) {
        uint64_t trial = 1 + rng_below(&rng, i < 2500 ? 200 : MOST);
        if (is_there[trial]) {
            trial_table_remove(&table, trial);
        } else {
            places[trial] = trial_table_add(&table, trial);
            ck_assert_ptr_nonnull(places[trial]);
            ck_assert_uint_eq(places[trial]->trial, trial);
            ck_assert_int_eq(places[trial]->letter, 0); /* also where another one was */
            places[trial]->letter = (char)('a' + (char)(trial % 26));
        }
        is_there[trial] = !is_there[trial];
        if (i % 50 == 0)
            check_all(&table, is_there, places);
    }
    trial_table_fini(&table);
}
END_TEST

START_TEST(numbers_that_were_never_there_are_not_found)
{
    struct trial_table table;
    trial_table_init(&table, sizeof(struct item));
    ck_assert_ptr_null(trial_table_find(&table, 1));
    ck_assert_ptr_null(trial_table_next(&table, 0));
    ck_assert_ptr_nonnull(trial_table_add(&table, 64));
    ck_assert_ptr_null(trial_table_find(&table, 0));
    ck_assert_ptr_null(trial_table_find(&table, 65));
    ck_assert_ptr_null(trial_table_find(&table, UINT64_MAX));
    ck_assert_ptr_null(trial_table_next(&table, 64));
    ck_assert_ptr_null(trial_table_next(&table, UINT64_MAX));
    ck_assert_ptr_null(trial_table_add(&table, UINT64_MAX)); /* no experiment is that large */
    ck_assert_ptr_nonnull(trial_table_find(&table, 64));
    trial_table_fini(&table);
}
END_TEST

START_TEST(a_page_is_given_back_with_its_last_item)
{
    struct trial_table table;
    trial_table_init(&table, sizeof(struct item));
    for (uint64_t trial = 1; trial <= 10000; trial++) {
        ck_assert_ptr_nonnull(trial_table_add(&table, trial));
        if (trial > 3)
            trial_table_remove(&table, trial - 3);
    }
    size_t n_pages = 0;
    for (size_t i = 0; i < table.n_pages; i++)
        n_pages += table.pages[i] != NULL;
    ck_assert_uint_le(n_pages, 2);
    trial_table_fini(&table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trial table");
    TCase *tcase = tcase_create("trial table");
    tcase_add_test(tcase, it_holds_what_was_added_and_not_removed);
    tcase_add_test(tcase, numbers_that_were_never_there_are_not_found);
    tcase_add_test(tcase, a_page_is_given_back_with_its_last_item);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}

/* What a sweep file and its tables say of points that are known before an experiment begins. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/err.h"
#include "tests/core/parse.h"
#include "tests/core/suite.h"

#define SPACE                                                                                                \
    "metric: {name: loss, goal: minimize}\n"                                                                 \
    "parameters:\n"                                                                                          \
    "  lr: {type: double, min: 0.001, max: 1.0, scale: log, default: 0.01}\n"                                \
    "  hidden: {min: 8, max: 256}\n"                                                                         \
    "  solver: {values: [sgd, 'a, \"b\"']}\n"                                                                \
    "  momentum: {type: double, min: 0, max: 1, when: {solver: sgd}}\n"                                      \
    "  data: {value: digits}\n"

static struct spec *spec;
static struct faults faults;

static void tear_down(void)
{
    spec_destroy(spec);
    spec = NULL;
    faults_fini(&faults);
}

/* Whole points are compared as JSON, which people can read. */
static void assert_point(size_t i, enum warm_kind kind, double value, const char *json)
{
    struct text text = {0};
    const struct warm_start *warm = &spec->warm_start;
    ck_assert_uint_lt(i, warm->n);
    ck_assert_int_eq((int)warm->list[i].kind, (int)kind);
    if (kind == WARM_VALUE)
        ck_assert_double_eq(warm->list[i].value, value);
    space_write_json(&text, spec->space, &warm->points[i * spec->space->n_params]);
    ck_assert_str_eq(text_get(&text), json);
    text_fini(&text);
}

static const char first[] =
    "{\"lr\":0.1,\"hidden\":32,\"solver\":\"sgd\",\"momentum\":0.5,\"data\":\"digits\"}";
static const char second[] = "{\"lr\":0.01,\"hidden\":64,\"solver\":\"a, \\\"b\\\"\",\"data\":\"digits\"}";

START_TEST(points_of_the_file_have_values_or_are_to_be_tried)
{
    spec = parse_spec(SPACE "warm_start:\n"
                            "  points:\n"
                            "  - {lr: 0.1, hidden: 32, solver: sgd, momentum: 0.5, loss: 0.25}\n"
                            "  - {hidden: 64, solver: 'a, \"b\"'}\n"
                            "  - {lr: 0.1, hidden: 32, solver: sgd, momentum: 0.5, value: .nan}\n");
    ck_assert_uint_eq(spec->warm_start.n, 3);
    assert_point(0, WARM_VALUE, 0.25, first);
    assert_point(1, WARM_TRY, 0, second);
    assert_point(2, WARM_FAILED, 0, first);
}
END_TEST

START_TEST(a_table_may_stand_in_the_file)
{
    spec = parse_spec(SPACE "warm_start:\n"
                            "  table: |\n"
                            "    lr, hidden, solver, momentum, loss, note\n"
                            "    0.1, 32, sgd, 0.5, 0.25, good\n"
                            "\n"
                            "    , 64, \"a, \"\"b\"\"\", , ,\n"
                            "    0.1, 32, sgd, 0.5, inf, \"two\n"
                            "    lines\"\n");
    ck_assert_uint_eq(spec->warm_start.n, 3);
    assert_point(0, WARM_VALUE, 0.25, first);
    assert_point(1, WARM_TRY, 0, second);
    assert_point(2, WARM_FAILED, 0, first);
}
END_TEST

START_TEST(an_export_is_a_table)
{
    static const char table[] =
        "trial,state,value,step,text,params.lr,params.hidden,params.solver,params.momentum,params.data\r\n"
        "1,COMPLETED,0.25,9,,0.1,32,sgd,0.5,digits\r\n"
        "2,RUNNING,,3,,0.2,32,sgd,0.5,digits\r\n"
        "3,FAILED,,,no memory,0.1,32,sgd,0.5,digits\r\n"
        "4,STOPPED,0.5,2,,0.01,64,\"a, \"\"b\"\"\",,digits\r\n"
        "5,STOPPED,,,,0.01,64,sgd,,digits\r\n";
    struct err err = {0};
    spec = parse_spec(SPACE);
    ck_assert_int_eq(
        warm_start_read_table(&spec->warm_start, spec->space, "loss", table, strlen(table), &err), 0);
    ck_assert_uint_eq(spec->warm_start.n, 3);
    assert_point(0, WARM_VALUE, 0.25, first);
    ck_assert_int_eq(spec->warm_start.list[0].step, 9);
    assert_point(1, WARM_FAILED, 0, first);
    assert_point(2, WARM_VALUE, 0.5, second);
}
END_TEST

START_TEST(what_was_read_survives_being_written)
{
    spec =
        parse_spec(SPACE "warm_start:\n"
                         "  points:\n"
                         "  - {lr: 0.1, hidden: 32, solver: sgd, momentum: 0.5, loss: 0.1000000000000001}\n"
                         "  - {hidden: 64, solver: 'a, \"b\"'}\n"
                         "  - {lr: 0.1, hidden: 32, solver: sgd, momentum: 0.5, value: .nan}\n");
    struct text json = {0};
    spec->warm_start.list[0].step = 12;
    spec_write_json(&json, spec);
    struct spec *before = spec;
    spec = parse_spec(text_get(&json));
    assert_point(0, WARM_VALUE, 0.1000000000000001, first);
    ck_assert_int_eq(spec->warm_start.list[0].step, 12);
    assert_point(1, WARM_TRY, 0, second);
    assert_point(2, WARM_FAILED, 0, first);
    struct text again = {0};
    spec_write_json(&again, spec);
    ck_assert_str_eq(text_get(&again), text_get(&json));
    text_fini(&again);
    text_fini(&json);
    spec_destroy(before);
}
END_TEST

START_TEST(rows_of_another_space_are_left_out_only_where_that_is_wanted)
{
    static const char rows[] = "lr,hidden,solver,momentum,value\n"
                               "0.1,32,sgd,0.5,0.25\n"
                               "7,32,sgd,0.5,0.25\n"
                               "0.1,32,adam,0.5,0.25\n";
    struct err err = {0};
    spec = parse_spec(SPACE);
    struct warm_start *warm = &spec->warm_start;
    ck_assert_int_eq(warm_start_read_table(warm, spec->space, "loss", rows, strlen(rows), &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "2 of 3 rows do not fit the space (row 3: 7 is outside 0.001 to 1 for 'lr'); "
                               "with 'unfit: skip' such rows are left out");
    spec_destroy(spec);
    spec = parse_spec(SPACE);
    warm = &spec->warm_start;
    warm->skips_unfit = true;
    ck_assert_int_eq(warm_start_read_table(warm, spec->space, "loss", rows, strlen(rows), &err), 0);
    ck_assert_uint_eq(warm->n, 1);
    ck_assert_uint_eq(warm->n_left_out, 2);
}
END_TEST

/* A bad section, and what is said of it. */
static const struct {
    const char *section, *fault;
} bad[] = {
    {"warm_start: {}", "8:1: error: 'warm_start' needs points, table, csv or experiment"},
    {"warm_start: {pionts: []}", "unknown key 'pionts' in warm_start; did you mean 'points'?"},
    {"warm_start: {points: 3}", "'points' must be a list of maps"},
    {"warm_start: {points: [3]}", "a point must be a map"},
    {"warm_start: {points: [{lr: 2, hidden: 9, solver: sgd, momentum: 0}]}",
     "2 is outside 0.001 to 1 for 'lr'"},
    {"warm_start: {points: [{hiden: 9}]}", "no parameter is called 'hiden'; did you mean 'hidden'?"},
    {"warm_start: {points: [{solver: sgd, momentum: 0.1}]}", "'hidden'"},
    {"warm_start: {points: [{hidden: 9, solver: sgd, momentum: 0, loss: 1}]}", "'lr'"},
    {"warm_start: {points: [{hidden: [9]}]}", "the value of 'hidden' must be a number or a text"},
    {"warm_start: {points: [{hidden: 9, loss: good}]}", "the value of a point must be a number"},
    {"warm_start: {table: [1]}", "'table' must be a text"},
    {"warm_start: {table: ''}", "the table is empty"},
    {"warm_start: {table: \"a,b\\n1,2\"}", "row 1: no column has the name of a parameter"},
    {"warm_start: {table: \"lr,lr\\n1,2\"}", "row 1: two columns are 'lr' and 'lr'"},
    {"warm_start: {table: \"lr,loss\\n1,2,3\"}", "row 2 has 3 fields, the first row 2"},
    {"warm_start: {table: \"lr,loss\\n\\\"1,2\"}", "row 2: a field in quotes has no end"},
    {"warm_start: {table: \"lr,loss\\n0.1,good\"}", "row 2: 'good' is no number for 'value'"},
    {"warm_start: {table: \"lr,state\\n0.1,good\"}", "row 2: 'good' is no state of a trial"},
    {"warm_start: {csv: x.csv, unfit: perhaps}", "'unfit' must be one of refuse, skip"},
    {"warm_start: {csv: x.csv, database: x.db}", "'experiment' is missing"},
};

START_TEST(bad_sections_are_told_with_their_place)
{
    char text[1024];
    struct text told = {0};
    (void)snprintf(text, sizeof text, "%s%s\n", SPACE, bad[_i].section);
    ck_assert_int_eq(spec_parse(&spec, text, strlen(text), "sweep.yaml", NULL, 0, &faults), ERR_INVALID);
    spec = NULL;
    faults_write(&told, &faults, "sweep.yaml");
    ck_assert_msg(strstr(text_get(&told), bad[_i].fault) != NULL, "%s\n%s", bad[_i].section, text_get(&told));
    ck_assert_uint_gt(faults.list[0].line, 0);
    text_fini(&told);
}
END_TEST

START_TEST(a_csv_is_read_from_beside_the_file)
{
    char folder[] = "/tmp/prova-warm-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/known.csv", folder);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    (void)fputs("\xef\xbb\xbfhidden,solver,lr\n64,\"a, \"\"b\"\"\",0.01\n", file);
    ck_assert_int_eq(fclose(file), 0);
    spec = parse_spec(SPACE "warm_start: {csv: known.csv}\n");
    char sweep[64];
    (void)snprintf(sweep, sizeof sweep, "%s/sweep.yaml", folder);
    ck_assert_int_eq(spec_read_warm_csv(spec, sweep, &faults), 0);
    assert_point(0, WARM_TRY, 0, second);
    ck_assert_ptr_null(spec->warm_start.csv);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(a_csv_that_is_not_there_is_a_fault_at_the_section)
{
    spec = parse_spec(SPACE "warm_start: {csv: nowhere.csv}\n");
    ck_assert_int_eq(spec_read_warm_csv(spec, "/nonexistent/sweep.yaml", &faults), ERR_INVALID);
    ck_assert_uint_eq(faults.n, 1);
    ck_assert_uint_eq(faults.list[0].line, 8);
    ck_assert_ptr_nonnull(strstr(faults.list[0].text, "cannot read '/nonexistent/nowhere.csv'"));
}
END_TEST

START_TEST(more_points_than_anybody_needs_are_refused)
{
    struct text table = {0};
    struct err err = {0};
    spec = parse_spec("parameters: {x: {type: double, min: 0, max: 1}}\n");
    text_append(&table, "x,value\n");
    for (int i = 0; i < WARM_MAX_CELLS / 4 + 1; i++)
        text_append(&table, "0.5,1\n");
    ck_assert_int_eq(warm_start_read_table(&spec->warm_start, spec->space, "objective", text_get(&table),
                                           table.size, &err),
                     ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "points for a warm start"));
    text_fini(&table);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("warm start");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, points_of_the_file_have_values_or_are_to_be_tried);
    tcase_add_test(tests, a_table_may_stand_in_the_file);
    tcase_add_test(tests, an_export_is_a_table);
    tcase_add_test(tests, what_was_read_survives_being_written);
    tcase_add_test(tests, rows_of_another_space_are_left_out_only_where_that_is_wanted);
    tcase_add_loop_test(tests, bad_sections_are_told_with_their_place, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tests, a_csv_is_read_from_beside_the_file);
    tcase_add_test(tests, a_csv_that_is_not_there_is_a_fault_at_the_section);
    /* AddressSanitizer with strict_string_checks reads the rest of the table at each of its numbers. */
#ifndef __SANITIZE_ADDRESS__
    tcase_add_test(tests, more_points_than_anybody_needs_are_refused);
#else
    (void)more_points_than_anybody_needs_are_refused;
#endif
    return run_case(tests);
}

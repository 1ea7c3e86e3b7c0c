/* CSV, record by record. */
#include <string.h>

#include "core/csv.h"
#include "core/err.h"
#include "tests/core/suite.h"

static char text[256];
static struct csv csv;
static struct faults faults;

static void begin(const char *content)
{
    ck_assert_uint_lt(strlen(content), sizeof text);
    strcpy(text, content);
    csv_init(&csv, text);
    faults = (struct faults){0};
}

static void end(void)
{
    csv_fini(&csv);
    faults_fini(&faults);
}

static void expect(unsigned line, size_t n, const char *const *fields)
{
    ck_assert_int_eq(csv_next(&csv, &faults), 1);
    ck_assert_uint_eq(csv.line, line);
    ck_assert_uint_eq(csv.n, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_str_eq(csv.fields[i].text, fields[i]);
}

#define EXPECT(line, ...)                                                                                    \
    expect(line, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),                                \
           (const char *const[]){__VA_ARGS__})

START_TEST(fields_are_divided_by_commas_and_records_by_lines)
{
    begin("a,b\n1,,3\r\n\n4");
    EXPECT(1, "a", "b");
    EXPECT(2, "1", "", "3");
    ck_assert_uint_eq(csv.fields[2].column, 4);
    EXPECT(4, "4");
    ck_assert_int_eq(csv_next(&csv, &faults), 0);
    end();
}
END_TEST

START_TEST(an_empty_last_field_is_one)
{
    begin("1,\n,\n");
    EXPECT(1, "1", "");
    EXPECT(2, "", "");
    ck_assert_int_eq(csv_next(&csv, &faults), 0);
    end();
}
END_TEST

START_TEST(quotes_hold_commas_quotes_and_lines)
{
    begin("\"a,\"\"b\"\"\",\"c\nd\"\n\"\",x");
    EXPECT(1, "a,\"b\"", "c\nd");
    EXPECT(3, "", "x");
    ck_assert(csv.fields[0].is_quoted);
    end();
}
END_TEST

START_TEST(a_byte_order_mark_is_passed_over)
{
    begin("\xef\xbb\xbf"
          "a");
    EXPECT(1, "a");
    end();
}
END_TEST

static const struct {
    const char *text, *fault;
    unsigned line, column;
} bad[] = {
    {"a\nb,\"c", "the quotes do not end", 2, 3},
    {"\"a\"b", "text behind the closing quote", 1, 1},
};

START_TEST(bad_quotes_are_a_fault_at_their_place)
{
    begin(bad[_i].text);
    int code;
    while ((code = csv_next(&csv, &faults)) > 0)
        continue;
    ck_assert_int_eq(code, ERR_INVALID);
    ck_assert_str_eq(faults.list[0].text, bad[_i].fault);
    ck_assert_uint_eq(faults.list[0].line, bad[_i].line);
    ck_assert_uint_eq(faults.list[0].column, bad[_i].column);
    end();
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("csv");
    tcase_add_test(tcase, fields_are_divided_by_commas_and_records_by_lines);
    tcase_add_test(tcase, an_empty_last_field_is_one);
    tcase_add_test(tcase, quotes_hold_commas_quotes_and_lines);
    tcase_add_test(tcase, a_byte_order_mark_is_passed_over);
    tcase_add_loop_test(tcase, bad_quotes_are_a_fault_at_their_place, 0, sizeof bad / sizeof *bad);
    return run_case(tcase);
}

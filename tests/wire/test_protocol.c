/* core/PROTOCOL.md says what core/wire.def says. With --print: writes the tables as they have to be there. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire.h"

#define BEGIN_MARK "<!-- messages: begin -->\n"
#define END_MARK   "<!-- messages: end -->\n"

static void write_tables(FILE *out)
{
    int k;
#define MESSAGE(name, NAME, id, sender, meaning)                                                             \
    fprintf(out, "\n### %s (%d), from the %s\n\n%s\n", #NAME, id, sender, meaning);                          \
    k = 0;
#define FIELD(kind, name, meaning)                                                                           \
    if (k++ == 0)                                                                                            \
        fprintf(out, "\n| # | field | kind | meaning |\n|---|---|---|---|\n");                               \
    fprintf(out, "| %d | `%s` | %s | %s |\n", k, #name, #kind, meaning);
#define END(name)
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END
    fprintf(out, "\n");
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s cannot be read", path);
    char *text = NULL;
    size_t capacity = 0;
    ssize_t size = getdelim(&text, &capacity, '\0', file);
    fclose(file);
    ck_assert_int_gt(size, 0);
    return text;
}

START_TEST(every_message_and_field_is_described)
{
    char *tables = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&tables, &size);
    write_tables(out);
    fclose(out);
    char *document = read_file(PROTOCOL_MD);
    char *begin = strstr(document, BEGIN_MARK), *end = strstr(document, END_MARK);
    ck_assert(begin && end && begin < end);
    *end = '\0';
    ck_assert_msg(
        strcmp(begin + strlen(BEGIN_MARK), tables) == 0,
        "the tables of core/PROTOCOL.md are not those of core/wire.def: put what `test_protocol --print` "
        "writes between its marks");
    free(document);
    free(tables);
}
END_TEST

START_TEST(the_version_is_named)
{
    char *document = read_file(PROTOCOL_MD);
    char line[32];
    snprintf(line, sizeof line, "version **%d**", WIRE_VERSION);
    ck_assert_ptr_nonnull(strstr(document, line));
    free(document);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--print") == 0) {
        write_tables(stdout);
        return EXIT_SUCCESS;
    }
    Suite *suite = suite_create("protocol");
    TCase *document = tcase_create("document");
    tcase_add_test(document, every_message_and_field_is_described);
    tcase_add_test(document, the_version_is_named);
    suite_add_tcase(suite, document);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

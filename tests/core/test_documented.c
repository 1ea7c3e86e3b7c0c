/* Each sweep file of the documentation is one; where a block of messages follows, it has exactly these
 * faults. */
#include <stdio.h>
#include <string.h>

#include "contexts/context.h"
#include "core/spec.h"
#include "tests/core/suite.h"

static char *read_document(const char *path)
{
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    char *text = NULL;
    size_t capacity = 0;
    ck_assert_int_gt((int)getdelim(&text, &capacity, '\0', file), 0);
    fclose(file);
    return text;
}

/* The text between "```KIND\n" and "```", terminated in place; *after is what follows. NULL: there is none.
 */
static char *take_block(char **after, char *from, const char *fence)
{
    char *start = strstr(from, fence);
    char *end = start ? strstr(start + strlen(fence), "\n```") : NULL;
    if (!end)
        return NULL;
    end[1] = '\0';
    *after = end + 4;
    return start + strlen(fence);
}

static void check_block(const char *yaml, const char *messages)
{
    struct faults faults = {0};
    struct text text = {0};
    struct spec *spec = NULL;
    int code = spec_parse_faulty(&spec, yaml, strlen(yaml), "sweep.yaml", NULL, 0, &faults);
    if (spec && context_check(spec, &faults) > 0)
        code = ERR_INVALID;
    faults_write(&text, &faults, "sweep.yaml");
    ck_assert_msg(strcmp(text_get(&text), messages) == 0, "%s\nhas the faults\n%s\nand not\n%s", yaml,
                  text_get(&text), messages);
    ck_assert_int_eq(code == 0, *messages == '\0');
    spec_destroy(spec);
    faults_fini(&faults);
    text_fini(&text);
}

static const struct {
    const char *path;
    int n_blocks, n_faulty; /* at least */
} pages[] = {{DOCS "/sweep-file.md", 10, 1}, {DOCS "/ablation.md", 1, 0}, {DOCS "/single.md", 1, 0}};

START_TEST(every_sweep_file_of_the_documentation_is_as_it_says)
{
    char *document = read_document(pages[_i].path), *at = document, *yaml;
    int n_blocks = 0, n_faulty = 0;
    for (; (yaml = take_block(&at, at, "```yaml\n")); n_blocks++) {
        bool has_messages = strncmp(at, "\n\n```text\n", 10) == 0;
        const char *messages = has_messages ? take_block(&at, at, "```text\n") : "";
        check_block(yaml, messages);
        n_faulty += has_messages;
    }
    ck_assert_int_ge(n_blocks, pages[_i].n_blocks);
    ck_assert_int_ge(n_faulty, pages[_i].n_faulty);
    free(document);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("documented");
    tcase_add_loop_test(tests, every_sweep_file_of_the_documentation_is_as_it_says, 0,
                        sizeof pages / sizeof *pages);
    return run_case(tests);
}

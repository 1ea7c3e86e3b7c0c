/* Any bytes as a line of a command: what is read lies within the line, and its first value survives being
 * written and read again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/trial.h"
#include "tests/fuzz/fuzz.h"
#include "worker/report_line.h"

static void check_round_trip(const struct report_line *line)
{
    char name[REPORT_LINE_NAME + 1], text[1024];
    struct report_line again;
    const struct report_pair *pair = &line->pairs[0];
    memcpy(name, pair->name, pair->size);
    name[pair->size] = '\0';
    int size = report_line_format(text, sizeof text, line->has_step ? line->step : -1, name, pair->value);
    if (size < 0)
        return; /* a name that is read, but that the writer is stricter about */
    if (report_line_parse(&again, text, (size_t)size - 1) || again.n != 1 ||
        again.has_step != line->has_step || again.step != line->step)
        abort();
    if (again.pairs[0].value != pair->value && !(isnan(again.pairs[0].value) && isnan(pair->value)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct report_line line;
    const char *text = (const char *)data;
    if (report_line_parse(&line, text, size))
        return 0;
    if (line.n == 0 || line.n > REPORT_LINE_PAIRS || !report_step_is_valid(line.step))
        abort();
    for (size_t i = 0; i < line.n; i++) {
        const struct report_pair *pair = &line.pairs[i];
        if (pair->name < text || pair->name + pair->size >= text + size || pair->size > REPORT_LINE_NAME)
            abort();
    }
    check_round_trip(&line);
    return 0;
}

/* The faults of one file, in the form in which compilers write theirs, and the name that a user may have
 * meant. */
#include "core/faults.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"

/* A file that is no sweep file at all may have a fault in each of its lines: nobody reads so many. */
#define MAX_WRITTEN 1000

void faults_fini(struct faults *faults)
{
    for (size_t i = 0; i < faults->n; i++)
        free(faults->list[i].text);
    free(faults->list);
    *faults = (struct faults){0};
}

static bool reserve(struct faults *faults)
{
    if (faults->n < faults->capacity)
        return true;
    size_t capacity = faults->capacity ? 2 * faults->capacity : 8;
    struct fault *list = realloc(faults->list, capacity * sizeof *list);
    if (!list)
        return false;
    faults->list = list;
    faults->capacity = capacity;
    return true;
}

void faults_add(struct faults *faults, unsigned line, unsigned column, const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) {
        faults->failed = ERR_NOMEM;
        return;
    }
    if (!reserve(faults)) {
        faults->failed = ERR_NOMEM;
        free(text);
        return;
    }
    faults->list[faults->n++] = (struct fault){line, column, text};
}

static int compare(const void *a, const void *b)
{
    const struct fault *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return strcmp(x->text, y->text);
}

void faults_write(struct text *out, struct faults *faults, const char *file)
{
    if (faults->n > 0)
        qsort(faults->list, faults->n, sizeof *faults->list, compare);
    for (size_t i = 0; i < faults->n && i < MAX_WRITTEN; i++) {
        const struct fault *fault = &faults->list[i];
        if (!file || !*file)
            text_printf(out, "%s\n", fault->text);
        else if (fault->line > 0)
            text_printf(out, "%s:%u:%u: error: %s\n", file, fault->line, fault->column, fault->text);
        else
            text_printf(out, "%s: error: %s\n", file, fault->text);
    }
    if (faults->n > MAX_WRITTEN)
        text_printf(out, "%s%sand %zu more; mend these first\n", file ? file : "",
                    file && *file ? ": error: " : "", faults->n - MAX_WRITTEN);
}

#define MAX_NAME 64

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned low = a < b ? a : b;
    return low < c ? low : c;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours. Case is free, so
 * that MAX finds max. Three rows of the table are enough. */
static unsigned distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    unsigned rows[3][MAX_NAME + 1];
    unsigned *two_up = rows[0], *up = rows[1], *row = rows[2];
    for (size_t j = 0; j <= n_b; j++)
        up[j] = (unsigned)j;
    for (size_t i = 1; i <= n_a; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n_b; j++) {
            row[j] = least(up[j] + 1, row[j - 1] + 1, up[j - 1] + !same(a[i - 1], b[j - 1]));
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                row[j] = least(row[j], two_up[j - 2] + 1, row[j]);
        }
        unsigned *free_row = two_up;
        two_up = up;
        up = row;
        row = free_row;
    }
    return up[n_b];
}

struct nearest nearest_begin(const char *word)
{
    unsigned n = (unsigned)strnlen(word, MAX_NAME + 1);
    unsigned limit =
        n > MAX_NAME ? 0 : (n + 1) / 3 + 1; /* a third, rounded: one slip in `mn`, two in `vales` */
    return (struct nearest){.word = word, .limit = limit};
}

/* What other tools call it, by their words and ours. */
static const char *const habits[][2] = {
    {"low", "min"},
    {"lower", "min"},
    {"high", "max"},
    {"upper", "max"},
    {"float", "double"},
    {"uniform", "double"},
    {"loguniform", "double"},
    {"log_uniform", "double"},
    {"integer", "int"},
    {"randint", "int"},
    {"choice", "categorical"},
    {"string", "categorical"},
    {"choices", "values"},
    {"list", "values"},
    {"distribution", "type"},
    {"log", "scale"},
    {"q", "step"},
    {"max", "maximize"},
    {"min", "minimize"},
    {"mode", "goal"},
    {"direction", "goal"},
    {"objective", "metric"},
    {"method", "search"},
    {"algorithm", "search"},
    {"sampler", "search"},
    {"scheduler", "schedule"},
    {"pruner", "stopping"},
    {"early_terminate", "stopping"},
    {"params", "parameters"},
    {"space", "parameters"},
    {"search_space", "parameters"},
    {"program", "train"},
    {"command", "train"},
    {"n_trials", "limits"},
    {"max_trials", "limits"},
    {"bayes", "tpe"},
};

static bool is_habit(const char *word, const char *name)
{
    for (size_t i = 0; i < sizeof habits / sizeof *habits; i++) {
        if (strcmp(habits[i][0], word) == 0 && strcmp(habits[i][1], name) == 0)
            return true;
    }
    return false;
}

void nearest_offer(struct nearest *nearest, const char *name)
{
    if (nearest->limit > 0 && is_habit(nearest->word, name)) {
        nearest->name = name;
        nearest->limit = 0; /* nothing is nearer */
    }
    size_t n = strlen(name);
    if (nearest->limit == 0 || n > MAX_NAME)
        return;
    unsigned d = distance(nearest->word, strlen(nearest->word), name, n);
    if (d < nearest->limit) {
        nearest->limit = d;
        nearest->name = name;
    }
}

const char *nearest_name(const char *word, const char *const *names, size_t n)
{
    struct nearest nearest = nearest_begin(word);
    for (size_t i = 0; i < n; i++)
        nearest_offer(&nearest, names[i]);
    return nearest.name;
}

/* What a suggestion costs: CPU of one ask and its tell, with so many results told before.
 *
 *   bench_ask SEARCH doubles|mixed|blind OBSERVED CYCLES
 *
 * {"us": mean CPU of a cycle, "per_s"}. doubles: ten of them; mixed: 8 doubles, 6 integers and 6 categories.
 * The results told before are of points drawn by random search; a first cycle, which fits what there is to
 * fit anew, is not counted, as it happens once in a search. blind: ten doubles, the cycles timed all together
 * and told any value, for searches that do not look at values and take less than the clock does.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/measure.h"
#include "sdk/prova.h"

#define SEED      7
#define MAX_SPACE 4096

struct count {
    const char *prefix, *form;
    int doubles, mixed; /* how many of it in each space */
};

static const struct count counts[] = {
    {"x", "{type: double, min: 0, max: 1}", 10, 4},
    {"l", "{type: double, min: 1.0e-5, max: 1, scale: log}", 0, 4},
    {"n", "{type: int, min: 1, max: 20}", 0, 6},
    {"c", "{values: [a, b, c, d]}", 0, 6},
};

/* Calls a function for the name of each parameter. */
static void for_each(bool is_mixed, void (*visit)(const char *name, const struct count *count, void *arg),
                     void *arg)
{
    char name[16];
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        for (int i = 0; i < (is_mixed ? counts[k].mixed : counts[k].doubles); i++) {
            (void)snprintf(name, sizeof name, "%s%d", counts[k].prefix, i); /* fits: a letter and a digit */
            visit(name, &counts[k], arg);
        }
    }
}

static void append(const char *name, const struct count *count, void *arg)
{
    char *space = arg;
    size_t used = strlen(space);
    int n = snprintf(space + used, MAX_SPACE - used, "%s%s: %s", used > 1 ? ", " : "", name, count->form);
    if (n < 0 || (size_t)n >= MAX_SPACE - used)
        bench_fail("the space does not fit");
}

static prova_search *open_search(const char *name, bool is_mixed)
{
    char space[MAX_SPACE + 1] = "{", error[500];
    for_each(is_mixed, append, space);
    strcat(space, "}"); /* append leaves room for it */
    prova_search *search = prova_search_new(space, name, NULL, "minimize", SEED, error, sizeof error);
    if (!search)
        bench_fail("search %s: %s", name, error);
    return search;
}

struct reading {
    prova_search *search;
    int64_t number;
    double value;
};

/* A bowl whose sides differ, the same as in optuna_ask.py. */
static void add_term(const char *name, const struct count *count, void *arg)
{
    struct reading *reading = arg;
    double weight = 1 + (name[1] - '0'), number = prova_search_double(reading->search, reading->number, name);
    double offset = 0;
    if (count->prefix[0] == 'x')
        offset = number - 0.3;
    else if (count->prefix[0] == 'l')
        offset = (log10(number) + 2) / 5;
    else if (count->prefix[0] == 'n')
        offset = (number - 7) / 20;
    else
        offset = (prova_search_string(reading->search, reading->number, name)[0] - 'a') / 4.0;
    reading->value += weight * offset * offset;
}

static double value_of(prova_search *search, int64_t number, bool is_mixed)
{
    struct reading reading = {.search = search, .number = number};
    for_each(is_mixed, add_term, &reading);
    return reading.value;
}

/* Tells results of random points. */
static void prepare(prova_search *search, bool is_mixed, long n_observed)
{
    prova_search *source = open_search("random", is_mixed);
    for (long i = 0; i < n_observed; i++) {
        char error[500];
        int64_t number;
        if (prova_search_ask(source, &number) < 0)
            bench_fail("the random points ran out");
        if (prova_search_add(search, prova_search_json(source, number), value_of(source, number, is_mixed),
                             NULL, error, sizeof error) < 0)
            bench_fail("a point was refused: %s", error);
    }
    prova_search_free(source);
}

static int64_t cpu_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) < 0)
        bench_fail("no clock of CPU time");
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t ask(prova_search *search)
{
    int64_t number;
    int code = prova_search_ask(search, &number);
    if (code < 0)
        bench_fail("ask: %s", prova_strerror(code));
    return number;
}

static void tell(prova_search *search, int64_t number, double value)
{
    int code = prova_search_tell(search, number, value);
    if (code < 0)
        bench_fail("tell: %s", prova_strerror(code));
}

static double cycles_us(prova_search *search, bool is_mixed, long n_cycles)
{
    int64_t total = 0;
    for (long i = 0; i < n_cycles; i++) {
        int64_t begin = cpu_ns();
        int64_t number = ask(search);
        total += cpu_ns() - begin;
        double value = value_of(search, number, is_mixed);
        begin = cpu_ns();
        tell(search, number, value);
        total += cpu_ns() - begin;
    }
    return 1e-3 * (double)total;
}

static double blind_cycles_us(prova_search *search, long n_cycles)
{
    int64_t begin = cpu_ns();
    for (long i = 0; i < n_cycles; i++)
        tell(search, ask(search), (double)i);
    return 1e-3 * (double)(cpu_ns() - begin);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        bench_fail("usage: bench_ask SEARCH doubles|mixed|blind OBSERVED CYCLES");
    bool is_mixed = strcmp(argv[2], "mixed") == 0, is_blind = strcmp(argv[2], "blind") == 0;
    long n_observed = strtol(argv[3], NULL, 10), n_cycles = bench_number(argv[4]);
    prova_search *search = open_search(argv[1], is_mixed);
    prepare(search, is_mixed, n_observed);

    (void)cycles_us(search, is_mixed, 1); /* the first is not counted */
    double us = is_blind ? blind_cycles_us(search, n_cycles) : cycles_us(search, is_mixed, n_cycles);
    printf("{\"us\": %.3f, \"per_s\": %.0f}\n", us / (double)n_cycles, 1e6 * (double)n_cycles / us);
    prova_search_free(search);
    return 0;
}

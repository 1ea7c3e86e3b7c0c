/* Runs a fuzz target without a fuzzer: every file of the folders that it is given, and mutations of each,
 * which are the same every time. PROVA_FUZZ_MUTATIONS says how many a file gets (200). An input is handed
 * over in a block of its own size, so that a sanitizer sees every byte read past its end. A crash prints what
 * it was: file and mutation, and with these as arguments (`fuzz_sweep FILE 117`) that one alone is run. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/rng.h"
#include "tests/fuzz/fuzz.h"

#define MAX_SIZE (1u << 20)

struct input {
    uint8_t *data;
    size_t size;
};

/* What the signal handler prints. */
static char current[512];

static void say_current(int signal)
{
    static const char text[] = "crashed at: ";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0 || write(STDERR_FILENO, current, strlen(current)) < 0)
        _exit(1);
    (void)signal; /* the default action follows, by SA_RESETHAND */
    raise(signal);
}

static void die(const char *what, const char *path)
{
    fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
    exit(2);
}

static struct input read_input(const char *path)
{
    struct input input = {malloc(MAX_SIZE), 0};
    FILE *file = fopen(path, "rb");
    if (!file || !input.data)
        die("cannot read", path);
    input.size = fread(input.data, 1, MAX_SIZE, file);
    fclose(file);
    return input;
}

static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact)
        die("no memory for", current);
    if (size > 0)
        memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size); /* always 0 */
    free(exact);
}

/* Bytes that formats treat in their own way: YAML's signs, msgpack's heads, ends of ranges. */
static const uint8_t special[] = "{}[]:,-?&*!|>'\"%@`#~\n\t \0.$0e+\x7f\x80\xc0\xc1\xdc\xdd\xde\xdf\xff";

static void remove_range(struct input *in, size_t at, size_t n)
{
    n = n < in->size - at ? n : in->size - at;
    memmove(in->data + at, in->data + at + n, in->size - at - n);
    in->size -= n;
}

/* Puts a copy of a piece of itself somewhere else. */
static void copy_range(struct input *in, size_t to, size_t from, size_t n)
{
    n = n < in->size - from ? n : in->size - from;
    n = n < MAX_SIZE - in->size ? n : MAX_SIZE - in->size;
    uint8_t *piece = malloc(n ? n : 1);
    if (!piece)
        die("no memory for", current);
    memcpy(piece, in->data + from, n);
    memmove(in->data + to + n, in->data + to, in->size - to);
    memcpy(in->data + to, piece, n);
    in->size += n;
    free(piece);
}

static void mutate_once(struct input *in, struct rng *rng)
{
    if (in->size == 0)
        return;
    size_t at = rng_below(rng, in->size), n = 1 + rng_below(rng, 16);
    switch (rng_below(rng, 6)) {
    case 0:
        in->data[at] ^= (uint8_t)(1u << rng_below(rng, 8));
        break;
    case 1:
        in->data[at] = special[rng_below(rng, sizeof special)];
        break;
    case 2:
        in->data[at] = (uint8_t)rng_next(rng);
        break;
    case 3:
        remove_range(in, at, n);
        break;
    case 4:
        copy_range(in, at, rng_below(rng, in->size), n * rng_below(rng, 8));
        break;
    default:
        in->size = rng_below(rng, 4) == 0 ? at : in->size; /* cut, now and then */
        break;
    }
}

/* Mutation 0 is the file itself. */
static void run_mutation(const struct input *file, const char *path, unsigned k)
{
    (void)snprintf(current, sizeof current, "%s %u\n", path, k);
    struct input input = {malloc(MAX_SIZE), file->size};
    if (!input.data)
        die("no memory for", path);
    memcpy(input.data, file->data, file->size);
    struct rng rng;
    rng_init(&rng, file->size, k);
    for (uint64_t n = k ? 1 + rng_below(&rng, 6) : 0; n > 0; n--)
        mutate_once(&input, &rng);
    run(input.data, input.size);
    free(input.data);
}

static unsigned n_mutations(void)
{
    const char *text = getenv("PROVA_FUZZ_MUTATIONS");
    return text ? (unsigned)strtoul(text, NULL, 10) : 200;
}

static size_t run_file(const char *path)
{
    struct input file = read_input(path);
    unsigned n = n_mutations();
    for (unsigned k = 0; k <= n; k++)
        run_mutation(&file, path, k);
    free(file.data);
    return (size_t)n + 1;
}

static size_t run_folder(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0)
        die("cannot read", path);
    size_t n_runs = 0;
    for (int i = 0; i < n; i++) {
        char file[4096];
        struct stat status;
        (void)snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (stat(file, &status) == 0 && S_ISREG(status.st_mode))
            n_runs += run_file(file);
        free(entries[i]);
    }
    free(entries);
    return n_runs;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = say_current, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGABRT, &action, NULL);
    (void)sigaction(SIGSEGV, &action, NULL);
    if (argc == 3 && argv[2][strspn(argv[2], "0123456789")] == '\0') {
        struct input file = read_input(argv[1]);
        run_mutation(&file, argv[1], (unsigned)strtoul(argv[2], NULL, 10));
        free(file.data);
        return 0;
    }
    size_t n_runs = 0;
    for (int i = 1; i < argc; i++)
        n_runs += run_folder(argv[i]);
    printf("%zu inputs\n", n_runs);
    return n_runs > 0 ? 0 : 1; /* a corpus that is gone is no success */
}

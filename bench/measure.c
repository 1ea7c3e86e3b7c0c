/* Clocks, quantiles and a look into /proc, for the measuring programs. */
#include "bench/measure.h"

#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

void bench_fail(const char *format, ...)
{
    va_list args;

    fputs("bench: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

int64_t bench_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void *bench_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        bench_fail("no shared memory of %zu bytes", size);
    return memory;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_quantile(double *values, size_t n, double q)
{
    if (n == 0)
        return NAN;
    qsort(values, n, sizeof(*values), compare_doubles);
    return values[(size_t)(q * (double)(n - 1) + 0.5)];
}

long bench_number(const char *argument)
{
    char *end;
    long number = strtol(argument, &end, 10);

    if (*end != '\0' || number <= 0)
        bench_fail("'%s' is no positive number", argument);
    return number;
}

static double usage_s(int who)
{
    struct rusage usage;

    if (getrusage(who, &usage) != 0)
        bench_fail("getrusage failed");
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

double bench_cpu_s(void)
{
    return usage_s(RUSAGE_SELF) + usage_s(RUSAGE_CHILDREN);
}

/* The first bytes of /proc/PID/NAME, terminated; returns how many, 0 if there are none. */
static size_t read_proc(char *text, size_t size, long pid, const char *name)
{
    char path[600];
    FILE *file;
    size_t n;

    snprintf(path, sizeof(path), "/proc/%ld/%s", pid, name);
    file = fopen(path, "r");
    if (!file)
        return 0;
    n = fread(text, 1, size - 1, file);
    fclose(file);
    text[n] = '\0';
    return n;
}

double bench_process_cpu_s(pid_t pid)
{
    char path[64], name[300], text[128];
    double total = 0;
    struct dirent *entry;
    DIR *tasks;

    snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
    tasks = opendir(path);
    if (!tasks)
        return 0;
    while ((entry = readdir(tasks))) {
        snprintf(name, sizeof(name), "task/%s/schedstat", entry->d_name);
        if (isdigit((unsigned char)entry->d_name[0]) && read_proc(text, sizeof(text), pid, name) > 0)
            total += 1e-9 * strtod(text, NULL);
    }
    closedir(tasks);
    return total;
}

double bench_process_memory(pid_t pid)
{
    char text[4096];
    const char *line;

    if (read_proc(text, sizeof(text), pid, "status") == 0)
        return 0;
    line = strstr(text, "RssAnon:");
    return line ? 1024 * strtod(line + strlen("RssAnon:"), NULL) : 0;
}

static pid_t parent_of(pid_t pid)
{
    char text[512];
    const char *after_name;

    if (read_proc(text, sizeof(text), pid, "stat") == 0)
        return 0;
    after_name = strrchr(text, ')');
    return after_name && strlen(after_name) > 4 ? (pid_t)strtol(after_name + 4, NULL, 10) : 0;
}

static int descends_from(pid_t pid, pid_t ancestor)
{
    while (pid > 1 && pid != ancestor)
        pid = parent_of(pid);
    return pid == ancestor;
}

double bench_tree_cpu_s(pid_t top)
{
    DIR *all = opendir("/proc");
    struct dirent *entry;
    double total = 0;

    while (all && (entry = readdir(all))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && descends_from(pid, top))
            total += bench_process_cpu_s(pid);
    }
    if (all)
        closedir(all);
    return total;
}

static int has_argument(pid_t pid, const char *word)
{
    char text[4096];
    size_t n = read_proc(text, sizeof(text), pid, "cmdline");

    for (size_t at = 0; at < n; at += strlen(text + at) + 1)
        if (strcmp(text + at, word) == 0)
            return 1;
    return 0;
}

pid_t bench_find_process(pid_t ancestor, const char *word)
{
    DIR *all = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;

    while (all && !found && (entry = readdir(all))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && pid != ancestor && has_argument(pid, word) && descends_from(pid, ancestor))
            found = pid;
    }
    if (all)
        closedir(all);
    return found;
}

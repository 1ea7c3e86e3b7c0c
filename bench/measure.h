#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the measuring programs share. They are run by bench/run, print one JSON object of figures on stdout,
 * and give up with a message when anything goes wrong: a figure is right or absent. */

/* Prints the message and ends the program. */
void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Monotonic nanoseconds, comparable between processes. */
int64_t bench_now_ns(void);
/* Zeroed memory that is shared with processes forked later. Never NULL. */
void *bench_shared(size_t size);
/* The q-quantile, 0 <= q <= 1, nearest rank; sorts `values`. NaN if n is 0. */
double bench_quantile(double *values, size_t n, double q);
/* Reads a positive decimal number from an argument, or gives up. */
long bench_number(const char *argument);

/* Seconds of CPU that this process and all children that it has waited for have used. */
double bench_cpu_s(void);
/* Seconds of CPU of one running process, all threads, from /proc; 0 if it is gone. */
double bench_process_cpu_s(pid_t pid);
/* The same of a running process and all its running descendants together. */
double bench_tree_cpu_s(pid_t top);
/* Memory in use by a running process, without what it shares with files; bytes; 0 if it is gone. */
double bench_process_memory(pid_t pid);
/* A descendant of `ancestor` (a child, or a child's child, ...) whose command line has the argument `word`;
 * 0: none. */
pid_t bench_find_process(pid_t ancestor, const char *word);

#endif

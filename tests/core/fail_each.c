/* The linker sends the allocations of the program's own objects here (--wrap). */
#include "tests/core/fail_each.h"

#include <check.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/err.h"

static long countdown = -1; /* allocations until the one that fails; negative: none does */
static long n_failed;

static bool fails(void)
{
    if (countdown < 0 || countdown-- > 0)
        return false;
    n_failed++;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *string);
int __real_vasprintf(char **text, const char *format, va_list args);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *string);
int __wrap_vasprintf(char **text, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *string)
{
    return fails() ? NULL : __real_strdup(string);
}

int __wrap_vasprintf(char **text, const char *format, va_list args)
{
    return fails() ? -1 : __real_vasprintf(text, format, args);
}

void fail_each_abort(const char *condition, const char *file, int line)
{
    countdown = -1;
    ck_abort_msg("%s:%d: %s", file, line, condition);
    abort(); /* with CK_FORK=no it comes back */
}

void fail_each(int (*attempt)(void), int otherwise)
{
    for (long k = 0;; k++) {
        countdown = k;
        n_failed = 0;
        int code = attempt();
        countdown = -1;
        if (n_failed == 0) {
            ck_assert_int_eq(code, otherwise);
            ck_assert_int_gt(k, 0); /* it does allocate */
            return;
        }
        ck_assert_msg(code == ERR_NOMEM || code == otherwise, "allocation %ld: %d", k, code);
    }
}

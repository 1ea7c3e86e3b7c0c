#ifndef TESTS_CORE_FAIL_EACH_H
#define TESTS_CORE_FAIL_EACH_H

/* Runs `attempt` with its k-th allocation failing, for k = 0, 1, ... until there are no more: it must return
 * ERR_NOMEM, or `otherwise` where it can do without; undisturbed, `otherwise`. Those allocations fail that
 * this build's own code makes, not those within the C library or others. What leaks is seen by the
 * sanitizer's build. Link fail_each. */
void fail_each(int (*attempt)(void), int otherwise);

/* Within an attempt, for Check's own assertions allocate: these do not, while they hold. */
#define REQUIRE(condition) ((condition) ? (void)0 : fail_each_abort(#condition, __FILE__, __LINE__))
_Noreturn void fail_each_abort(const char *condition, const char *file, int line);

#endif

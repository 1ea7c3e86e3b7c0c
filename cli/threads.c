/* OpenBLAS, behind GSL, starts a thread a core when it is loaded. Our matrices are small and our processes
 * many: the threads would only spin beside the workers. Worse, signals that we block and wait for would be
 * delivered to them, with their default action. An environment variable would have to be set before the
 * program starts, so the pool is shut down instead, by the function that OpenBLAS itself calls before a fork.
 * Both are weak: another BLAS has no such threads. */
#include "cli/threads.h"

#include <stddef.h>

extern void openblas_set_num_threads(int n) __attribute__((weak));
extern int blas_thread_shutdown_(void) __attribute__((weak));

void threads_end(void)
{
    if (openblas_set_num_threads)
        openblas_set_num_threads(1); /* first, or the pool would be made anew when it is needed */
    if (blas_thread_shutdown_)
        (void)blas_thread_shutdown_(); /* always 0 */
}

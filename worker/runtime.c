/* The runtimes: one line each, in the order of enum runtime. */
#include "worker/runtime.h"

#define RUNTIMES(X) X(env) X(tensorflow) X(mpi)

#define RUNTIME_EXTERN(name) extern const struct runtime_type runtime_##name;
RUNTIMES(RUNTIME_EXTERN)

const struct runtime_type *runtime_find(enum runtime runtime)
{
#define RUNTIME_ADDRESS(name) &runtime_##name,
    static const struct runtime_type *const types[] = {RUNTIMES(RUNTIME_ADDRESS)};
    return types[runtime];
}

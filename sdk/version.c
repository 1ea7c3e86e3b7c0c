/* Version and error codes, as the public interface says them. */
#include "sdk/prova.h"

#include "core/err.h"
#include "version.h"

#define PROVA_ENOT_FOUND PROVA_ENOTFOUND /* the one name that differs */
#define ERR(name, number, text)                                                                              \
    _Static_assert((int)PROVA_E##name == number, "prova.h and core/err.def say the same of " #name);
#include "core/err.def"
#undef ERR

const char *prova_version(void)
{
    return PROVA_VERSION;
}

const char *prova_strerror(int code)
{
    return err_string(code);
}

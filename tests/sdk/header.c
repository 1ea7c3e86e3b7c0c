/* prova.h needs nothing before it. */
#include "prova.h"

int header_is_self_contained(prova_trial *trial);

int header_is_self_contained(prova_trial *trial)
{
    return prova_report(trial, 1, prova_double(trial, "lr")) ? prova_fail(trial, "stopped at %d", 1)
                                                             : PROVA_OK;
}

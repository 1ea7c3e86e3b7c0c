#ifndef SDK_ENV_TRIAL_H
#define SDK_ENV_TRIAL_H

#include <stdbool.h>

#include "core/spec.h"
#include "sdk/prova.h"

/* One trial of a command sweep, from inside the command: parameters come from the environment, reports go to
 * the FIFO in the trial's directory, and SIGTERM asks it to stop. So a program that calls prova_lagom may
 * itself be the command of somebody else's sweep, unchanged. */

/* Does the environment say that this process is a trial? */
bool env_trial_is_here(void);
/* Runs the function once and fills *result. `spec` (NULL: none) is what the program itself would have
 * searched: it tells which parameters are conditional, and gives defaults to those that the sweep does not
 * have. */
void env_trial_run(prova_result *result, prova_train_fn train, void *arg, const struct spec *spec);

#endif

#ifndef SDK_TRIAL_TEXTS_H
#define SDK_TRIAL_TEXTS_H

#include <stddef.h>

#include "worker/handle.h"

/* The value of parameter `index` (a double or int that is active) as text. Made once a trial and kept until
 * another trial of the process asks: a process runs one at a time. Any thread. NULL when out of memory. */
const char *trial_texts_get(const struct prova_trial *trial, size_t index);
/* All active parameters as a JSON object, likewise. */
const char *trial_texts_json(const struct prova_trial *trial);

#endif

#ifndef CLI_STUDY_H
#define CLI_STUDY_H

#include <jansson.h>

#include "core/text.h"

/* The report of an ablation study, for people: what is left out, the most important first. `show` is the
 * document of an experiment; nothing is written if it is no study. At most `most` rows; 0: all. */
void study_write(struct text *out, const json_t *show, size_t most);

#endif

#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include "core/text.h"

/* The bash completion script: commands, options, and values by what the tables say of them. Experiments'
 * names are asked of `prova completion experiments` while it is used; all else is in the script. */
void complete_write_bash(struct text *out);

#endif

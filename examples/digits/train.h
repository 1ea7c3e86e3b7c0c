#ifndef EXAMPLES_DIGITS_TRAIN_H
#define EXAMPLES_DIGITS_TRAIN_H

#include <prova.h>

/* The training function that prova calls, once a trial. `arg` is the path of digits.csv; NULL: that of this
 * source. Exported by name from libdigits.so, for `train: {library: ..., function: digits_train}`. */
PROVA_API int digits_train(prova_trial *trial, void *arg);

#endif

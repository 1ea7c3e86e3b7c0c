#ifndef EXAMPLES_DIGITS_MLP_H
#define EXAMPLES_DIGITS_MLP_H

#include <stdint.h>

#include "digits.h"

/* A multilayer perceptron, trained by mini-batches: 64 pixels, `layers` hidden layers of `hidden` units, 10
 * classes with softmax and cross entropy. Knows nothing of prova. */

enum mlp_solver { MLP_SGD, MLP_ADAM };
enum mlp_activation { MLP_RELU, MLP_TANH };

struct mlp_options {
    double lr;           /* > 0 */
    double momentum;     /* of SGD, in [0, 1) */
    double weight_decay; /* >= 0; decoupled: w -= lr * weight_decay * w */
    int hidden, batch;   /* >= 1 */
    int layers;          /* hidden ones, >= 0 */
    int epochs;          /* >= 1 */
    enum mlp_solver solver;
    enum mlp_activation activation;
    uint64_t seed;          /* of weights and shuffling; the split of the data does not depend on it */
    const char *checkpoint; /* file that is written after every epoch, and from which a training goes on as if
                               it had never stopped; NULL: none */
};

struct mlp_score {
    double accuracy; /* share of the validation images that are classified right, 0 to 1 */
    double loss;     /* their mean cross entropy, in nats */
};

/* Others that train the same network on the same data: each works on a part of every batch, and the gradient
 * is the sum of theirs. */
struct mlp_team {
    void *arg;
    /* This one's part of n images: `count` of them from `first`. */
    void (*part)(void *arg, int n, int *first, int *count);
    /* Makes x the sum over all of the team. Non-zero: it cannot be had. */
    int (*sum)(void *arg, double *x, size_t n);
};

/* Called after every epoch, counted from 1. Non-zero ends the training. */
typedef int mlp_epoch_fn(int epoch, const struct mlp_score *score, void *arg);

/* Trains on digits and measures after every epoch; *score is the last one (of a checkpoint that has all
 * epochs already: what it measures). Same options, same result, with a team up to the order in which numbers
 * are added. Returns 0, or -1 when out of memory, if the team is lost or the checkpoint cannot be written.
 * Weights that have run away give a loss that is not finite. */
int mlp_train(struct mlp_score *score, const struct mlp_options *options, const struct digits *digits,
              const struct mlp_team *team, mlp_epoch_fn *after_epoch, void *arg);

#endif

/* From a trial of prova to the perceptron of mlp.c and back. The images are read once a process and kept: one
 * worker process runs many trials.
 *
 * Where a schedule gives the trial a budget, the training is kept in the trial's directory after every epoch,
 * and goes on from there when the trial does.
 *
 * The function does not know what its trial is for. It asks of each row of pixels and of each hidden layer
 * whether it is left out, which it is in an ablation study alone, draws from the trial's seed, and trains
 * together with the other ranks, which there are in a distributed trial alone. */
#include "train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mlp.h"

static int report_epoch(int epoch, const struct mlp_score *score, void *arg)
{
    prova_trial *trial = arg;
    int step = epoch - 1; /* a report at step s says that s + 1 epochs are done */
    prova_report_metric(trial, step, "val_loss", score->loss);
    int stop = prova_report(trial, step, score->accuracy);
    return stop || !isfinite(score->loss);
}

/* The ranks of a distributed trial are a team; alone, the part is the whole and the sum its own. */
static void take_part(void *arg, int n, int *first, int *count)
{
    int64_t begin, size;
    prova_shard(arg, n, &begin, &size);
    *first = (int)begin;
    *count = (int)size;
}

static int sum_over_ranks(void *arg, double *x, size_t n)
{
    return prova_allreduce_sum(arg, x, n);
}

/* Is "row3" or "hidden2" left out? */
static int is_left_out(prova_trial *trial, const char *kind, const char *name, int number)
{
    char numbered[32];
    (void)snprintf(numbered, sizeof numbered, "%s%d", name, number); /* fits */
    return prova_ablated(trial, kind, numbered);
}

/* The images with the rows that are left out black. Returns 0, or -1 when out of memory. */
static int copy_images(struct digits *seen, const struct digits *digits, prova_trial *trial)
{
    size_t n = (digits->n_train + digits->n_valid) * DIGITS_PIXELS;
    *seen = *digits;
    seen->images = malloc(n * sizeof *seen->images);
    if (!seen->images)
        return -1;
    memcpy(seen->images, digits->images, n * sizeof *seen->images);
    for (int row = 0; row < DIGITS_ROWS; row++) {
        if (!is_left_out(trial, "feature", "row", row))
            continue;
        for (size_t pixel = (size_t)row * DIGITS_COLUMNS; pixel < n; pixel += DIGITS_PIXELS)
            memset(seen->images + pixel, 0, DIGITS_COLUMNS * sizeof *seen->images);
    }
    return 0;
}

/* How many hidden layers there are without those that are left out. */
static int count_layers(prova_trial *trial)
{
    int n = (int)prova_int(trial, "layers"), n_left = n;
    for (int layer = 1; layer <= n; layer++)
        n_left -= is_left_out(trial, "layer", "hidden", layer);
    return n_left;
}

/* Where the training is kept: nowhere, if it will run only once, or on several workers at a time. Returns 0,
 * or -1. */
static int choose_checkpoint(char path[4096], prova_trial *trial)
{
    path[0] = '\0';
    if (prova_budget(trial, 0) == 0 || prova_world(trial) > 1)
        return 0;
    const char *directory = prova_directory(trial);
    int size = snprintf(path, 4096, "%s/checkpoint", directory);
    return *directory && size < 4096 ? 0 : -1;
}

int digits_train(prova_trial *trial, void *arg)
{
    static struct digits digits;
    char error[512];
    if (digits.n_train == 0 && digits_read(&digits, arg ? arg : DIGITS_CSV, error, sizeof error))
        return prova_fail(trial, "%s", error);

    struct mlp_options options = {
        .lr = prova_double(trial, "lr"),
        .hidden = (int)prova_int(trial, "hidden"),
        .layers = count_layers(trial),
        .batch = (int)prova_int(trial, "batch"),
        .solver = strcmp(prova_string(trial, "solver"), "adam") ? MLP_SGD : MLP_ADAM,
        .momentum = prova_active(trial, "momentum") ? prova_double(trial, "momentum") : 0.0,
        .activation = strcmp(prova_string(trial, "activation"), "tanh") ? MLP_RELU : MLP_TANH,
        .weight_decay = prova_double(trial, "weight_decay"),
        .epochs = (int)prova_budget(trial, prova_int(trial, "epochs")),
        .seed = prova_trial_seed(trial),
    };
    const struct mlp_team team = {.arg = trial, .part = take_part, .sum = sum_over_ranks};
    char checkpoint[4096];
    if (choose_checkpoint(checkpoint, trial))
        return prova_fail(trial, "the trial has no directory for its checkpoint");
    options.checkpoint = *checkpoint ? checkpoint : NULL;
    struct mlp_score score;
    struct digits seen;
    int failed =
        copy_images(&seen, &digits, trial) || mlp_train(&score, &options, &seen, &team, report_epoch, trial);
    free(seen.images);
    if (failed)
        return prova_fail(trial,
                          "out of memory, a rank that is lost, a size that mlp.h does not allow, or no "
                          "place for a checkpoint");
    if (!isfinite(score.loss))
        return prova_fail(trial, "the weights ran away at lr %g", options.lr);
    return prova_finish(trial, score.accuracy);
}

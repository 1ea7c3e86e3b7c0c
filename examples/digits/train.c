/* From a trial of prova to the perceptron of mlp.c and back. The images are read once a process and kept: one
 * worker process runs many trials. */
#include "train.h"

#include <math.h>
#include <string.h>

#include "mlp.h"

static int report_epoch(int epoch, const struct mlp_score *score, void *arg)
{
    prova_trial *trial = arg;
    prova_report_metric(trial, epoch, "val_loss", score->loss);
    int stop = prova_report(trial, epoch, score->accuracy);
    return stop || !isfinite(score->loss);
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
        .layers = (int)prova_int(trial, "layers"),
        .batch = (int)prova_int(trial, "batch"),
        .solver = strcmp(prova_string(trial, "solver"), "adam") ? MLP_SGD : MLP_ADAM,
        .momentum = prova_active(trial, "momentum") ? prova_double(trial, "momentum") : 0.0,
        .activation = strcmp(prova_string(trial, "activation"), "tanh") ? MLP_RELU : MLP_TANH,
        .weight_decay = prova_double(trial, "weight_decay"),
        .epochs = (int)prova_budget(trial, prova_int(trial, "epochs")),
        .seed = 1,
    };
    struct mlp_score score;
    if (mlp_train(&score, &options, &digits, report_epoch, trial))
        return prova_fail(trial, "out of memory, or a size that mlp.h does not allow");
    if (!isfinite(score.loss))
        return prova_fail(trial, "the weights ran away at lr %g", options.lr);
    return prova_finish(trial, score.accuracy);
}

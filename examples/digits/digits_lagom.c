/* digits_lagom: the sweep of sweep.yaml as one call in C. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "train.h"

static const char usage[] =
    "usage: digits_lagom [--trials N] [--workers N] [--epochs N] [--seed N] [--db FILE] [--data FILE]\n"
    "\n"
    "Tunes a multilayer perceptron on 8x8 images of handwritten digits by one call of\n"
    "prova_lagom, and prints the best trial.\n"
    "\n"
    "  --trials N   how many to run              (60)\n"
    "  --workers N  processes that run them      (2)\n"
    "  --epochs N   of a trial to its end        (60)\n"
    "  --seed N     of the search                (7)\n"
    "  --db FILE    where results are kept       (prova.db)\n"
    "  --data FILE  the images                   (digits.csv of this source)\n"
    "  --help\n";

/* The search space. What a setter refuses is kept in the config, so one look at the end is enough. */
static void describe(prova_config *config)
{
    static const double batches[] = {16, 32, 64, 128};
    static const char *const solvers[] = {"sgd", "adam"}, *const activations[] = {"relu", "tanh"};
    prova_config_double(config, "lr", 1e-4, 1.0, PROVA_LOG);
    prova_config_int(config, "hidden", 32, 256, PROVA_LOG);
    prova_config_int(config, "layers", 1, 3, PROVA_LINEAR);
    prova_config_discrete(config, "batch", batches, 4);
    prova_config_categorical(config, "solver", solvers, 2);
    prova_config_double(config, "momentum", 0.0, 0.99, PROVA_LINEAR);
    prova_config_when(config, "momentum", "solver", &solvers[0], 1);
    prova_config_categorical(config, "activation", activations, 2);
    prova_config_double(config, "weight_decay", 1e-6, 1e-2, PROVA_LOG);

    prova_config_set(config, "metric", "{name: val_accuracy, goal: maximize}");
    prova_config_set(config, "search.name", "random");
    prova_config_set(config, "stopping", "{name: median, min_trials: 5, min_steps: 4}");
}

static int print_result(const prova_result *result)
{
    if (prova_result_code(result)) {
        fprintf(stderr, "digits_lagom: %s\n", prova_result_error(result));
        return prova_result_code(result) == PROVA_EINTERRUPTED ? 130 : 1;
    }
    printf("best trial %lld: val_accuracy %.4f with %s\n", (long long)prova_result_best_trial(result),
           prova_result_best_value(result), prova_result_best_json(result));
    printf("%lld completed, %lld stopped early, %lld failed, in %.1f s\n",
           (long long)prova_result_count(result, "COMPLETED"),
           (long long)prova_result_count(result, "STOPPED"), (long long)prova_result_count(result, "FAILED"),
           prova_result_seconds(result));
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"trials", required_argument, NULL, 't'}, {"workers", required_argument, NULL, 'w'},
        {"epochs", required_argument, NULL, 'e'}, {"seed", required_argument, NULL, 's'},
        {"db", required_argument, NULL, 'b'},     {"data", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    const char *trials = "60", *workers = "2", *epochs = "60", *seed = "7", *db = "prova.db";
    char *data = NULL;
    int letter;
    while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (letter) {
        case 't':
            trials = optarg;
            break;
        case 'w':
            workers = optarg;
            break;
        case 'e':
            epochs = optarg;
            break;
        case 's':
            seed = optarg;
            break;
        case 'b':
            db = optarg;
            break;
        case 'd':
            data = optarg;
            break;
        case 'h':
            return fputs(usage, stdout) < 0;
        default:
            fputs("try: digits_lagom --help\n", stderr);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "digits_lagom: unexpected argument '%s'\ntry: digits_lagom --help\n", argv[optind]);
        return 2;
    }
    prova_config *config = prova_config_new("digits-lagom");
    if (!config) {
        fprintf(stderr, "digits_lagom: out of memory\n");
        return 1;
    }
    describe(config);
    prova_config_constant(config, "epochs", epochs);
    prova_config_set(config, "limits.trials", trials);
    prova_config_set(config, "workers", workers);
    prova_config_set(config, "seed", seed);
    prova_config_database(config, db);
    if (*prova_config_error(config)) {
        fprintf(stderr, "digits_lagom: %s\n", prova_config_error(config));
        prova_config_free(config);
        return 2;
    }
    prova_result *result = prova_lagom(digits_train, data, config);
    prova_config_free(config);
    if (!result) {
        fprintf(stderr, "digits_lagom: out of memory\n");
        return 1;
    }
    int status = print_result(result);
    prova_result_free(result);
    return status;
}

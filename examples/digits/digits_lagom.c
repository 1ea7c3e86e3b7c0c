/* digits_lagom: the sweep of sweep.yaml as one call in C. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "train.h"

static const char usage[] =
    "usage: digits_lagom [OPTION VALUE]... [--resume]\n"
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
    "  --resume     go on with the last one, if it was interrupted\n"
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
    prova_config_constant(config, "epochs", "60");

    prova_config_set(config, "metric", "{name: val_accuracy, goal: maximize}");
    prova_config_set(config, "search.name", "random");
    prova_config_set(config, "seed", "7");
    prova_config_set(config, "limits.trials", "60");
    prova_config_set(config, "workers", "2");
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

/* Options become settings of the configuration, which judges them. Returns 0, or an exit status above it. */
static int read_options(prova_config *config, char **data, int argc, char **argv)
{
    static const struct option options[] = {
        {"trials", required_argument, NULL, 't'}, {"workers", required_argument, NULL, 'w'},
        {"epochs", required_argument, NULL, 'e'}, {"seed", required_argument, NULL, 's'},
        {"db", required_argument, NULL, 'b'},     {"data", required_argument, NULL, 'd'},
        {"resume", no_argument, NULL, 'r'},       {NULL, 0, NULL, 0},
    };
    int letter;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1 && letter != '?') {
        if (letter == 't')
            prova_config_set(config, "limits.trials", optarg);
        else if (letter == 'w')
            prova_config_set(config, "workers", optarg);
        else if (letter == 'e')
            prova_config_set(config, "parameters.epochs.value", optarg);
        else if (letter == 's')
            prova_config_set(config, "seed", optarg);
        else if (letter == 'b')
            prova_config_database(config, optarg);
        else if (letter == 'd')
            *data = optarg;
        else if (letter == 'r')
            prova_config_resume(config, 1);
    }
    if (letter == -1 && optind < argc)
        fprintf(stderr, "digits_lagom: unexpected argument '%s'\n", argv[optind]);
    if (*prova_config_error(config))
        fprintf(stderr, "digits_lagom: %s\n", prova_config_error(config));
    if (letter == -1 && optind == argc && !*prova_config_error(config))
        return 0;
    fputs("try: digits_lagom --help\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    char *data = NULL;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0;
    prova_config *config = prova_config_new("digits-lagom");
    if (!config) {
        fprintf(stderr, "digits_lagom: out of memory\n");
        return 1;
    }
    describe(config);
    int status = read_options(config, &data, argc, argv);
    if (status == 0) {
        prova_result *result = prova_lagom(digits_train, data, config);
        status = result ? print_result(result) : 1;
        prova_result_free(result);
    }
    prova_config_free(config);
    return status;
}

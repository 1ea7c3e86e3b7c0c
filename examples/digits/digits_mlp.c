/* digits_mlp: trains once, with what the command line says. It does not know prova: it prints a line after
 * every epoch, of the form that prova reads from the output of any program. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mlp.h"

static const char usage[] =
    "usage: digits_mlp [OPTION VALUE]...\n"
    "\n"
    "Trains a multilayer perceptron on 8x8 images of handwritten digits (1,297 to train\n"
    "on, 500 to measure on) and prints, after every epoch,\n"
    "    prova: step=EPOCH val_accuracy=SHARE val_loss=NATS\n"
    "\n"
    "  --lr X            learning rate, above 0                 (0.05)\n"
    "  --hidden N        units of a hidden layer, 1 to 4096     (64)\n"
    "  --layers N        hidden layers, 1 to 8                  (1)\n"
    "  --batch N         images of a mini-batch, 1 to 1297      (32)\n"
    "  --solver NAME     sgd or adam                            (sgd)\n"
    "  --momentum X      of sgd, 0 or more and below 1          (0)\n"
    "  --activation NAME relu or tanh                           (relu)\n"
    "  --weight-decay X  0 or more                              (0)\n"
    "  --epochs N        1 to 100000                            (40)\n"
    "  --seed N          of weights and shuffling               (1)\n"
    "  --data FILE       the images                             (digits.csv of this source)\n"
    "  --help\n"
    "\n"
    "An empty VALUE counts as not given, so that a sweep may pass a parameter that is\n"
    "not active in a trial.\n"
    "\n"
    "example: digits_mlp --lr 0.1 --hidden 128 --momentum 0.9\n";

static int complain(const char *option, const char *wanted, const char *value)
{
    fprintf(stderr, "digits_mlp: --%s: expected %s, not '%s'\n", option, wanted, value);
    return -1;
}

static int read_real(double *out, const char *option, const char *value, double min, double below,
                     const char *wanted)
{
    char *end;
    errno = 0;
    double x = strtod(value, &end);
    if (end == value || *end || !isfinite(x) || x < min || x >= below)
        return complain(option, wanted, value);
    *out = x;
    return 0;
}

static int read_whole(int *out, const char *option, const char *value, long max)
{
    char *end, wanted[64];
    errno = 0;
    long x = strtol(value, &end, 10);
    if (end == value || *end || errno || x < 1 || x > max) {
        (void)snprintf(wanted, sizeof wanted, "a whole number from 1 to %ld", max);
        return complain(option, wanted, value);
    }
    *out = (int)x;
    return 0;
}

static int read_name(int *out, const char *option, const char *value, const char *first, const char *second)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "%s or %s", first, second);
    if (strcmp(value, first) && strcmp(value, second))
        return complain(option, wanted, value);
    *out = strcmp(value, first) != 0;
    return 0;
}

static int read_option(struct mlp_options *options, const char **data, int letter, const char *name,
                       const char *value)
{
    int choice = 0, rc = 0;
    switch (letter) {
    case 'l':
        return read_real(&options->lr, name, value, 1e-300, INFINITY, "a number above 0");
    case 'h':
        return read_whole(&options->hidden, name, value, 4096);
    case 'y':
        return read_whole(&options->layers, name, value, 8);
    case 'b':
        return read_whole(&options->batch, name, value, 1297);
    case 's':
        rc = read_name(&choice, name, value, "sgd", "adam");
        options->solver = choice ? MLP_ADAM : MLP_SGD;
        return rc;
    case 'm':
        return read_real(&options->momentum, name, value, 0.0, 1.0, "a number from 0 to below 1");
    case 'a':
        rc = read_name(&choice, name, value, "relu", "tanh");
        options->activation = choice ? MLP_TANH : MLP_RELU;
        return rc;
    case 'w':
        return read_real(&options->weight_decay, name, value, 0.0, INFINITY, "a number, 0 or more");
    case 'e':
        return read_whole(&options->epochs, name, value, 100000);
    case 'r':
        options->seed = strtoull(value, NULL, 10);
        return 0;
    default:
        *data = value;
        return 0;
    }
}

static const struct option long_options[] = {
    {"lr", required_argument, NULL, 'l'},
    {"hidden", required_argument, NULL, 'h'},
    {"layers", required_argument, NULL, 'y'},
    {"batch", required_argument, NULL, 'b'},
    {"solver", required_argument, NULL, 's'},
    {"momentum", required_argument, NULL, 'm'},
    {"activation", required_argument, NULL, 'a'},
    {"weight-decay", required_argument, NULL, 'w'},
    {"epochs", required_argument, NULL, 'e'},
    {"seed", required_argument, NULL, 'r'},
    {"data", required_argument, NULL, 'd'},
    {"help", no_argument, NULL, '?' + 128},
    {NULL, 0, NULL, 0},
};

static int print_epoch(int epoch, const struct mlp_score *score, void *arg)
{
    (void)arg;
    printf("prova: step=%d val_accuracy=%.4f val_loss=%.5f\n", epoch, score->accuracy, score->loss);
    return fflush(stdout) || !isfinite(score->loss);
}

int main(int argc, char **argv)
{
    struct mlp_options options = {
        .lr = 0.05, .hidden = 64, .layers = 1, .batch = 32, .epochs = 40, .seed = 1};
    const char *data = DIGITS_CSV;
    int letter, index = 0;
    while ((letter = getopt_long(argc, argv, "", long_options, &index)) != -1) {
        if (letter == '?' + 128)
            return fputs(usage, stdout) < 0;
        if (letter == '?' ||
            (*optarg && read_option(&options, &data, letter, long_options[index].name, optarg))) {
            fputs("try: digits_mlp --help\n", stderr);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "digits_mlp: unexpected argument '%s'\ntry: digits_mlp --help\n", argv[optind]);
        return 2;
    }
    char error[512];
    struct digits digits;
    struct mlp_score score;
    if (digits_read(&digits, data, error, sizeof error)) {
        fprintf(stderr, "digits_mlp: %s\n", error);
        return 1;
    }
    int rc = mlp_train(&score, &options, &digits, NULL, print_epoch, NULL);
    digits_fini(&digits);
    if (rc)
        fprintf(stderr, "digits_mlp: out of memory\n");
    else if (!isfinite(score.loss))
        fprintf(stderr, "digits_mlp: the weights ran away; try a smaller --lr\n");
    return rc || !isfinite(score.loss);
}

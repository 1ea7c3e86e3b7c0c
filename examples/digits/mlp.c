/* The perceptron. All parameters are one array, and gradients and the solver's moments have the same layout,
 * so that a solver is one loop.
 *
 * | symbol     | meaning                                         | shape                      |
 * | n          | images in the batch                             |                            |
 * | size[l]    | units of layer l; layer 0 is the image          | [layers + 2]               |
 * | w(l), b(l) | weights and biases into layer l + 1             | size[l] x size[l+1], [..]  |
 * | act[l]     | outputs of layer l; the last one: softmax       | n x size[l]                |
 * | delta      | derivative of the loss by a layer's inputs      | n x size[l]                |
 */
#include "mlp.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "random.h"

enum { MAX_LAYERS = 8 };

struct mlp {
    const struct mlp_options *options;
    const struct mlp_team *team;
    double *sum;  /* [n_weights]: the gradient on its way over the team */
    int n_layers; /* of weights: hidden layers + 1 */
    int size[MAX_LAYERS + 2];
    size_t offset[MAX_LAYERS + 1]; /* of w(l) in the arrays below; its biases follow it */
    size_t n_weights;
    float *weights, *gradient, *first, *second; /* [n_weights]; moments: SGD uses the first one only */
    int n_rows;                                 /* room in the arrays below: images */
    float *act[MAX_LAYERS + 2], *delta, *delta_below;
    unsigned char *labels; /* of the batch */
    size_t *order;         /* of the training images */
    int64_t n_updates;
    struct random random;
};

static float *weights_of(const struct mlp *mlp, float *array, int layer)
{
    return array + mlp->offset[layer];
}

static float *biases_of(const struct mlp *mlp, float *array, int layer)
{
    return weights_of(mlp, array, layer) + (size_t)mlp->size[layer] * (size_t)mlp->size[layer + 1];
}

static void mlp_fini(struct mlp *mlp)
{
    free(mlp->weights);
    for (int l = 0; l <= mlp->n_layers; l++)
        free(mlp->act[l]);
    free(mlp->sum);
    free(mlp->delta);
    free(mlp->delta_below);
    free(mlp->labels);
    free(mlp->order);
}

static void lay_out(struct mlp *mlp, const struct mlp_options *options)
{
    *mlp = (struct mlp){.options = options, .n_layers = options->layers + 1, .random = {options->seed}};
    for (int l = 0; l <= mlp->n_layers; l++)
        mlp->size[l] = l == 0 ? DIGITS_PIXELS : l == mlp->n_layers ? DIGITS_CLASSES : options->hidden;
    for (int l = 0; l < mlp->n_layers; l++) {
        mlp->offset[l] = mlp->n_weights;
        mlp->n_weights += (size_t)(mlp->size[l] + 1) * (size_t)mlp->size[l + 1];
    }
}

static int mlp_init(struct mlp *mlp, const struct mlp_options *options, const struct digits *digits)
{
    lay_out(mlp, options);
    mlp->n_rows = options->batch > DIGITS_VALID ? options->batch : DIGITS_VALID;
    size_t rows = (size_t)mlp->n_rows;
    size_t widest = options->hidden > DIGITS_PIXELS ? (size_t)options->hidden : DIGITS_PIXELS;
    mlp->weights = calloc(4 * mlp->n_weights, sizeof(float));
    mlp->delta = malloc(rows * widest * sizeof(float));
    mlp->delta_below = malloc(rows * widest * sizeof(float));
    mlp->labels = malloc(rows);
    mlp->order = malloc(digits->n_train * sizeof *mlp->order);
    bool whole = mlp->weights && mlp->delta && mlp->delta_below && mlp->labels && mlp->order;
    for (int l = 0; l <= mlp->n_layers; l++) {
        mlp->act[l] = malloc(rows * (size_t)mlp->size[l] * sizeof(float));
        whole = whole && mlp->act[l];
    }
    if (!whole)
        return -1;
    mlp->gradient = mlp->weights + mlp->n_weights;
    mlp->first = mlp->gradient + mlp->n_weights;
    mlp->second = mlp->first + mlp->n_weights;
    for (size_t i = 0; i < digits->n_train; i++)
        mlp->order[i] = i;
    return 0;
}

/* Uniform with the variance of He (relu) or Glorot (tanh); biases are 0. */
static void draw_weights(struct mlp *mlp)
{
    for (int l = 0; l < mlp->n_layers; l++) {
        int in = mlp->size[l], out = mlp->size[l + 1];
        float limit =
            mlp->options->activation == MLP_RELU ? sqrtf(6.0f / (float)in) : sqrtf(6.0f / (float)(in + out));
        float *w = weights_of(mlp, mlp->weights, l);
        for (int i = 0; i < in * out; i++)
            w[i] = random_symmetric(&mlp->random, limit);
    }
}

static void activate(float *x, size_t n, enum mlp_activation activation)
{
    if (activation == MLP_RELU) {
        for (size_t i = 0; i < n; i++)
            x[i] = x[i] > 0.0f ? x[i] : 0.0f;
    } else {
        for (size_t i = 0; i < n; i++)
            x[i] = tanhf(x[i]);
    }
}

static void softmax(float *x, int n, int k)
{
    for (float *row = x; row < x + (size_t)n * (size_t)k; row += k) {
        float max = row[0], sum = 0.0f;
        for (int c = 1; c < k; c++)
            max = row[c] > max ? row[c] : max;
        for (int c = 0; c < k; c++)
            sum += row[c] = expf(row[c] - max);
        for (int c = 0; c < k; c++)
            row[c] /= sum;
    }
}

/* act[l + 1] = f(act[l] w(l) + b(l)) for every layer; act[0] holds the n images. */
static void forward(struct mlp *mlp, int n)
{
    for (int l = 0; l < mlp->n_layers; l++) {
        int in = mlp->size[l], out = mlp->size[l + 1];
        float *next = mlp->act[l + 1];
        for (int i = 0; i < n; i++)
            memcpy(next + (size_t)i * (size_t)out, biases_of(mlp, mlp->weights, l),
                   (size_t)out * sizeof(float));
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, out, in, 1.0f, mlp->act[l], in,
                    weights_of(mlp, mlp->weights, l), out, 1.0f, next, out);
        if (l + 1 < mlp->n_layers)
            activate(next, (size_t)n * (size_t)out, mlp->options->activation);
        else
            softmax(next, n, out);
    }
}

/* The derivative of the activation, from its output. */
static void deactivate(float *delta, const float *act, size_t n, enum mlp_activation activation)
{
    if (activation == MLP_RELU) {
        for (size_t i = 0; i < n; i++)
            delta[i] = act[i] > 0.0f ? delta[i] : 0.0f;
    } else {
        for (size_t i = 0; i < n; i++)
            delta[i] *= 1.0f - act[i] * act[i];
    }
}

/* Fills the gradient of the mean cross entropy of a batch, of which forward has seen n images. */
static void backward(struct mlp *mlp, int n, int batch)
{
    const float *out = mlp->act[mlp->n_layers];
    for (int i = 0; i < n * DIGITS_CLASSES; i++)
        mlp->delta[i] = (out[i] - (mlp->labels[i / DIGITS_CLASSES] == i % DIGITS_CLASSES)) / (float)batch;
    for (int l = mlp->n_layers - 1; l >= 0; l--) {
        int below = mlp->size[l], above = mlp->size[l + 1];
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, below, above, n, 1.0f, mlp->act[l], below,
                    mlp->delta, above, 0.0f, weights_of(mlp, mlp->gradient, l), above);
        float *b = biases_of(mlp, mlp->gradient, l);
        memset(b, 0, (size_t)above * sizeof *b);
        for (int i = 0; i < n; i++)
            cblas_saxpy(above, 1.0f, mlp->delta + (size_t)i * (size_t)above, 1, b, 1);
        if (l == 0)
            break;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, below, above, 1.0f, mlp->delta, above,
                    weights_of(mlp, mlp->weights, l), above, 0.0f, mlp->delta_below, below);
        deactivate(mlp->delta_below, mlp->act[l], (size_t)n * (size_t)below, mlp->options->activation);
        float *swap = mlp->delta;
        mlp->delta = mlp->delta_below;
        mlp->delta_below = swap;
    }
}

/* Adam (Kingma & Ba 2015, algorithm 1, with epsilon outside the root's correction) or SGD with momentum. */
static void update(struct mlp *mlp)
{
    const struct mlp_options *options = mlp->options;
    float lr = (float)options->lr, keep = 1.0f - lr * (float)options->weight_decay;
    float *w = mlp->weights, *g = mlp->gradient, *m = mlp->first, *v = mlp->second;
    mlp->n_updates++;
    if (options->solver == MLP_SGD) {
        float momentum = (float)options->momentum;
        for (size_t i = 0; i < mlp->n_weights; i++) {
            m[i] = momentum * m[i] + g[i];
            w[i] = keep * w[i] - lr * m[i];
        }
        return;
    }
    const float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
    double t = (double)mlp->n_updates;
    float rate = (float)(options->lr * sqrt(1.0 - pow(0.999, t)) / (1.0 - pow(0.9, t)));
    for (size_t i = 0; i < mlp->n_weights; i++) {
        m[i] = beta1 * m[i] + (1.0f - beta1) * g[i];
        v[i] = beta2 * v[i] + (1.0f - beta2) * g[i] * g[i];
        w[i] = keep * w[i] - rate * m[i] / (sqrtf(v[i]) + epsilon);
    }
}

static void shuffle(struct mlp *mlp, const struct digits *digits)
{
    for (size_t i = digits->n_train - 1; i > 0; i--) {
        size_t k = random_below(&mlp->random, i + 1), held = mlp->order[i];
        mlp->order[i] = mlp->order[k];
        mlp->order[k] = held;
    }
}

/* The gradient of the whole batch. Returns 0, or -1. */
static int sum_gradient(struct mlp *mlp)
{
    for (size_t i = 0; i < mlp->n_weights; i++)
        mlp->sum[i] = (double)mlp->gradient[i];
    if (mlp->team->sum(mlp->team->arg, mlp->sum, mlp->n_weights))
        return -1;
    for (size_t i = 0; i < mlp->n_weights; i++)
        mlp->gradient[i] = (float)mlp->sum[i];
    return 0;
}

/* One update from the n images at `order`. Returns 0, or -1. */
static int train_batch(struct mlp *mlp, const struct digits *digits, const size_t *order, int n)
{
    int first = 0, count = n;
    if (mlp->team)
        mlp->team->part(mlp->team->arg, n, &first, &count);
    for (int i = 0; i < count; i++) {
        size_t image = order[first + i];
        memcpy(mlp->act[0] + (size_t)i * DIGITS_PIXELS, digits->images + image * DIGITS_PIXELS,
               DIGITS_PIXELS * sizeof(float));
        mlp->labels[i] = digits->labels[image];
    }
    if (count > 0) {
        forward(mlp, count);
        backward(mlp, count, n);
    } else { /* a batch that is smaller than the team */
        memset(mlp->gradient, 0, mlp->n_weights * sizeof *mlp->gradient);
    }
    if (mlp->team && sum_gradient(mlp))
        return -1;
    update(mlp);
    return 0;
}

static int train_epoch(struct mlp *mlp, const struct digits *digits)
{
    shuffle(mlp, digits);
    size_t batch = (size_t)mlp->options->batch;
    for (size_t start = 0; start < digits->n_train; start += batch) {
        size_t n = digits->n_train - start < batch ? digits->n_train - start : batch;
        if (train_batch(mlp, digits, mlp->order + start, (int)n))
            return -1;
    }
    return 0;
}

static struct mlp_score measure(struct mlp *mlp, const struct digits *digits)
{
    size_t n = digits->n_valid, n_right = 0;
    double loss = 0.0;
    const unsigned char *labels = digits->labels + digits->n_train;
    memcpy(mlp->act[0], digits->images + digits->n_train * DIGITS_PIXELS, n * DIGITS_PIXELS * sizeof(float));
    forward(mlp, (int)n);
    for (size_t i = 0; i < n; i++) {
        const float *row = mlp->act[mlp->n_layers] + i * DIGITS_CLASSES;
        size_t best = 0;
        for (size_t c = 1; c < DIGITS_CLASSES; c++)
            best = row[c] > row[best] ? c : best;
        n_right += best == labels[i];
        /* A probability that has underflowed counts as 1e-38; one that is no number stays none. */
        loss -= log(row[labels[i]] < 1e-38f ? 1e-38 : (double)row[labels[i]]);
    }
    return (struct mlp_score){.accuracy = (double)n_right / (double)n, .loss = loss / (double)n};
}

static int join_team(struct mlp *mlp, const struct mlp_team *team)
{
    mlp->team = team;
    mlp->sum = team ? malloc(mlp->n_weights * sizeof *mlp->sum) : NULL;
    return team && !mlp->sum ? -1 : 0;
}

enum { N_PIECES = 5 };

/* All that the rest of a training depends on. The options are the caller's to keep. */
static void list_pieces(struct piece pieces[N_PIECES], struct mlp *mlp, int *epoch,
                        const struct digits *digits)
{
    pieces[0] = (struct piece){epoch, sizeof *epoch};
    pieces[1] = (struct piece){&mlp->random, sizeof mlp->random};
    pieces[2] = (struct piece){&mlp->n_updates, sizeof mlp->n_updates};
    pieces[3] = (struct piece){mlp->order, digits->n_train * sizeof *mlp->order};
    pieces[4] = (struct piece){mlp->weights, 4 * mlp->n_weights * sizeof(float)};
}

/* Trains from where the network stands after `epoch` epochs. */
static int train_on(struct mlp_score *score, struct mlp *mlp, int epoch, const struct digits *digits,
                    mlp_epoch_fn *after_epoch, void *arg)
{
    const struct mlp_options *options = mlp->options;
    struct piece pieces[N_PIECES];
    list_pieces(pieces, mlp, &epoch, digits);
    if (options->checkpoint)
        (void)checkpoint_load(pieces, N_PIECES, options->checkpoint); /* none: from the beginning */
    if (epoch >= options->epochs)
        *score = measure(mlp, digits);
    while (epoch < options->epochs) {
        if (train_epoch(mlp, digits))
            return -1;
        *score = measure(mlp, digits);
        epoch++;
        if (options->checkpoint && checkpoint_save(options->checkpoint, pieces, N_PIECES))
            return -1;
        if (after_epoch && after_epoch(epoch, score, arg))
            break;
    }
    return 0;
}

int mlp_train(struct mlp_score *score, const struct mlp_options *options, const struct digits *digits,
              const struct mlp_team *team, mlp_epoch_fn *after_epoch, void *arg)
{
    struct mlp mlp;
    int failed = 0;
    if (options->layers < 0 || options->layers > MAX_LAYERS)
        return -1;
    openblas_set_num_threads(1); /* one trial, one core: parallel trials use the others */
    if (mlp_init(&mlp, options, digits) || join_team(&mlp, team)) {
        mlp_fini(&mlp);
        return -1;
    }
    draw_weights(&mlp);
    failed = train_on(score, &mlp, 0, digits, after_epoch, arg);
    mlp_fini(&mlp);
    return failed;
}

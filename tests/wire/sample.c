/* Random messages and their comparison, generated from core/wire.def. */
#include "tests/wire/sample.h"

#include <math.h>
#include <string.h>

enum { MAX_LIST = 40, MAX_TEXT = 300, POOL = 1 << 16 };

struct random {
    uint64_t state;
    size_t n_names;
};

static char text_pool[POOL];
static struct wire_str strs_pool[MAX_LIST];
static double point_pool[MAX_LIST];
static struct report report_pool[MAX_LIST];
static size_t text_used;

#define MESSAGE(name, NAME, id, sender, meaning) static const enum field_kind name##_kinds[] = {
#define FIELD(kind, name, meaning)               KIND_##kind,
#define END(name)                                                                                            \
    (enum field_kind)0                                                                                       \
    }                                                                                                        \
    ;
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END

const struct message_type message_types[] = {
#define MESSAGE(name, NAME, id, sender, meaning)                                                             \
    {WIRE_##NAME, #NAME, sizeof name##_kinds / sizeof *name##_kinds - 1, name##_kinds},
#define FIELD(kind, name, meaning)
#define END(name)
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END
};
const size_t n_message_types = sizeof message_types / sizeof *message_types;

uint64_t sample_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static uint64_t below(struct random *random, uint64_t n)
{
    return sample_next(&random->state) % n;
}

/* Every width of msgpack's integers is as likely as another. */
static uint64_t random_U64(struct random *random)
{
    return sample_next(&random->state) >> below(random, 64);
}

static int64_t random_I64(struct random *random)
{
    int64_t value = (int64_t)(random_U64(random) >> 1);
    return below(random, 2) ? value : -value - 1;
}

static double random_F64(struct random *random)
{
    static const double special[] = {
        0, -0.0, 1, -1, INFINITY, -INFINITY, NAN, 5e-324, 1.7976931348623157e308};
    if (below(random, 3) == 0)
        return special[below(random, sizeof special / sizeof *special)];
    return ldexp((double)random_I64(random), (int)below(random, 200) - 100);
}

static struct id random_ID(struct random *random)
{
    struct id id;
    for (size_t i = 0; i < sizeof id.bytes; i++)
        id.bytes[i] = (uint8_t)below(random, 256);
    return id;
}

static struct wire_str random_STR(struct random *random)
{
    size_t size = below(random, 4) ? below(random, 20) : below(random, MAX_TEXT);
    char *data = text_pool + text_used;
    text_used += size;
    for (size_t i = 0; i < size; i++)
        data[i] = (char)below(random, 256);
    return (struct wire_str){data, size};
}

static struct wire_strs random_STRS(struct random *random)
{
    struct wire_strs strings = {below(random, MAX_LIST), strs_pool};
    for (size_t i = 0; i < strings.n; i++)
        strs_pool[i] = random_STR(random);
    random->n_names = strings.n;
    return strings;
}

static struct wire_point random_POINT(struct random *random)
{
    struct wire_point point = {below(random, MAX_LIST), point_pool};
    for (size_t i = 0; i < point.n; i++)
        point_pool[i] = random_F64(random);
    return point;
}

static int64_t random_step(struct random *random)
{
    return below(random, 8) ? (int64_t)(random_U64(random) >> 11) : REPORT_MAX_STEP;
}

static struct wire_reports random_REPORTS(struct random *random)
{
    struct wire_reports reports = {below(random, MAX_LIST), report_pool};
    for (size_t i = 0; i < reports.n; i++)
        report_pool[i] = (struct report){random_step(random), (uint32_t)below(random, random->n_names + 1),
                                         random_F64(random)};
    return reports;
}

void sample_message(struct wire_message *message, enum wire_type type, uint64_t seed)
{
    struct random random = {.state = seed};
    text_used = 0;
    memset(message, 0, sizeof *message);
    message->type = type;
    switch (type) {
#define MESSAGE(name, NAME, id, sender, meaning)                                                             \
    case WIRE_##NAME: {                                                                                      \
        struct wire_##name *m = &message->name;                                                              \
        (void)m;
#define FIELD(kind, name, meaning) m->name = random_##kind(&random);
#define END(name)                                                                                            \
    break;                                                                                                   \
    }
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END
    }
}

static bool equal_U64(uint64_t a, uint64_t b)
{
    return a == b;
}

static bool equal_I64(int64_t a, int64_t b)
{
    return a == b;
}

static bool equal_F64(double a, double b)
{
    return isnan(a) ? isnan(b) : a == b && !signbit(a) == !signbit(b);
}

static bool equal_ID(struct id a, struct id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

/* Of two strings the second is a decoded one, which must be terminated. */
static bool equal_STR(struct wire_str a, struct wire_str b)
{
    return b.data && b.data[b.size] == '\0' && a.size == b.size &&
           (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool equal_STRS(struct wire_strs a, struct wire_strs b)
{
    bool equal = a.n == b.n;
    for (size_t i = 0; equal && i < a.n; i++)
        equal = equal_STR(a.list[i], b.list[i]);
    return equal;
}

static bool equal_POINT(struct wire_point a, struct wire_point b)
{
    bool equal = a.n == b.n;
    for (size_t i = 0; equal && i < a.n; i++)
        equal = equal_F64(a.values[i], b.values[i]);
    return equal;
}

static bool equal_REPORTS(struct wire_reports a, struct wire_reports b)
{
    bool equal = a.n == b.n;
    for (size_t i = 0; equal && i < a.n; i++)
        equal = a.list[i].step == b.list[i].step && a.list[i].metric == b.list[i].metric &&
                equal_F64(a.list[i].value, b.list[i].value);
    return equal;
}

bool sample_equal(const struct wire_message *a, const struct wire_message *b, size_t n_fields)
{
    static const struct wire_message none;
    size_t k = 0;
    bool equal = a->type == b->type;
    switch (a->type) {
#define MESSAGE(name, NAME, id, sender, meaning)                                                             \
    case WIRE_##NAME: {                                                                                      \
        const struct wire_##name *x = &a->name, *y = &b->name, *zero = &none.name;                           \
        (void)x, (void)y, (void)zero;
#define FIELD(kind, name, meaning)                                                                           \
    equal = equal && equal_##kind(k++ < n_fields ? x->name : zero->name, y->name);
#define END(name)                                                                                            \
    break;                                                                                                   \
    }
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END
    }
    return equal;
}

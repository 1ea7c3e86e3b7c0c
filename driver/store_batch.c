/* Deep copies of records in chunks of memory; see store_batch.h for who owns what when. */
#include "driver/store_batch.h"

#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/rng.h"

#define CHUNK_SIZE ((size_t)256 << 10) /* of ordinary records several hundred to a chunk */
#define MAX_SPARE  16                  /* 4 MB are kept; what a burst took beyond that is given back */

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
    (void)pthread_mutex_init(&arena->mutex, NULL); /* cannot fail on Linux with default attributes */
}

static void free_chunks(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void arena_fini(struct arena *arena)
{
    free(arena->current);
    free_chunks(arena->spare);
    (void)pthread_mutex_destroy(&arena->mutex); /* nobody holds it */
}

static struct chunk *take_chunk(struct arena *arena, size_t size)
{
    struct chunk *chunk = NULL;
    if (size <= CHUNK_SIZE) {
        (void)pthread_mutex_lock(&arena->mutex); /* cannot fail: a plain mutex */
        chunk = arena->spare;
        if (chunk) {
            arena->spare = chunk->next;
            arena->n_spare--;
        }
        (void)pthread_mutex_unlock(&arena->mutex);
    }
    size_t capacity = size > CHUNK_SIZE ? size : CHUNK_SIZE;
    if (!chunk && (chunk = malloc(sizeof *chunk + capacity)))
        chunk->capacity = capacity;
    if (chunk) {
        chunk->used = 0;
        chunk->next = NULL;
    }
    return chunk;
}

static void *allocate(struct batch *batch, struct arena *arena, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct chunk *chunk = arena->current;
    if (!chunk || chunk->capacity - chunk->used < size) {
        struct chunk *fresh = take_chunk(arena, size);
        if (!fresh)
            return NULL;
        if (chunk) {
            chunk->next = batch->used_up;
            batch->used_up = chunk;
        }
        arena->current = chunk = fresh;
    }
    void *memory = chunk->data + chunk->used;
    chunk->used += size;
    return memory;
}

/* What a copy is made with; a failure is kept and asked once. */
struct copier {
    struct batch *batch;
    struct arena *arena;
    int failed;
};

static const void *copy_bytes(struct copier *copier, const void *data, size_t size)
{
    if (!size || copier->failed)
        return NULL;
    void *copy = allocate(copier->batch, copier->arena, size);
    if (!copy) {
        copier->failed = ERR_NOMEM;
        return NULL;
    }
    return memcpy(copy, data, size);
}

static const char *copy_string(struct copier *copier, const char *string)
{
    if (!string || !*string)
        return "";
    return copy_bytes(copier, string, strlen(string) + 1);
}

static const struct curve *copy_curve(struct copier *copier, const struct curve *curve)
{
    if (!curve || !curve->n)
        return NULL;
    const void *steps = copy_bytes(copier, curve->steps, curve->n * sizeof *curve->steps);
    const void *values = copy_bytes(copier, curve->values, curve->n * sizeof *curve->values);
    struct curve *copy = copier->failed ? NULL : allocate(copier->batch, copier->arena, sizeof *copy);
    if (!copy) {
        copier->failed = ERR_NOMEM;
        return NULL;
    }
    copy->n = copy->capacity = curve->n;
    memcpy(&copy->steps, &steps, sizeof steps); /* nobody writes to them any more */
    memcpy(&copy->values, &values, sizeof values);
    return copy;
}

static void copy_experiment(struct copier *copier, struct experiment_record *record)
{
    struct text json = {0};
    if (!record->spec_json && record->spec) {
        spec_write_json(&json, record->spec);
        record->spec_json = text_get(&json);
        if (json.failed)
            copier->failed = ERR_NOMEM;
    }
    record->spec = NULL;
    record->name = copy_string(copier, record->name);
    record->spec_json = copy_string(copier, record->spec_json);
    record->source = copy_string(copier, record->source);
    record->file = copy_string(copier, record->file);
    record->directory = copy_string(copier, record->directory);
    record->command_line = copy_string(copier, record->command_line);
    record->git_revision = copy_string(copier, record->git_revision);
    record->text = copy_string(copier, record->text);
    text_fini(&json);
}

static void copy_names(struct copier *copier, struct wire_strs *names)
{
    struct wire_str *list = NULL;
    if (names->n && !copier->failed &&
        !(list = allocate(copier->batch, copier->arena, names->n * sizeof *list)))
        copier->failed = ERR_NOMEM;
    for (size_t i = 0; list && i < names->n; i++) {
        list[i].size = names->list[i].size;
        list[i].data = list[i].size ? copy_bytes(copier, names->list[i].data, list[i].size) : "";
    }
    names->list = list;
}

static void copy_targets(struct copier *copier, struct record *record)
{
    switch (record->kind) {
    case RECORD_EXPERIMENT:
        copy_experiment(copier, &record->experiment);
        break;
    case RECORD_EXPERIMENT_STATE:
        record->experiment.text = copy_string(copier, record->experiment.text);
        break;
    case RECORD_TRIAL:
        record->trial.text = copy_string(copier, record->trial.text);
        record->trial.log = copy_string(copier, record->trial.log);
        record->trial.point =
            copy_bytes(copier, record->trial.point, record->trial.n_params * sizeof *record->trial.point);
        record->trial.curve = copy_curve(copier, record->trial.curve);
        break;
    case RECORD_ATTEMPT:
        record->attempt.host = copy_string(copier, record->attempt.host);
        record->attempt.text = copy_string(copier, record->attempt.text);
        record->attempt.log = copy_string(copier, record->attempt.log);
        break;
    case RECORD_REPORTS:
        copy_names(copier, &record->reports.names);
        record->reports.reports.list =
            copy_bytes(copier, record->reports.reports.list,
                       record->reports.reports.n * sizeof *record->reports.reports.list);
        break;
    case RECORD_EVENT:
        record->event.kind = copy_string(copier, record->event.kind);
        record->event.text = copy_string(copier, record->event.text);
        break;
    }
}

int batch_append(struct batch *batch, struct arena *arena, const struct record *record)
{
    struct copier copier = {.batch = batch, .arena = arena};
    struct entry *entry = allocate(batch, arena, sizeof *entry);
    if (!entry)
        return ERR_NOMEM;
    *entry = (struct entry){.record = *record};
    copy_targets(&copier, &entry->record);
    if (copier.failed)
        return ERR_NOMEM; /* its memory goes with the batch */
    if (batch->last)
        batch->last->next = entry;
    else
        batch->first = entry;
    batch->last = entry;
    batch->n_trials += record->kind == RECORD_TRIAL;
    return 0;
}

void batch_join(struct batch *to, struct batch *from)
{
    if (from->first) {
        if (to->last)
            to->last->next = from->first;
        else
            to->first = from->first;
        to->last = from->last;
        to->n_trials += from->n_trials;
    }
    struct chunk **end = &from->used_up;
    while (*end)
        end = &(*end)->next;
    *end = to->used_up;
    to->used_up = from->used_up;
    *from = (struct batch){0};
}

void batch_recycle(struct batch *batch, struct arena *arena)
{
    struct chunk *excess = NULL;
    (void)pthread_mutex_lock(&arena->mutex); /* cannot fail: a plain mutex */
    while (batch->used_up) {
        struct chunk *chunk = batch->used_up;
        batch->used_up = chunk->next;
        bool is_kept = chunk->capacity == CHUNK_SIZE && arena->n_spare < MAX_SPARE;
        struct chunk **list = is_kept ? &arena->spare : &excess;
        chunk->next = *list;
        *list = chunk;
        arena->n_spare += is_kept;
    }
    (void)pthread_mutex_unlock(&arena->mutex);
    free_chunks(excess);
    *batch = (struct batch){0};
}

/* Empties the table's first slots, twice as many as records and a power of two; 0: out of memory. */
static size_t reserve_table(struct batch_table *table, size_t n)
{
    size_t capacity = 64;
    while (capacity < 2 * n)
        capacity *= 2;
    if (capacity > table->capacity) {
        struct entry **slots = realloc(table->slots, capacity * sizeof(struct entry *));
        if (!slots)
            return 0;
        table->slots = slots;
        table->capacity = capacity;
    }
    memset(table->slots, 0, capacity * sizeof(struct entry *));
    return capacity;
}

void batch_supersede(struct batch *batch, struct batch_table *table)
{
    size_t n_slots = batch->n_trials < 2 ? 0 : reserve_table(table, batch->n_trials);
    if (!n_slots)
        return;
    size_t mask = n_slots - 1;
    for (struct entry *entry = batch->first; entry; entry = entry->next) {
        if (entry->record.kind != RECORD_TRIAL)
            continue;
        const struct trial_record *trial = &entry->record.trial;
        size_t i = rng_mix((uint64_t)trial->key, trial->trial) & mask;
        while (table->slots[i] && (table->slots[i]->record.trial.trial != trial->trial ||
                                   table->slots[i]->record.trial.key != trial->key))
            i = (i + 1) & mask;
        if (table->slots[i])
            table->slots[i]->is_superseded = true;
        table->slots[i] = entry;
    }
}

void batch_table_fini(struct batch_table *table)
{
    free(table->slots);
    *table = (struct batch_table){0};
}

#ifndef CORE_SPEC_READER_H
#define CORE_SPEC_READER_H

#include "core/spec.h"
#include "core/yaml.h"

/* What core/spec_*.c share while they turn a tree into a spec. Whatever is wrong becomes a fault at its
 * place, and the reading goes on; what a faulty value would have set keeps its default. */

struct reader {
    struct spec *spec;
    struct yaml_doc *doc;
    struct faults *faults;
    size_t n_values; /* of all parameters and conditions */
    int code;        /* 0 or ERR_NOMEM */
};

/* Lookups are linear, so that files of peers cannot make them last. */
#define MAX_PARAMS     4096
#define MAX_VALUES     4096   /* of one parameter or condition */
#define MAX_ALL_VALUES 100000 /* so that the spec as JSON stays below YAML_MAX_NODES */

/* Counts `n` more values, of the list `node`; false (and a fault) if they are too many. */
bool count_values(struct reader *r, const struct yaml *node, size_t n);

/* One key that a map may have. */
struct field {
    const char *name;
    /* Reads pair->value into `target`, which is at `offset` in what the map describes. */
    void (*read)(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair);
    size_t offset;
    double min, max;     /* of numbers */
    const char *choices; /* of read_choice: "a|b|c" */
};

/* Reads a map by its table into `out`. Faults: not a map, unknown keys (`what` names the map in them; NULL:
 * the file), empty values. A null counts as not given. */
void read_fields(struct reader *r, void *out, const struct field *fields, size_t n_fields, const char *what,
                 const struct yaml *map);
#define READ_FIELDS(r, out, fields, what, map)                                                               \
    read_fields(r, out, fields, sizeof(fields) / sizeof *(fields), what, map)

/* Readers for tables. Targets: int64_t, double, char * (owned), int or enum. */
void read_int(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair);
void read_double(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair);
void read_string(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair);
void read_choice(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair);

/* Begins a search for what the user meant by `word`; in a file with very many faults it finds nothing,
 * quickly. */
struct nearest nearest_in_file(const struct reader *r, const char *word);
/* False when memory is out, or when there are more faults than anybody is told: then the rest is not read. */
bool goes_on(const struct reader *r);
/* Is there anything to read? Empty values are faults, nulls are not. */
bool is_given(struct reader *r, const struct yaml_pair *pair);
void fault_unknown_key(struct reader *r, const struct yaml_pair *pair, const char *what,
                       struct nearest nearest);
/* Replaces *target by a copy. */
void set_string(struct reader *r, char **target, const char *text);

/* Sections of the file; `target` and `field` as for every reader. */
void read_train(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair);
void read_metric(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair);
void read_parameters(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair);
void read_table_source(struct reader *r, void *target, const struct field *field,
                       const struct yaml_pair *pair);
void read_plugin(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair);
/* `distributed: {...}`; `workers_per_trial: 2` is short for its first key. */
void read_distributed(struct reader *r, void *target, const struct field *field,
                      const struct yaml_pair *pair);
void read_workers_per_trial(struct reader *r, void *target, const struct field *field,
                            const struct yaml_pair *pair);
/* What gangs ask of the other sections, all of which have been read. */
void settle_gang(struct reader *r, const struct yaml *root);
/* Every `when` of the parameters, which have been read. */
void read_conditions(struct reader *r, const struct yaml *parameters);
/* Section warm_start, once the space is finished. */
void read_warm_start(struct reader *r, const struct yaml *root);
/* Is the text a number as JSON writes them? */
bool is_json_number(const char *text);
/* Adds every key of a map (with a dot behind `prefix`, if there is one) to the settings of a plug-in. */
void read_settings(struct reader *r, struct plugin *plugin, const char *prefix, const struct yaml *map);

/* The section of context ablation, once the parameters are known. */
void read_ablation(struct reader *r, const struct yaml *root);

/* Faults of ${name} in the command, once the parameters are known. */
void check_command(struct reader *r, const struct yaml *root);

/* Puts every override in its place in the tree. */
void apply_overrides(struct reader *r, struct yaml *root, const struct override *overrides,
                     size_t n_overrides);

/* A reference in a string: "$$", "${name}" or a "${" without end. */
enum piece_kind { PIECE_END, PIECE_TEXT, PIECE_DOLLAR, PIECE_NAME, PIECE_UNCLOSED };
struct piece {
    enum piece_kind kind;
    const char *start; /* of the text or of the name */
    size_t size;
};
/* Takes the next piece of *at. */
struct piece next_piece(const char **at);
/* Is it a parameter, or budget, trial, attempt, seed or ablated? */
bool is_reference(const struct space *space, const char *name, size_t size);

#endif

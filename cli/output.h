#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>

#include "cli/command.h"
#include "cli/table.h"

/* What commands print on stdout. A failed write is noticed once, at the end of the process (cli_main). */

/* One JSON document: on one line, or indented on a terminal. Takes `json`; NULL says out of memory. Returns
 * an enum cli_status. */
int output_json(const struct cli_call *call, json_t *json);
/* The same as text; `depth` is how far it is indented already, or -1 for one line. */
void output_append_json(struct text *out, const json_t *json, int depth);
/* The table, at the terminal's width. Takes it. Returns an enum cli_status. */
int output_table(const struct cli_call *call, struct table *table);

/* The same as text. Numbers have the shortest form that reads back as the same double, which jansson does not
 * write. */
void json_write(struct text *out, const json_t *json);

/* Members of a JSON object, with what stands for a missing or null one. Lend. */
const char *json_text(const json_t *object, const char *key); /* "" */
double json_number(const json_t *object, const char *key);    /* NaN */
int64_t json_whole(const json_t *object, const char *key);    /* 0 */
/* Milliseconds since 1970 of an ISO 8601 time in UTC; 0 if there is none. */
int64_t json_time_ms(const json_t *object, const char *key);
/* A value as people read it: strings without quotes, numbers, true; compact JSON for the rest. */
void json_append(struct text *out, const json_t *value);
/* The same with every digit, as a program may read it back. */
void json_append_exact(struct text *out, const json_t *value);
/* An object of parameters as "lr=0.1 solver=adam". */
void json_append_params(struct text *out, const json_t *params);

/* An experiment's state for people: one that is "running" without a driver is "unfinished". */
const char *output_state(const json_t *experiment);
enum table_style output_state_style(const json_t *experiment);

#endif

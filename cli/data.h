#ifndef CLI_DATA_H
#define CLI_DATA_H

#include <jansson.h>

#include "core/err.h"
#include "driver/store_query.h"

/* Where results are read: a database file, or a running driver, which gives the same documents
 * (driver/store_query.h describes them). */
struct data {
    struct query *query;   /* of a database; NULL: ask the driver */
    struct client *client; /* of a driver; NULL: read the database */
};

/* From `endpoint` if it is not NULL, else from `database`. ERR_NOT_FOUND: there is no such database. */
int data_open(struct data *data, const char *database, const char *endpoint, struct err *err);
void data_close(struct data *data);

/* Document `what` ("experiments", "show", "trials", "best") of an experiment (NULL: the newest), as text to
 * stdout: one line. */
int data_print(struct data *data, const char *what, const char *experiment, struct err *err);
/* The same parsed; *document is the caller's. */
int data_query(json_t **document, struct data *data, const char *what, const char *experiment,
               struct err *err);
/* Parses a document's text. */
int data_parse(json_t **document, const char *text, struct err *err);

#endif

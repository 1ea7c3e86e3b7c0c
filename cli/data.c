/* Where results are read. */
#include "cli/data.h"

#include <stdio.h>
#include <stdlib.h>

#include "sdk/client.h"

enum { QUERY_TIMEOUT_MS = 15000 };

int data_open(struct data *data, const char *database, const char *endpoint, struct err *err)
{
    *data = (struct data){0};
    return endpoint ? client_connect(&data->client, endpoint, err) : query_open(&data->query, database, err);
}

void data_close(struct data *data)
{
    query_close(data->query);
    client_close(data->client);
    *data = (struct data){0};
}

/* From the driver; the caller frees *text. */
static int ask_driver(char **text, struct data *data, const char *what, const char *experiment,
                      struct err *err)
{
    int code = client_query(text, data->client, what, experiment, QUERY_TIMEOUT_MS, err);
    return code == ERR_TIMEOUT ? err_set(err, code, "no driver answers there; is `prova driver` running?")
                               : code;
}

int data_print(struct data *data, const char *what, const char *experiment, struct err *err)
{
    int code;
    if (data->query) {
        code = query_document(data->query, what, experiment, query_to_file(stdout), err);
    } else {
        char *text = NULL;
        code = ask_driver(&text, data, what, experiment, err);
        if (!code)
            (void)fputs(text, stdout); /* asked at the end of the process */
        free(text);
    }
    return code;
}

int data_parse(json_t **document, const char *text, struct err *err)
{
    json_error_t fault;
    *document = json_loads(text, 0, &fault);
    return *document ? 0 : err_set(err, ERR_INVALID, "a document that is no JSON: %s", fault.text);
}

int data_query(json_t **document, struct data *data, const char *what, const char *experiment,
               struct err *err)
{
    int code;
    if (data->query) {
        struct text text = {0};
        code = query_document(data->query, what, experiment, query_to_text(&text), err);
        if (!code)
            code = data_parse(document, text_get(&text), err);
        text_fini(&text);
        return code;
    }
    char *text = NULL;
    code = ask_driver(&text, data, what, experiment, err);
    if (!code)
        code = data_parse(document, text, err);
    free(text);
    return code;
}

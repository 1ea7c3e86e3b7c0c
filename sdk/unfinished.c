/* Which experiment to resume, from the documents that `prova ls` and `prova show` print and a driver answers
 * QUERY with. A driver is asked by a process that is forked for it: the client has threads. */
#include "sdk/unfinished.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "core/text.h"
#include "sdk/client.h"
#include "sdk/command.h"

enum { ANSWER_TIMEOUT_MS = 15000 };

struct source {
    const char *endpoint, *database;
};

/* The child: prints the document, or the error, into `fd`. */
static void answer(int fd, const char *endpoint, const char *what, const char *experiment)
{
    struct client *client = NULL;
    struct err err = {0};
    char *json = NULL;
    int rc = client_connect(&client, endpoint, &err);
    if (rc == ERR_OK)
        rc = client_query(&json, client, what, experiment, ANSWER_TIMEOUT_MS, &err);
    const char *text = rc ? err.text : json;
    for (size_t size = strlen(text); size > 0;) {
        ssize_t n = write(fd, text, size);
        if (n < 0)
            break; /* the parent is gone */
        text += n;
        size -= (size_t)n;
    }
    _exit(rc ? 1 : 0);
}

static int ask_driver(char **json, const struct source *source, const char *what, const char *experiment,
                      struct err *err)
{
    int ends[2], status = 0;
    char buffer[4096];
    ssize_t n;
    struct text text = {0};
    if (pipe2(ends, O_CLOEXEC))
        return err_set(err, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        answer(ends[1], source->endpoint, what, experiment);
    (void)close(ends[1]);
    while (pid > 0 && ((n = read(ends[0], buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR))) {
        if (n > 0)
            text_append_bytes(&text, buffer, (size_t)n);
    }
    (void)close(ends[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    int rc = ERR_OK;
    if (pid < 0)
        rc = err_set(err, ERR_IO, "cannot start a process: %s", strerror(errno));
    else if (status)
        rc = err_set(err, ERR_CLOSED, "%s: %.200s", source->endpoint, text_get(&text));
    else if (!(*json = text_take(&text)))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    text_fini(&text);
    return rc;
}

/* *json NULL: there is no such thing, or no database yet. */
static int fetch(json_t **json, const struct source *source, const char *what, const char *experiment,
                 struct err *err)
{
    char *text = NULL;
    *json = NULL;
    if (source->endpoint) {
        int rc = ask_driver(&text, source, what, experiment, err);
        if (rc)
            return rc;
    } else {
        const char *ls[] = {"prova", "ls", "--json", "--db", source->database, NULL};
        const char *show[] = {"prova", "show", "--json", "--db", source->database, experiment, NULL};
        int rc = command_output(&text, *experiment ? show : ls, err);
        if (rc || !text)
            return rc;
    }
    *json = json_loads(text, 0, NULL);
    free(text);
    return *json ? ERR_OK : err_set(err, ERR_PROTOCOL, "the answer about experiments is no JSON");
}

static const char *find_id(const json_t *list, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)list, i, item) /* the newest first */
    {
        const char *its = json_string_value(json_object_get(item, "name"));
        const char *state = json_string_value(json_object_get(item, "state"));
        if (its && state && !strcmp(its, name) && strcmp(state, "completed") != 0)
            return json_string_value(json_object_get(item, "id"));
    }
    return NULL;
}

static int read_spec(struct spec **spec, const json_t *document, struct err *err)
{
    const json_t *json = json_object_get(json_object_get(document, "experiment"), "spec");
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    struct faults faults = {0};
    int rc = text ? spec_parse(spec, text, strlen(text), "", NULL, 0, &faults) : ERR_PROTOCOL;
    if (rc)
        err_set(err, rc, "the experiment's own description cannot be read");
    faults_fini(&faults);
    free(text);
    return rc;
}

int unfinished_find(struct id *id, struct spec **spec, const char *name, const char *endpoint,
                    const char *database, struct err *err)
{
    struct source source = {endpoint, database};
    json_t *list = NULL, *document = NULL;
    *spec = NULL;
    int rc = fetch(&list, &source, "experiments", "", err);
    const char *found = rc == ERR_OK && list ? find_id(json_object_get(list, "experiments"), name) : NULL;
    if (found && id_parse(id, found))
        rc = err_set(err, ERR_PROTOCOL, "'%.50s' is no experiment's id", found);
    if (rc == ERR_OK && found)
        rc = fetch(&document, &source, "show", found, err);
    if (rc == ERR_OK && document)
        rc = read_spec(spec, document, err);
    json_decref(document);
    json_decref(list);
    return rc;
}

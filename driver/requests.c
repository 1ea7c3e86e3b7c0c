/* What clients ask for. Every request has one answer (a WATCH has its STATUS messages); what it says happened
 * is on disk before it is sent. Requests may be repeated: see core/PROTOCOL.md. */
#include "driver/server_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "contexts/context.h"
#include "core/faults.h"
#include "core/log.h"
#include "driver/store_query.h"

/* Answers once everything that was handed to the store so far is on disk. */
static void reply(struct server *server, uint64_t request, int code, struct id experiment, const char *text)
{
    struct wire_message message = {
        .type = WIRE_REPLY,
        .reply = {.request = request, .code = code, .experiment = experiment, .text = wire_string(text)}};
    outbox_park(server->outbox, &server->route, &message, server->last_sequence);
}

void request_refuse(struct server *server, uint64_t request, const struct err *err)
{
    struct wire_message message = {
        .type = WIRE_REPLY, .reply = {.request = request, .code = err->code, .text = wire_string(err->text)}};
    outbox_send(server->outbox, &server->route, &message);
}

/* Makes sure that the engine has the experiment, if this driver may have it. */
static int find(int64_t *key, struct server *server, struct id experiment, struct err *err)
{
    struct id found;
    if (engine_find(&found, key, server->engine, experiment))
        return 0;
    int rc = server_load(server, experiment, err);
    if (rc)
        return rc;
    if (engine_find(&found, key, server->engine, experiment))
        return 0;
    return err_set(err, ERR_NOT_FOUND, "this driver does not have that experiment");
}

/* Submit */

/* Everything that is wrong with the file, or the spec, ready to run but for its directory and seed. */
static struct spec *read_spec(struct server *server, const struct wire_submit *submit)
{
    struct faults faults = {0};
    struct spec *spec = NULL;
    int rc =
        spec_parse_faulty(&spec, submit->spec.data, submit->spec.size, submit->file.data, NULL, 0, &faults);
    if (spec && context_check(spec, &faults) > 0)
        rc = ERR_INVALID;
    if (rc == 0 && faults.failed)
        rc = faults.failed;
    if (rc) {
        struct text text = {0};
        faults_write(&text, &faults, submit->file.data);
        text_trim(&text);
        reply(server, submit->request, rc, submit->experiment, text.size ? text_get(&text) : err_string(rc));
        text_fini(&text);
        spec_destroy(spec);
        spec = NULL;
    }
    faults_fini(&faults);
    return spec;
}

/* Seeds are drawn small enough to be read, compared and typed by people. */
static void settle_seed(struct spec *spec)
{
    uint32_t seed = 0;
    if (spec->has_seed)
        return;
    while (getrandom(&seed, sizeof seed, 0) != sizeof seed) /* only a signal can come between */
        continue;
    spec->seed = seed;
    spec->has_seed = true;
}

/* Workers may run elsewhere: they are told an absolute directory. */
static int settle_directory(struct spec *spec, const char *base)
{
    const char *own = spec->train.directory;
    if (own && own[0] == '/')
        return 0;
    struct text path = {0};
    text_append(&path, *base ? base : ".");
    if (own && strcmp(own, ".") != 0)
        text_printf(&path, "/%s", own);
    char *settled = text_take(&path);
    if (!settled)
        return ERR_NOMEM;
    free(spec->train.directory);
    spec->train.directory = settled;
    return 0;
}

/* What the spec only names of its warm start is read now, so that what is kept of it is the points. Files are
 * for the client to read: a path of its own means nothing here. */
static int settle_warm_start(struct server *server, struct spec *spec, const char *base, struct err *err)
{
    if (spec->warm_start.csv)
        return err_set(err, ERR_INVALID,
                       "warm_start: '%.100s' was not read by the client; give its content as 'table'",
                       spec->warm_start.csv);
    return query_warm_start(spec, store_path(server->store), base, err);
}

static int settle(struct text *json, struct server *server, const struct wire_submit *submit,
                  struct spec *spec, struct err *err)
{
    settle_seed(spec);
    int rc = settle_warm_start(server, spec, submit->directory.data, err);
    if (rc)
        return rc;
    rc = settle_directory(spec, submit->directory.data);
    if (!rc) {
        spec_write_json(json, spec);
        rc = json->failed;
    }
    return rc ? err_set(err, rc, "%s", err_string(rc)) : 0;
}

/* Takes the spec. */
static int start(struct server *server, const struct wire_submit *submit, struct spec *spec, struct err *err)
{
    struct text json = {0};
    int rc = settle(&json, server, submit, spec, err);
    if (rc) {
        spec_destroy(spec);
        text_fini(&json);
        return rc;
    }
    struct experiment_record record = {.id = submit->experiment,
                                       .name = spec->name,
                                       .spec = spec,
                                       .spec_json = text_get(&json),
                                       .source = submit->spec.data,
                                       .file = submit->file.data,
                                       .directory = submit->directory.data,
                                       .command_line = submit->command_line.data,
                                       .git_revision = submit->git_revision.data,
                                       .state = EXPERIMENT_RUNNING};
    rc = engine_submit(server->engine, &record, spec, server->now_ns, err);
    server_settle(server);
    text_fini(&json);
    return rc;
}

static void submit(struct server *server, const struct wire_submit *message)
{
    struct err err = {0};
    int64_t key;
    if (message->protocol != WIRE_VERSION) {
        (void)err_set(
            &err, ERR_VERSION,
            "the driver speaks protocol version %d, this client %llu: use the same prova on both sides",
            WIRE_VERSION, (unsigned long long)message->protocol);
        request_refuse(server, message->request, &err);
        return;
    }
    if (id_is_none(message->experiment)) {
        (void)err_set(&err, ERR_INVALID, "SUBMIT needs an experiment id of the client's choice");
        request_refuse(server, message->request, &err);
        return;
    }
    int rc = find(&key, server, message->experiment, &err);
    if (rc && rc != ERR_NOT_FOUND) {
        request_refuse(server, message->request, &err);
        return;
    }
    if (rc == ERR_NOT_FOUND) {
        struct spec *spec = read_spec(server, message);
        if (!spec)
            return; /* answered */
        rc = start(server, message, spec, &err);
        if (rc == 0 && engine_find(&(struct id){{0}}, &key, server->engine, message->experiment))
            log_info("experiment submitted key=%lld file=\"%s\"", (long long)key, message->file.data);
    }
    reply(server, message->request, rc, message->experiment, rc ? err.text : "");
}

/* Others */

typedef int engine_order_fn(struct engine *engine, struct id experiment, int64_t now_ns, struct err *err);

static void order(struct server *server, engine_order_fn *order_fn, uint64_t request, struct id experiment)
{
    struct err err = {0};
    int64_t key;
    int rc = find(&key, server, experiment, &err);
    if (!rc)
        rc = order_fn(server->engine, experiment, server->now_ns, &err);
    server_settle(server);
    reply(server, request, rc, experiment, rc ? err.text : "");
}

static void watch(struct server *server, const struct wire_watch *message)
{
    struct err err = {0};
    int64_t key;
    int rc = find(&key, server, message->experiment, &err);
    if (rc)
        request_refuse(server, message->request, &err);
    else if (watches_add(server->watches, key, message->experiment, &server->route, message->request,
                         message->interval_ms))
        server->failed = ERR_NOMEM;
}

static void query(struct server *server, const struct wire_query *message)
{
    struct err err = {0};
    if (clerk_ask(server->clerk, &server->route, message->request, message->what.data,
                  message->experiment.data, &err))
        request_refuse(server, message->request, &err);
}

void request_message(struct server *server, const struct wire_message *message)
{
    switch (message->type) {
    case WIRE_SUBMIT:
        submit(server, &message->submit);
        return;
    case WIRE_RESUME:
        order(server, engine_resume, message->resume.request, message->resume.experiment);
        return;
    case WIRE_CANCEL:
        order(server, engine_cancel, message->cancel.request, message->cancel.experiment);
        return;
    case WIRE_WATCH:
        watch(server, &message->watch);
        return;
    case WIRE_QUERY:
        query(server, &message->query);
        return;
    default: {
        struct err err;
        (void)err_set(&err, ERR_PROTOCOL, "%s is not for the driver", wire_type_name(message->type));
        request_refuse(server, 0, &err);
    }
    }
}

void request_documents(struct server *server)
{
    struct document document;
    while (clerk_next(&document, server->clerk)) {
        struct wire_message message = {.type = WIRE_REPLY,
                                       .reply = {.request = document.request,
                                                 .code = document.code,
                                                 .text = wire_string(document.text)}};
        outbox_send(server->outbox, &document.route, &message);
        free(document.text);
    }
}

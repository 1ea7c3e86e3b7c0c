/* Watching an experiment. One wait for everything: the client waits for STATUS with an epoll descriptor as
 * its alarm, in which are the end of whoever reads stdout and, where a database is read, all that happens to
 * the file that says where its driver is. */
#include "cli/watcher.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "cli/output.h"
#include "core/trial.h"
#include "driver/store.h"
#include "sdk/client.h"

struct watching {
    const struct watcher *watcher;
    struct client *client; /* lent by `data`, or `own` */
    struct client *own;    /* of a database's driver */
    int epoll_fd, inotify_fd;
    char *driver_file; /* says where the database's driver is */
    char endpoint[STORE_ENDPOINT_SIZE];
    struct id id;
    char id_text[ID_TEXT_SIZE], name[64];
    bool is_over, is_live;
};

/* Reading how it stands */

static int64_t count_running(const json_t *document)
{
    const json_t *counts = json_object_get(document, "counts");
    return json_whole(counts, trial_state_name(TRIAL_ASSIGNED)) +
           json_whole(counts, trial_state_name(TRIAL_RUNNING)) +
           json_whole(counts, trial_state_name(TRIAL_STOPPING));
}

/* Without a driver nothing goes on, whatever was running. */
static int take_document(struct watching *watching, const json_t *document)
{
    const json_t *experiment = json_object_get(document, "experiment");
    bool is_running = !strcmp(json_text(experiment, "state"), experiment_state_name(EXPERIMENT_RUNNING));
    bool has_driver = json_is_object(json_object_get(document, "driver"));
    watching->is_live = json_is_true(json_object_get(experiment, "live"));
    watching->is_over = !is_running && (!has_driver || count_running(document) == 0);
    (void)snprintf(watching->name, sizeof watching->name, "%s", json_text(experiment, "name"));
    (void)snprintf(watching->id_text, sizeof watching->id_text, "%s", json_text(experiment, "id"));
    return id_parse(&watching->id, watching->id_text);
}

static int look(struct watching *watching, bool is_first, struct err *err)
{
    const struct watcher *watcher = watching->watcher;
    json_t *document = NULL;
    int code =
        data_query(&document, watcher->data, "show", is_first ? watcher->experiment : watching->id_text, err);
    if (code == ERR_TIMEOUT && !is_first && client_is_cut_off(watching->client))
        return 0; /* once it is back there is a STATUS */
    if (!code)
        code = take_document(watching, document);
    if (!code && !(is_first && watching->is_live)) /* else the watch begins with a STATUS */
        watcher->changed(watcher->arg, document);
    json_decref(document);
    return code;
}

/* The driver */

static int watch(struct watching *watching, struct err *err)
{
    client_set_alarm(watching->client, watching->epoll_fd);
    client_set_wait(watching->client, watching->watcher->wait_s * 1000);
    return client_watch(watching->client, watching->id, watching->watcher->interval_ms, err);
}

/* Connects to the driver that has the database now, if that is another one. */
static int reach(struct watching *watching, struct err *err)
{
    struct store_driver driver;
    struct client *client = NULL;
    if (watching->watcher->data->client || store_find_driver(&driver, watching->watcher->db) ||
        !driver.endpoint[0] || !strcmp(driver.endpoint, watching->endpoint))
        return 0;
    int code = client_connect(&client, driver.endpoint, err);
    if (code)
        return code;
    client_close(watching->own);
    watching->own = watching->client = client;
    memcpy(watching->endpoint, driver.endpoint, sizeof driver.endpoint);
    return watch(watching, err);
}

/* Tells of the file, and of one that takes its place. It need not be there. */
static void watch_driver_file(struct watching *watching)
{
    (void)inotify_add_watch(watching->inotify_fd, watching->driver_file, IN_MODIFY);
}

static int open_driver_file(struct watching *watching, struct err *err)
{
    watching->driver_file = store_driver_file(watching->watcher->db);
    watching->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char *folder = watching->driver_file ? strdup(watching->driver_file) : NULL;
    if (!folder)
        return err_set(err, ERR_NOMEM, "out of memory");
    *strrchr(folder, '/') = '\0';
    struct epoll_event event = {.events = EPOLLIN, .data.fd = watching->inotify_fd};
    int code = 0;
    if (watching->inotify_fd < 0 ||
        inotify_add_watch(watching->inotify_fd, *folder ? folder : "/", IN_CREATE | IN_MOVED_TO) < 0 ||
        epoll_ctl(watching->epoll_fd, EPOLL_CTL_ADD, watching->inotify_fd, &event))
        code = err_set(err, ERR_IO, "cannot follow files: %s", strerror(errno));
    free(folder);
    watch_driver_file(watching);
    return code;
}

static int open_alarm(struct watching *watching, struct err *err)
{
    struct epoll_event event = {.data.fd = STDOUT_FILENO}; /* its end is told unasked */
    watching->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (watching->epoll_fd < 0 ||
        (epoll_ctl(watching->epoll_fd, EPOLL_CTL_ADD, STDOUT_FILENO, &event) && errno != EPERM)) /* a file */
        return err_set(err, ERR_IO, "cannot wait for events: %s", strerror(errno));
    return watching->watcher->data->client ? 0 : open_driver_file(watching, err);
}

/* Waiting */

static int take_alarm(struct watching *watching, struct err *err)
{
    struct epoll_event events[2];
    char changes[4096];
    int n = epoll_wait(watching->epoll_fd, events, 2, 0);
    for (int i = 0; i < n; i++) {
        if (events[i].data.fd == STDOUT_FILENO)
            return err_set(err, ERR_INTERRUPTED, "nobody reads any more");
    }
    while (watching->inotify_fd >= 0 && read(watching->inotify_fd, changes, sizeof changes) > 0)
        ; /* that there are some is all that matters */
    watch_driver_file(watching);
    return reach(watching, err);
}

/* The driver has just gone, or for too long. */
static int take_silence(struct watching *watching, struct err *err)
{
    if (client_has_given_up(watching->client))
        return err_set(err, ERR_CLOSED,
                       "gave up after %" PRId64
                       " s without a driver (--wait says how long); resume '%s' to go on",
                       watching->watcher->wait_s, watching->name);
    (void)fputs("prova show: the driver is away; waiting for it to come back\n", stderr);
    return watching->own ? look(watching, false, err) : 0;
}

static int step(struct watching *watching, struct err *err)
{
    struct wire_status status;
    int code = client_next_status(&status, watching->client, -1, err);
    switch (code) {
    case 0:
        return look(watching, false, err);
    case ERR_INTERRUPTED:
        return take_alarm(watching, err);
    case ERR_TIMEOUT:
        return take_silence(watching, err);
    case ERR_CLOSED: /* it says so before it is away */
        return 0;
    case ERR_NOT_FOUND: /* a new driver does not know what had ended */
        code = look(watching, false, err);
        return code || watching->is_over ? code : ERR_NOT_FOUND;
    default:
        return code;
    }
}

static int follow(struct watching *watching, struct err *err)
{
    if (!watching->is_live)
        return err_set(err, ERR_CLOSED, "no driver runs '%s' any more; resume it to go on", watching->name);
    int code = open_alarm(watching, err);
    if (!code && watching->client)
        code = watch(watching, err);
    else if (!code)
        code = reach(watching, err);
    if (!code && !watching->client)
        code = err_set(err, ERR_CLOSED, "the driver of '%s' is about to begin; try again", watching->name);
    while (!code && !watching->is_over)
        code = step(watching, err);
    return code;
}

int watcher_run(const struct watcher *watcher, struct err *err)
{
    struct watching watching = {
        .watcher = watcher, .client = watcher->data->client, .epoll_fd = -1, .inotify_fd = -1};
    int code = look(&watching, true, err);
    if (!code && !watching.is_over)
        code = follow(&watching, err);
    if (watcher->data->client)
        client_set_alarm(watcher->data->client, -1);
    client_close(watching.own);
    free(watching.driver_file);
    if (watching.inotify_fd >= 0)
        (void)close(watching.inotify_fd);
    if (watching.epoll_fd >= 0)
        (void)close(watching.epoll_fd);
    return code;
}

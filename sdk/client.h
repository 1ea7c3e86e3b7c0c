#ifndef SDK_CLIENT_H
#define SDK_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "core/id.h"
#include "core/wire.h"

/* A client of a driver: submits, follows and stops experiments. One DEALER socket; not for two threads. Every
 * timeout is in milliseconds; a negative one waits without end. */

struct client;

/* Does not wait for the driver. ERR_INVALID: that is no endpoint. */
int client_connect(struct client **client, const char *endpoint, struct err *err);
void client_close(struct client *client);

/* Each waits for the answer: ERR_TIMEOUT after `timeout_ms` without one (the driver may be away: the request
 * is sent again on reconnection, and is idempotent), else the driver's own code and text. */
struct client_submission {
    struct id experiment;
    const char *spec, *file, *directory, *command_line, *git_revision;
};
int client_submit(struct client *client, const struct client_submission *submission, int timeout_ms,
                  struct err *err);
int client_resume(struct client *client, struct id experiment, int timeout_ms, struct err *err);
int client_cancel(struct client *client, struct id experiment, int timeout_ms, struct err *err);
/* *json is the document, which the caller frees. */
int client_query(char **json, struct client *client, const char *what, const char *experiment, int timeout_ms,
                 struct err *err);

/* Asks for STATUS messages of an experiment, at most one every `interval_ms`. Instead of an earlier watch. */
int client_watch(struct client *client, struct id experiment, int interval_ms, struct err *err);
/* Waits for the next one; it borrows from the client until the next call. ERR_TIMEOUT, ERR_INTERRUPTED (a
 * signal came), ERR_CLOSED (the driver said BYE), or the driver's refusal of the watch. Watches are renewed
 * by themselves when the driver was restarted. */
int client_next_status(struct wire_status *status, struct client *client, int timeout_ms, struct err *err);
/* Whether the connection has ended and was not made anew yet, as far as the calls above have seen. */
bool client_is_cut_off(const struct client *client);
/* From now on client_next_status returns ERR_TIMEOUT also when the connection has just ended, and when it was
 * not made anew in `wait_ms` (0: however long that takes); then so does a request that waits. */
void client_set_wait(struct client *client, int64_t wait_ms);
/* Whether that time is over. */
bool client_has_given_up(const struct client *client);
/* Another descriptor to look at while waiting: when it is readable, every wait above returns ERR_INTERRUPTED
 * (a request may then be made again). -1: none. Borrows. */
void client_set_alarm(struct client *client, int fd);
/* To be polled together with others: readable when client_next_status with a timeout of 0 is worth a call.
 * Drain it (until ERR_TIMEOUT) before every wait, and after every other call: the readiness of the socket
 * below is told once. -1: it cannot be made. */
int client_fd(struct client *client);

#endif

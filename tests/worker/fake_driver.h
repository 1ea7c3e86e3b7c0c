#ifndef TESTS_WORKER_FAKE_DRIVER_H
#define TESTS_WORKER_FAKE_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/id.h"
#include "core/wire.h"

/* A driver in the hands of a test, and the real worker (host.c) as its child. Every wait has a limit and
 * fails the test. All processes that descend from the test are its children in the end, so none can hide. */

#define FAKE_MAX_REPORTS 100000

struct fake {
    void *context, *router;
    char directory[64]; /* temporary; trials are in it */
    char endpoint[128];
    struct wire_decoder *decoder;
    struct wire_message message; /* the last one that has come */
    struct wire_buffer buffer;
    struct id worker; /* who has sent it */
    uint64_t greeting, seq;
    uint64_t pid;     /* of who has sent the last greeting */
    bool skips_joins; /* a member says again and again that it is ready */
    uint64_t held[8]; /* trials of the last greeting */
    size_t n_held;
    struct id experiment;
    uint64_t heartbeat_ms;
    pid_t host;
};

/* How an attempt ended, and all that was reported until then. */
struct ending {
    uint64_t trial, attempt, outcome;
    double value;
    char text[2048], log[512];
    size_t n_frames, n;
    struct report *reports; /* [FAKE_MAX_REPORTS], metric: index into `names` */
    size_t n_names;
    char names[16][32]; /* [0] the objective */
};

/* Temporary folder, socket, subreaper. */
void fake_init(struct fake *fake);
/* Ends the host, if it lives, and checks that no process is left. */
void fake_fini(struct fake *fake);
/* The driver dies and comes back (bind), knowing nobody. */
void fake_bind(struct fake *fake);
void fake_unbind(struct fake *fake);

/* Starts the host with these options (NULL-terminated). */
void fake_start_host(struct fake *fake, const char *const *options);
/* Its exit status; it must end by itself. */
int fake_await_host(struct fake *fake);
/* Waits until every process that descends from the test has ended. */
void fake_await_no_children(void);

/* The next message but heartbeats and a PROGRESS that says nothing; it must be of this type. Lends until the
 * next one. */
const struct wire_message *fake_expect(struct fake *fake, enum wire_type type);
/* The next heartbeat, whatever comes before. */
void fake_await_heartbeat(struct fake *fake);
void fake_send(struct fake *fake, const struct wire_message *message);
/* Answers a greeting with WELCOME. */
void fake_welcome(struct fake *fake);
/* Starts the host and welcomes it, with an experiment of this `train:` and further sections. */
void fake_begin(struct fake *fake, const char *spec, const char *const *options);
void fake_send_experiment(struct fake *fake, const char *spec);
void fake_assign(struct fake *fake, uint64_t trial, uint64_t attempt, double act);
void fake_stop(struct fake *fake, uint64_t trial, uint64_t attempt, enum stop_reason reason);
void fake_ack(struct fake *fake, uint64_t seq);
void fake_bye(struct fake *fake, int64_t code, const char *text);
/* Collects PROGRESS up to the end of an attempt, checks the numbering, and acknowledges it. */
void fake_await_end(struct ending *ending, struct fake *fake);
void ending_fini(struct ending *ending);

/* A file below the fake's folder: its text ("" if there is none), in a buffer of the function's own. */
const char *fake_read_file(struct fake *fake, const char *path);
/* The folder of a trial. Lends until the next call. */
const char *fake_trial_directory(struct fake *fake, uint64_t trial);
/* Waits until this file exists and is not empty. */
void fake_await_file(const char *path);

/* A sweep file as canonical JSON: the acts as first parameter, `train`, and further sections, each as JSON.
 */
const char *fake_spec(const char *train, const char *more);
extern const char fake_function[]; /* as `train`: the host's own function */

#endif

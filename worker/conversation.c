/* The worker's side of the protocol: greetings, assignments, stops, acknowledgements, heartbeats. What an
 * attempt reports and how it ends is in progress.c.
 *
 * Invariants: nothing but greetings is sent before WELCOME; the attempts of HOLD are exactly those of the
 * outbox; `over` is set once and ends everything. */
#include "worker/conversation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "worker/clock.h"
#include "worker/fleet.h"
#include "worker/progress.h"

#define GREETING_NS   (2 * NS_PER_S)   /* not welcomed for so long: greets again */
#define REGREET_NS    (50 * NS_PER_MS) /* greets no more often at the driver's word */
#define WARN_ALONE_NS (5 * NS_PER_S)
#define ANNOUNCE_NS   (50 * NS_PER_MS)  /* an attempt that has not reported by then says that it runs */
#define JOIN_NS       (500 * NS_PER_MS) /* a member that was not told to start says again that it is ready */
#define MAX_FRAMES    1000

void conversation_end(struct conversation *c, int code, const char *text)
{
    if (!c->over.code)
        (void)err_set(&c->over, code, "%s", text);
}

int conversation_open(struct conversation *c, const struct conversation_setup *setup, struct page *page,
                      struct attempt *attempt, struct err *err)
{
    memset(c, 0, sizeof *c);
    c->setup = *setup;
    c->page = page;
    c->attempt = attempt;
    c->kill_ns = INT64_MAX;
    c->heartbeat_ns = NS_PER_S;
    c->alone_ns = clock_now_ns();
    c->decoder = wire_decoder_create();
    c->reports = malloc(RING_CAPACITY * sizeof *c->reports);
    c->names = malloc(METRIC_NAMES_MAX * sizeof *c->names);
    c->numbers = malloc(METRIC_NAMES_MAX * sizeof *c->numbers);
    c->stamps = calloc(METRIC_NAMES_MAX, sizeof *c->stamps);
    if (!c->decoder || !c->reports || !c->names || !c->numbers || !c->stamps)
        return err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    return link_open(&c->link, setup->endpoint, setup->worker, err);
}

void conversation_close(struct conversation *c, int linger_ms)
{
    outbox_fini(&c->outbox);
    link_close(&c->link, linger_ms);
    for (size_t i = 0; i < c->n_experiments; i++)
        experiment_unref(c->experiments[i]);
    free(c->experiments);
    wire_decoder_destroy(c->decoder);
    wire_buffer_fini(&c->buffer);
    free(c->reports);
    free(c->names);
    free(c->numbers);
    free(c->stamps);
}

bool conversation_is_settled(const struct conversation *c)
{
    return c->outbox.n_frames == 0;
}

/* Sending */

static bool send_message(struct conversation *c, const struct wire_message *message, int64_t now_ns)
{
    if (wire_encode(&c->buffer, message)) {
        conversation_end(c, ERR_NOMEM, err_string(ERR_NOMEM));
        return false;
    }
    log_debug("sent message=%s", wire_type_name(message->type));
    return link_send_bytes(&c->link, c->buffer.data, c->buffer.size, now_ns);
}

static uint64_t first_seq(const struct conversation *c)
{
    return c->outbox.n_frames > 0 ? outbox_frame(&c->outbox, 0)->seq : atomic_load(&c->page->seq) + 1;
}

/* Wall clock nanoseconds, so that it also grows over a supervisor that was started again with the same id;
 * the page makes it grow where the clock was set back. */
static uint64_t next_greeting(struct conversation *c)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    uint64_t greeting = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    uint64_t last = atomic_load(&c->page->greeting);
    if (greeting <= last)
        greeting = last + 1;
    atomic_store(&c->page->greeting, greeting);
    return greeting;
}

static void send_hold(struct conversation *c, const struct held *held, int64_t now_ns)
{
    struct wire_message message = {.type = WIRE_HOLD};
    message.hold = (struct wire_hold){
        .experiment = held->experiment,
        .trial = held->trial,
        .attempt = held->attempt,
        .budget = held->budget,
        .point = {.n = held->n_point, .values = held->point},
        .greeting = c->greeting,
        .origin = held->origin,
        .done = held->done,
        .gang = held->gang,
        .rank = held->rank,
    };
    (void)send_message(c, &message, now_ns); /* if it does not arrive, no WELCOME does, and it greets again */
}

static void set_alone(struct conversation *c, int64_t now_ns)
{
    if (c->is_welcomed) {
        c->alone_ns = now_ns;
        c->has_warned = false;
    }
    c->is_welcomed = false;
}

static void greet(struct conversation *c, int64_t now_ns)
{
    if (!c->link.is_connected || c->over.code)
        return;
    char host[256];
    if (gethostname(host, sizeof host))
        host[0] = '\0';
    host[sizeof host - 1] = '\0';
    set_alone(c, now_ns);
    c->greeting = next_greeting(c);
    c->greeted_ns = now_ns;
    struct wire_message message = {.type = WIRE_HELLO};
    message.hello = (struct wire_hello){
        .protocol = WIRE_VERSION,
        .worker = c->setup.worker,
        .experiment = c->setup.experiment,
        .host = wire_string(host),
        .pid = (uint64_t)getpid(),
        .slot = c->setup.slot,
        .n_held = c->outbox.n_held,
        .greeting = c->greeting,
        .first_seq = first_seq(c),
        .fleet = wire_string(fleet_name()),
    };
    if (!send_message(c, &message, now_ns))
        return;
    for (size_t i = 0; i < c->outbox.n_held; i++)
        send_hold(c, outbox_held(&c->outbox, i), now_ns);
}

static void greet_again(struct conversation *c, int64_t now_ns)
{
    if (c->is_welcomed || now_ns - c->greeted_ns >= REGREET_NS)
        greet(c, now_ns);
}

static void send_heartbeat(struct conversation *c, int64_t now_ns)
{
    struct wire_message message = {.type = WIRE_HEARTBEAT};
    message.heartbeat.trial = c->is_busy && !c->is_forsaken ? c->attempt->trial.number : 0;
    message.heartbeat.first_seq = first_seq(c);
    if (!send_message(c, &message, now_ns))
        c->link.last_sent_ns = now_ns; /* no connection: the next try is due as late as if it had gone out */
    else if (!message.heartbeat.trial)
        c->owes_heartbeat = false;
}

void conversation_send_leave(struct conversation *c, int64_t now_ns)
{
    struct wire_message message = {.type = WIRE_LEAVE};
    (void)send_message(c, &message, now_ns); /* without a connection the driver learns it by the lease */
}

static void send_join(struct conversation *c, int64_t now_ns)
{
    const struct attempt *attempt = c->attempt;
    struct wire_message message = {.type = WIRE_JOIN};
    message.join = (struct wire_join){
        .experiment = attempt->experiment->id,
        .trial = attempt->trial.number,
        .attempt = attempt->trial.attempt,
        .gang = attempt->gang.part.number,
        .host = wire_string(attempt->gang.host),
        .port = attempt->gang.port,
    };
    c->joined_ns = now_ns;
    (void)send_message(c, &message, now_ns); /* said again until it is answered */
}

/* Experiments */

static struct experiment *find_experiment(const struct conversation *c, struct id id)
{
    for (size_t i = c->n_experiments; i-- > 0;) {
        if (id_equal(c->experiments[i]->id, id))
            return c->experiments[i];
    }
    return NULL;
}

static int add_experiment(struct conversation *c, struct experiment *experiment)
{
    if (c->n_experiments == c->capacity_experiments) {
        size_t capacity = c->capacity_experiments ? 2 * c->capacity_experiments : 4;
        struct experiment **grown = realloc(c->experiments, capacity * sizeof(struct experiment *));
        if (!grown)
            return ERR_NOMEM;
        c->experiments = grown;
        c->capacity_experiments = capacity;
    }
    c->experiments[c->n_experiments++] = experiment;
    return ERR_OK;
}

static void drop_experiment(struct conversation *c, struct id id)
{
    for (size_t i = 0; i < c->n_experiments; i++) {
        if (!id_equal(c->experiments[i]->id, id))
            continue;
        experiment_unref(c->experiments[i]);
        c->experiments[i] = c->experiments[--c->n_experiments];
        return;
    }
}

/* Told again (after a reconnection): what is known of it stays, with its open library; a spec never changes.
 */
static void on_experiment(struct conversation *c, const struct wire_experiment *message)
{
    if (find_experiment(c, message->experiment))
        return;
    struct experiment *experiment =
        experiment_read(message->experiment, message->name.data, message->spec.data, message->spec.size);
    if (!experiment || add_experiment(c, experiment)) {
        experiment_unref(experiment);
        conversation_end(c, ERR_NOMEM, err_string(ERR_NOMEM));
    }
}

/* Receiving */

static void on_welcome(struct conversation *c, const struct wire_welcome *message, int64_t now_ns)
{
    if (message->greeting != c->greeting)
        return; /* of an earlier greeting: what was held then may be held no more */
    if (message->protocol != WIRE_VERSION) {
        conversation_end(c, ERR_VERSION,
                         "the driver speaks another version of the protocol: use the same prova on "
                         "both sides");
        return;
    }
    if (!c->was_welcomed)
        log_info("a worker has joined endpoint=%s slot=%u", c->setup.endpoint, c->setup.slot);
    else if (c->has_warned)
        log_info("the driver is back endpoint=%s slot=%u", c->setup.endpoint, c->setup.slot);
    c->was_welcomed = true;
    c->is_welcomed = true;
    c->has_warned = false;
    c->heartbeat_ns = (int64_t)(message->heartbeat_ms < 10        ? 10
                                : message->heartbeat_ms > 3600000 ? 3600000
                                                                  : message->heartbeat_ms) *
                      NS_PER_MS;
    c->link.last_sent_ns = now_ns;
    for (size_t i = 0; i < c->outbox.n_frames; i++)
        (void)link_send(&c->link, &outbox_frame(&c->outbox, i)->message,
                        now_ns); /* kept until acknowledged */
    if (c->is_gathering)
        send_join(c, now_ns);
}

/* What is to be known of it if it kills its process. */
static void fill_page(struct page *page, const struct attempt *attempt)
{
    const struct experiment *experiment = attempt->experiment;
    page->experiment = experiment->id;
    size_t size = strnlen(experiment->name, sizeof page->name - 1);
    memcpy(page->name, experiment->name, size);
    page->name[size] = '\0';
    page->trial = attempt->trial.number;
    page->attempt = attempt->trial.attempt;
    page->gang = attempt->gang.part.number;
    page->rank = attempt->gang.part.rank;
    page->budget = attempt->trial.budget;
    page->origin = attempt->origin;
    page->done = attempt->trial.done;
    page->n_point = attempt->n_point <= PAGE_MAX_POINT ? attempt->n_point : 0;
    if (page->n_point > 0)
        memcpy(page->point, attempt->point, page->n_point * sizeof *page->point);
    (void)atomic_fetch_add(&page->n_begun, 1);
    atomic_store(&page->is_running, true);
}

/* The attempt is the main thread's to run. */
static void hand_to_runner(struct conversation *c)
{
    fill_page(c->page, c->attempt);
    c->is_assigned = true;
    c->is_announced = false;
    c->kill_ns = INT64_MAX;
    c->pace_ns = 0;
}

/* A part in a gang: takes what it needs for that, and says so. */
static void gather(struct conversation *c, const struct wire_assign *message, int64_t now_ns)
{
    struct err err = {0};
    const struct spec *spec = c->attempt->trial.spec;
    enum runtime runtime =
        spec ? spec->gang.runtime : RUNTIME_ENV; /* one without a spec fails when it is run */
    if (gang_prepare(&c->attempt->gang, message, runtime, c->setup.endpoint, &err)) {
        attempt_end(c->attempt, OUTCOME_FAILED, (double)NAN, err.text);
        return;
    }
    c->is_gathering = true;
    send_join(c, now_ns);
}

static void on_start(struct conversation *c, const struct wire_start *message, int64_t now_ns)
{
    struct attempt *attempt = c->attempt;
    struct err err = {0};
    if (!c->is_gathering || !attempt_is(attempt, message->experiment, message->trial, message->attempt) ||
        attempt->gang.part.number != message->gang)
        return; /* a double */
    c->is_gathering = false;
    if (gang_begin(&attempt->gang, message, &err)) {
        attempt_end(attempt, OUTCOME_FAILED, (double)NAN, err.text);
        return;
    }
    attempt->trial.gang = &attempt->gang.part;
    attempt_set_clock(attempt, now_ns);
    hand_to_runner(c);
}

static void on_assign(struct conversation *c, const struct wire_assign *message, int64_t now_ns)
{
    outbox_acknowledge(&c->outbox, message->acked);
    if (outbox_find(&c->outbox, message->experiment, message->trial, message->attempt, message->gang) ||
        c->is_leaving || c->is_forsaken)
        return; /* a double; or somebody else will run it */
    struct experiment *experiment = find_experiment(c, message->experiment);
    if (c->is_busy || !experiment) {
        greet_again(c, now_ns);
        return;
    }
    struct wire_hold hold = {.experiment = message->experiment,
                             .trial = message->trial,
                             .attempt = message->attempt,
                             .budget = message->budget,
                             .point = message->point,
                             .origin = message->origin,
                             .done = message->done,
                             .gang = message->gang,
                             .rank = message->rank};
    struct err err = {0};
    if (outbox_hold(&c->outbox, &hold) || attempt_begin(c->attempt, experiment, message, now_ns, &err)) {
        conversation_end(c, ERR_NOMEM, err_string(ERR_NOMEM));
        return;
    }
    c->is_busy = true;
    if (message->gang)
        gather(c, message, now_ns);
    else
        hand_to_runner(c);
}

/* A function may be deaf; a command is killed by its runner. */
static void arm_kill(struct conversation *c, int64_t now_ns)
{
    const struct spec *spec = c->attempt->trial.spec;
    if (spec && spec->train.kind != TRAIN_COMMAND && c->kill_ns == INT64_MAX)
        c->kill_ns = now_ns + (int64_t)(spec->train.grace_s * 1e9);
}

/* Asked to end before it has begun. */
static void stop_gathering(struct conversation *c)
{
    c->is_gathering = false;
    attempt_end_stopped(c->attempt, (double)NAN);
}

static void on_stop(struct conversation *c, const struct wire_stop *message, int64_t now_ns)
{
    uint64_t gang = c->attempt->gang.part.number;
    bool runs = c->is_busy && attempt_is(c->attempt, message->experiment, message->trial, message->attempt) &&
                (!message->gang || message->gang == gang);
    if (message->reason == STOP_STALE)
        progress_void(c, message->experiment, message->trial, message->attempt, message->gang);
    if (message->reason == STOP_STALE || message->reason == STOP_ENDED)
        c->owes_heartbeat = true;
    if (!runs)
        return; /* it has ended, and its end is on the way */
    bool is_known = message->reason >= STOP_EARLY && message->reason <= STOP_ENDED;
    attempt_stop(c->attempt, is_known ? (int)message->reason : STOP_EARLY);
    if (message->reason == STOP_STALE)
        ring_close(c->attempt->ring);
    if (c->is_gathering)
        stop_gathering(c);
    else if (gang) /* it may wait for a member that has gone */
        arm_kill(c, now_ns);
}

static void on_bye(struct conversation *c, const struct wire_bye *message, int64_t now_ns)
{
    struct err err;
    switch (message->code) {
    case ERR_NOT_FOUND:
        greet_again(c, now_ns);
        return;
    case ERR_CLOSED:
        set_alone(c, now_ns);
        c->greeted_ns =
            now_ns; /* the driver may take a moment to go: greets it in two seconds if it has not */
        return;
    default:
        (void)err_set(&err, message->code < 0 ? (int)message->code : ERR_REFUSED,
                      "the driver at %s sent this worker away: %s", c->setup.endpoint,
                      message->text.size ? message->text.data : err_string((int)message->code));
        conversation_end(c, err.code, err.text);
    }
}

static void on_done(struct conversation *c, const struct wire_done *message)
{
    if (id_equal(c->setup.experiment, message->experiment))
        c->is_done = true;
    else
        drop_experiment(c, message->experiment);
}

static void handle(struct conversation *c, const struct wire_message *message, int64_t now_ns)
{
    log_debug("received message=%s", wire_type_name(message->type));
    switch ((int)message->type) {
    case WIRE_WELCOME:
        on_welcome(c, &message->welcome, now_ns);
        break;
    case WIRE_EXPERIMENT:
        on_experiment(c, &message->experiment);
        break;
    case WIRE_ASSIGN:
        on_assign(c, &message->assign, now_ns);
        break;
    case WIRE_START:
        on_start(c, &message->start, now_ns);
        break;
    case WIRE_STOP:
        on_stop(c, &message->stop, now_ns);
        break;
    case WIRE_ACK:
        outbox_acknowledge(&c->outbox, message->ack.seq);
        break;
    case WIRE_BYE:
        on_bye(c, &message->bye, now_ns);
        break;
    case WIRE_DONE:
        on_done(c, &message->done);
        break;
    default:
        log_warn("message ignored: a driver does not send it type=%s", wire_type_name(message->type));
    }
}

bool conversation_read(struct conversation *c, int64_t now_ns)
{
    zmq_msg_t frame;
    int n = 0;
    (void)zmq_msg_init(&frame); /* cannot fail */
    /* Not beyond an assignment: what comes after it can wait, and looking for it costs a short trial much. */
    for (; n < MAX_FRAMES && !c->is_assigned && !c->over.code && link_receive(&frame, &c->link); n++) {
        struct wire_message message;
        struct err err = {0};
        int code = wire_decode(&message, c->decoder, zmq_msg_data(&frame), zmq_msg_size(&frame), &err);
        if (code == ERR_NOMEM)
            conversation_end(c, code, err_string(code));
        else if (code)
            log_warn("message ignored: it is malformed error=%s", err.text);
        else
            handle(c, &message, now_ns);
    }
    (void)zmq_msg_close(&frame); /* fails only for what is no message */
    return n > 0;
}

void conversation_look(struct conversation *c, int64_t now_ns)
{
    bool is_new = link_is_new(&c->link);
    if (!c->link.is_connected)
        set_alone(c, now_ns);
    if (is_new)
        greet(c, now_ns);
}

/* Time */

static int64_t tick_alone(struct conversation *c, int64_t now_ns)
{
    int64_t warn_ns = c->has_warned ? INT64_MAX : c->alone_ns + WARN_ALONE_NS;
    if (now_ns >= warn_ns) {
        log_warn("no driver answers; still trying endpoint=%s", c->setup.endpoint);
        c->has_warned = true;
        warn_ns = INT64_MAX;
    }
    int64_t greet_ns = c->link.is_connected ? c->greeted_ns + GREETING_NS : INT64_MAX;
    if (now_ns >= greet_ns) {
        greet(c, now_ns);
        greet_ns = now_ns + GREETING_NS;
    }
    if (!c->setup.wait_ns || c->is_busy) /* what runs may still be wanted when a driver comes back */
        return clock_min(warn_ns, greet_ns);
    int64_t give_up_ns = c->alone_ns + c->setup.wait_ns;
    if (now_ns >= give_up_ns) {
        struct err err;
        (void)err_set(&err, ERR_TIMEOUT, "no driver answered at %s for %lld s", c->setup.endpoint,
                      (long long)(c->setup.wait_ns / NS_PER_S));
        conversation_end(c, err.code, err.text);
    }
    return clock_min(clock_min(warn_ns, greet_ns), give_up_ns);
}

static int64_t tick_welcomed(struct conversation *c, int64_t now_ns)
{
    bool owes = c->owes_heartbeat && !c->is_busy;
    if (owes || now_ns - c->link.last_sent_ns >= c->heartbeat_ns)
        send_heartbeat(c, now_ns);
    return c->link.last_sent_ns + c->heartbeat_ns;
}

/* What runs on though it was told to end is to be ended with its process. */
static void forsake_deaf(struct conversation *c, int64_t now_ns)
{
    int reason = atomic_load(&c->attempt->stop);
    if (now_ns < c->kill_ns || c->is_forsaken)
        return;
    if (reason == ATTEMPT_OUT_OF_TIME)
        progress_forsake(c, now_ns);
    else if (c->attempt->gang.part.number && (reason == STOP_STALE || reason == STOP_ENDED))
        progress_abandon(c);
}

static int64_t tick_gathering(struct conversation *c, int64_t now_ns)
{
    if (c->is_welcomed && now_ns - c->joined_ns >= JOIN_NS)
        send_join(c, now_ns);
    return c->is_welcomed ? c->joined_ns + JOIN_NS : INT64_MAX;
}

static int64_t tick_attempt(struct conversation *c, int64_t now_ns)
{
    struct attempt *attempt = c->attempt;
    if (c->is_gathering)
        return tick_gathering(c, now_ns);
    if (now_ns >= attempt->deadline_ns) {
        attempt->deadline_ns = INT64_MAX;
        attempt_stop(attempt, ATTEMPT_OUT_OF_TIME);
        arm_kill(c, now_ns);
    }
    int64_t announce_ns = c->is_announced ? INT64_MAX : attempt->begun_ns + ANNOUNCE_NS;
    if (now_ns >= announce_ns) {
        progress_announce(c, now_ns);
        announce_ns = INT64_MAX;
    }
    forsake_deaf(c, now_ns);
    int64_t kill_ns = c->kill_ns > now_ns ? c->kill_ns : INT64_MAX;
    return clock_min(clock_min(attempt->deadline_ns, announce_ns), kill_ns);
}

void conversation_leave(struct conversation *c, int64_t now_ns)
{
    if (c->is_leaving)
        return;
    c->is_leaving = true;
    if (c->is_busy) {
        attempt_stop(c->attempt, ATTEMPT_LEAVING);
        arm_kill(c, now_ns);
    }
}

int64_t conversation_tick(struct conversation *c, int64_t now_ns)
{
    if (c->over.code)
        return now_ns;
    int64_t next_ns = c->is_welcomed ? tick_welcomed(c, now_ns) : tick_alone(c, now_ns);
    if (c->is_busy)
        next_ns = clock_min(next_ns, tick_attempt(c, now_ns));
    return next_ns;
}

/* The thread that writes documents. See driver/clerk.h. */
#include "driver/clerk.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

#include "core/text.h"
#include "core/wire.h"
#include "driver/store_query.h"

#define MAX_DOCUMENT (WIRE_MAX_FRAME - 4096) /* what fits a REPLY */

struct question {
    struct document document;
    char *what, *experiment;
    struct question *prev, *next;
};

struct clerk {
    char *database;
    int event_fd;
    bool started; /* the thread */
    size_t n_waiting;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t wake; /* something is in `questions`, or `quit` */
    struct question *questions, *answered;
    bool quit;
};

static void question_free(struct question *question)
{
    if (!question)
        return;
    free(question->document.text);
    free(question->what);
    free(question->experiment);
    free(question);
}

static int write_document(struct text *json, const char *database, const struct question *question,
                          struct err *err)
{
    struct query *query = NULL;
    const char *experiment = *question->experiment ? question->experiment : NULL;
    int rc = query_open(&query, database, err);
    if (!rc)
        rc = query_document(query, question->what, experiment, query_to_text(json), err);
    query_close(query);
    if (!rc && json->failed)
        rc = err_set(err, json->failed, "%s", err_string(json->failed));
    if (!rc && json->size > MAX_DOCUMENT)
        rc = err_set(err, ERR_FULL,
                     "the document is too long to be sent: use prova export on the database itself");
    return rc;
}

static void answer(struct clerk *clerk, struct question *question)
{
    struct text json = {0};
    struct err err = {0};
    struct document *document = &question->document;
    document->code = write_document(&json, clerk->database, question, &err);
    document->text = document->code ? strdup(err.text) : text_take(&json);
    text_fini(&json);
    if (!document->text)
        document->code = ERR_NOMEM; /* without a text */
}

static void *run(void *arg)
{
    struct clerk *clerk = arg;
    (void)pthread_mutex_lock(&clerk->lock);
    for (;;) {
        while (!clerk->questions && !clerk->quit)
            (void)pthread_cond_wait(&clerk->wake, &clerk->lock);
        if (clerk->quit)
            break;
        struct question *question = clerk->questions;
        DL_DELETE(clerk->questions, question);
        (void)pthread_mutex_unlock(&clerk->lock);
        answer(clerk, question);
        (void)pthread_mutex_lock(&clerk->lock);
        DL_APPEND(clerk->answered, question);
        uint64_t one = 1;
        (void)!write(clerk->event_fd, &one, sizeof one); /* the loop reads it to zero; it cannot be full */
    }
    (void)pthread_mutex_unlock(&clerk->lock);
    return NULL;
}

int clerk_create(struct clerk **created, const char *database, struct err *err)
{
    struct clerk *clerk = calloc(1, sizeof *clerk);
    if (!clerk)
        return err_set(err, ERR_NOMEM, "out of memory");
    clerk->database = strdup(database);
    clerk->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    (void)pthread_mutex_init(&clerk->lock, NULL); /* with default attributes they cannot fail on Linux */
    (void)pthread_cond_init(&clerk->wake, NULL);
    *created = clerk;
    if (!clerk->database)
        return err_set(err, ERR_NOMEM, "out of memory");
    return clerk->event_fd < 0 ? err_set(err, ERR_IO, "cannot make an event descriptor: %s", strerror(errno))
                               : 0;
}

void clerk_destroy(struct clerk *clerk)
{
    if (!clerk)
        return;
    (void)pthread_mutex_lock(&clerk->lock);
    clerk->quit = true;
    (void)pthread_cond_signal(&clerk->wake);
    (void)pthread_mutex_unlock(&clerk->lock);
    if (clerk->started)
        (void)pthread_join(clerk->thread, NULL);
    struct question *question, *next;
    DL_CONCAT(clerk->questions, clerk->answered);
    DL_FOREACH_SAFE(clerk->questions, question, next)
    {
        question_free(question);
    }
    if (clerk->event_fd >= 0)
        (void)close(clerk->event_fd);
    (void)pthread_cond_destroy(&clerk->wake);
    (void)pthread_mutex_destroy(&clerk->lock);
    free(clerk->database);
    free(clerk);
}

/* Signals are for the threads of the program, not for this one. */
static int start(struct clerk *clerk, struct err *err)
{
    sigset_t all, before;
    if (clerk->started)
        return 0;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&clerk->thread, NULL, run, clerk);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        return err_set(err, ERR_IO, "cannot start a thread: %s", strerror(rc));
    clerk->started = true;
    return 0;
}

int clerk_ask(struct clerk *clerk, const struct route *route, uint64_t request, const char *what,
              const char *experiment, struct err *err)
{
    if (clerk->n_waiting >= CLERK_MAX_WAITING)
        return err_set(err, ERR_BUSY, "%d questions are waiting already: ask again later", CLERK_MAX_WAITING);
    int rc = start(clerk, err);
    if (rc)
        return rc;
    struct question *question = calloc(1, sizeof *question);
    if (!question)
        goto no_memory;
    question->document = (struct document){.route = *route, .request = request};
    question->what = strdup(what);
    question->experiment = strdup(experiment);
    if (!question->what || !question->experiment)
        goto no_memory;
    (void)pthread_mutex_lock(&clerk->lock);
    DL_APPEND(clerk->questions, question);
    (void)pthread_cond_signal(&clerk->wake);
    (void)pthread_mutex_unlock(&clerk->lock);
    clerk->n_waiting++;
    return 0;
no_memory:
    question_free(question);
    return err_set(err, ERR_NOMEM, "out of memory");
}

int clerk_event_fd(const struct clerk *clerk)
{
    return clerk->event_fd;
}

bool clerk_next(struct document *document, struct clerk *clerk)
{
    (void)pthread_mutex_lock(&clerk->lock);
    struct question *question = clerk->answered;
    if (question) {
        DL_DELETE(clerk->answered, question);
    } else {
        uint64_t count;
        (void)!read(clerk->event_fd, &count, sizeof count); /* may be empty */
    }
    (void)pthread_mutex_unlock(&clerk->lock);
    if (!question)
        return false;
    clerk->n_waiting--;
    *document = question->document;
    question->document.text = NULL; /* given away */
    question_free(question);
    return true;
}

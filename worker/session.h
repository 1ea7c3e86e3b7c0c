#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include "core/err.h"
#include "worker/attempt.h"
#include "worker/conversation.h"
#include "worker/page.h"

/* Who drives the conversation: the main thread while it waits for a trial, the session's own thread while the
 * main thread runs one. */

struct session;

/* Makes the attempt, the connection and the thread. Signals that are blocked in the caller stay so in the
 * thread. */
int session_create(struct session **session, const struct conversation_setup *setup, const char *directory,
                   struct page *page, struct err *err);
/* Ends the thread and closes the connection; what is on its way may take a second to get out. */
void session_destroy(struct session *session);

/* Waits for an assignment. Returns 0 and *attempt, to be run (it has begun) and then session_finish'ed; 0 and
 * NULL: the experiment is done; ERR_INTERRUPTED: the worker was told to go; else why it cannot go on. */
int session_next(struct attempt **attempt, struct session *session, struct err *err);
/* The attempt has ended (attempt_end): its result is on its way when this returns. */
void session_finish(struct session *session);

/* In the child of a fork: what it reports goes nowhere, and keeps nobody waiting. */
void session_abandon(struct session *session);

/* The worker is to go. From any thread or a signal handler. */
void session_leave(struct session *session);

#endif

#ifndef WORKER_PROGRESS_H
#define WORKER_PROGRESS_H

#include <stdint.h>

#include "core/id.h"
#include "worker/conversation.h"

/* PROGRESS: what an attempt reports and how it ends, from the ring into the outbox and onto the wire. Parts
 * of the conversation (conversation.c), to be called by it alone; conversation_write, conversation_confess
 * and conversation_drain_output are here too. */

/* A PROGRESS that says nothing but that the attempt runs. */
void progress_announce(struct conversation *conversation, int64_t now_ns);
/* The attempt's function did not end when its time was up: tells its end in its place. */
void progress_forsake(struct conversation *conversation, int64_t now_ns);
/* The attempt's function does not end, and nobody waits for it: it is said of it no more. */
void progress_abandon(struct conversation *conversation);
/* The attempt is stale: what was not acknowledged of it shrinks to frames that keep their place in the
 * numbering and say no more than that it ended. */
void progress_void(struct conversation *conversation, struct id experiment, uint64_t trial, uint64_t attempt,
                   uint64_t gang);

/* Defined by conversation.c: the conversation is over for this reason, unless it was before. */
void conversation_end(struct conversation *conversation, int code, const char *text);

#endif

#ifndef WORKER_PAGE_H
#define WORKER_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/id.h"

/* What outlives a slot process that its trial has killed: shared memory of the supervisor and the process.
 * It names the attempt that was running, so that the next process of the slot can tell the driver what was
 * lost. Pages of it that are never touched cost nothing. */

#define PAGE_MAX_POINT 65536 /* parameters; more are refused by the slot */
#define PAGE_TEXT      2048

struct page {
    /* Kept by the slot process. */
    _Atomic uint64_t seq;      /* the last PROGRESS.seq that was given out; goes on in the next process */
    _Atomic uint64_t greeting; /* the last HELLO.greeting */
    _Atomic uint64_t n_begun;  /* attempts begun, of all processes of the slot */
    _Atomic int group;         /* process group of the running command; 0: none */
    _Atomic bool is_running;   /* an attempt is under way, and what follows describes it */
    struct id experiment;
    char name[256]; /* of the experiment */
    uint64_t trial, attempt, gang, rank;
    int64_t budget, done;
    uint64_t origin;
    size_t n_point;

    /* From the slot process to the supervisor, when it ends as it should. */
    _Atomic bool has_ended;
    int code;
    char text[256];

    /* From the supervisor to the next process: what became of the one before; "" for the first. */
    char lost[PAGE_TEXT];

    double point[PAGE_MAX_POINT];
};

/* The slot process ends as it should, for this reason (0: all is done). */
void page_end(struct page *page, int code, const char *text);

#endif

/* The supervisor: a process a slot, and a new one for each that its trial has killed.
 *
 * It touches no socket and no trial. All that it knows of a slot is whether its process lives and what the
 * shared page says. It runs on one thread and sleeps in poll until a signal's handler wakes it. The process
 * may have threads that are not ours (BLAS starts a pool when it is loaded), and the kernel may give a signal
 * to any of them: waiting for blocked signals would lose those. */
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/log.h"
#include "core/text.h"
#include "worker/clock.h"
#include "worker/fleet.h"
#include "worker/page.h"
#include "worker/slot.h"

#define BACK_OFF_NS     (100 * NS_PER_MS) /* doubled with each crash in a row in which no trial was begun */
#define BACK_OFF_MAX_NS (30 * NS_PER_S)
#define NEVER           INT64_MAX

struct slot {
    struct slot_setup setup;
    pid_t pid;         /* 0: no process */
    int64_t start_ns;  /* when to start one; NEVER: not again */
    uint64_t n_begun;  /* trials begun, as of the last start */
    unsigned n_futile; /* crashes in a row in which no trial was begun */
};

struct supervisor {
    const struct worker_setup *setup;
    char *directory;
    struct slot *slots;
    int n_slots; /* made */
    int n_signals;
    struct err fault; /* of the first slot that ended with one */
    int death_signal_before;
};

/* The handler cannot be given anything; a process has one supervisor. */
static int wake_fd = -1;
static atomic_int n_ends_asked;
static const int signals[] = {SIGTERM, SIGINT, SIGCHLD};
enum { N_SIGNALS = sizeof signals / sizeof *signals };

/* As they were before. */
struct saved_signals {
    struct sigaction actions[N_SIGNALS];
    sigset_t mask;
};

static void on_signal(int number)
{
    int saved = errno;
    if (number != SIGCHLD)
        atomic_fetch_add(&n_ends_asked, 1);
    (void)eventfd_write(wake_fd, 1); /* cannot overflow by hand */
    errno = saved;
}

static sigset_t our_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set); /* these only store */
    for (int i = 0; i < N_SIGNALS; i++)
        (void)sigaddset(&set, signals[i]);
    return set;
}

/* A process that was forked must not wake its parent: it blocks them until it has handlers of its own. */
static void block_signals(int how)
{
    sigset_t set = our_signals();
    (void)pthread_sigmask(how, &set, NULL); /* fails of a wrong `how` only */
}

static int catch_signals(struct saved_signals *saved, struct err *err)
{
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0)
        return err_set(err, ERR_IO, "cannot wait for signals: %s", strerror(errno));
    atomic_store(&n_ends_asked, 0);
    sigset_t set = our_signals();
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    for (int i = 0; i < N_SIGNALS; i++)
        (void)sigaction(signals[i], &action, &saved->actions[i]); /* these signals exist */
    (void)pthread_sigmask(SIG_UNBLOCK, &set, &saved->mask);
    return ERR_OK;
}

static void release_signals(const struct saved_signals *saved)
{
    if (wake_fd < 0)
        return;
    for (int i = 0; i < N_SIGNALS; i++)
        (void)sigaction(signals[i], &saved->actions[i], NULL);
    (void)pthread_sigmask(SIG_SETMASK, &saved->mask, NULL);
    (void)close(wake_fd); /* nothing is in it that matters */
    wake_fd = -1;
}

/* Slots */

static void close_slot(struct slot *slot)
{
    for (int i = 0; i < 2; i++) {
        if (slot->setup.output[i] >= 0)
            (void)close(slot->setup.output[i]); /* a pipe */
    }
    if (slot->setup.page)
        (void)munmap(slot->setup.page, sizeof *slot->setup.page);
}

static int open_slot(struct supervisor *supervisor, struct err *err)
{
    struct slot *slot = &supervisor->slots[supervisor->n_slots];
    slot->setup = (struct slot_setup){
        .worker = supervisor->setup,
        .number = (unsigned)supervisor->n_slots++,
        .id = id_new(),
        .directory = supervisor->directory,
        .output = {-1, -1},
    };
    void *page =
        mmap(NULL, sizeof *slot->setup.page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    slot->setup.page = page; /* zeros: no attempt, no end, seq 0 */
    if (pipe2(slot->setup.output, O_CLOEXEC) || fcntl(slot->setup.output[0], F_SETFL, O_NONBLOCK))
        return err_set(err, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    return ERR_OK;
}

static void start_slot(struct supervisor *supervisor, struct slot *slot)
{
    pid_t parent = getpid();
    slot->n_begun = atomic_load(&slot->setup.page->n_begun);
    block_signals(SIG_BLOCK);
    slot->pid = fork();
    if (slot->pid != 0)
        block_signals(SIG_UNBLOCK);
    if (slot->pid < 0) {
        log_warn("cannot start a process, trying again error=%s", strerror(errno));
        slot->pid = 0;
        slot->start_ns = clock_now_ns() + NS_PER_S;
        return;
    }
    if (slot->pid > 0) {
        slot->start_ns = NEVER;
        return;
    }
    (void)supervisor;
    /* SIGTERM, so that a slot whose supervisor was killed ends its trial decently. */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent)
        _exit(EXIT_FAILURE);
    slot_run(&slot->setup);
}

static void describe_end(struct page *page, int status)
{
    if (WIFSIGNALED(status))
        (void)snprintf(page->lost, sizeof page->lost, "killed by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    else
        (void)snprintf(page->lost, sizeof page->lost,
                       "the training function ended its process with exit status %d", WEXITSTATUS(status));
}

/* When to try again: at once if a trial has done it, ever later if it happens by itself. */
static int64_t next_start(struct slot *slot, int64_t now_ns)
{
    if (atomic_load(&slot->setup.page->n_begun) != slot->n_begun) {
        slot->n_futile = 0;
        return now_ns;
    }
    int64_t wait_ns = BACK_OFF_NS << (slot->n_futile < 10 ? slot->n_futile : 10);
    slot->n_futile++;
    return now_ns + clock_min(wait_ns, BACK_OFF_MAX_NS);
}

static void slot_ended(struct supervisor *supervisor, struct slot *slot, int status)
{
    struct page *page = slot->setup.page;
    int group = atomic_exchange(&page->group, 0);
    if (group)
        (void)kill(-group, SIGKILL); /* what a command of a process that was killed has left behind */
    slot->pid = 0;
    if (atomic_load(&page->has_ended)) {
        if (page->code && page->code != ERR_INTERRUPTED && !supervisor->fault.code)
            (void)err_set(&supervisor->fault, page->code, "%s", page->text);
        return;
    }
    describe_end(page, status);
    bool was_running = atomic_load(&page->is_running);
    if (supervisor->n_signals > 0)
        return;
    slot->start_ns = next_start(slot, clock_now_ns());
    if (was_running)
        log_warn("a trial has killed its process; a new one is started slot=%u trial=%llu reason=%s",
                 slot->setup.number, (unsigned long long)page->trial, page->lost);
    else
        log_warn("a worker process has ended; a new one is started slot=%u reason=%s", slot->setup.number,
                 page->lost);
}

static void reap(struct supervisor *supervisor)
{
    for (int i = 0; i < supervisor->n_slots; i++) {
        struct slot *slot = &supervisor->slots[i];
        int status;
        if (slot->pid && waitpid(slot->pid, &status, WNOHANG) == slot->pid)
            slot_ended(supervisor, slot, status);
    }
}

static bool is_alive(const struct supervisor *supervisor)
{
    for (int i = 0; i < supervisor->n_slots; i++) {
        if (supervisor->slots[i].pid || supervisor->slots[i].start_ns != NEVER)
            return true;
    }
    return false;
}

/* Starts what is due; returns when the next one is. */
static int64_t start_due(struct supervisor *supervisor)
{
    int64_t next_ns = NEVER, now_ns = clock_now_ns();
    for (int i = 0; i < supervisor->n_slots; i++) {
        struct slot *slot = &supervisor->slots[i];
        if (slot->start_ns <= now_ns)
            start_slot(supervisor, slot);
        next_ns = clock_min(next_ns, slot->start_ns);
    }
    return next_ns;
}

/* Signals */

static void kill_slots(struct supervisor *supervisor, int signal)
{
    for (int i = 0; i < supervisor->n_slots; i++) {
        struct slot *slot = &supervisor->slots[i];
        slot->start_ns = NEVER;
        if (!slot->pid)
            continue;
        (void)kill(slot->pid, signal); /* not yet reaped, so it is there */
        int group = signal == SIGKILL ? atomic_load(&slot->setup.page->group) : 0;
        if (group)
            (void)kill(-group, SIGKILL); /* likewise, or it has just ended */
    }
}

static void wait_for_signal(struct supervisor *supervisor, int64_t until_ns)
{
    int64_t now_ns = clock_now_ns(), left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec timeout = {.tv_sec = left_ns / NS_PER_S, .tv_nsec = left_ns % NS_PER_S};
    struct pollfd fd = {.fd = wake_fd, .events = POLLIN};
    eventfd_t n;
    (void)ppoll(&fd, 1, until_ns == NEVER ? NULL : &timeout,
                NULL);               /* a signal that interrupts it is in the fd */
    (void)eventfd_read(wake_fd, &n); /* to be empty before the next look */
    for (int asked = atomic_exchange(&n_ends_asked, 0); asked > 0; asked--)
        kill_slots(supervisor, supervisor->n_signals++ ? SIGKILL : SIGTERM);
}

static void supervise(struct supervisor *supervisor)
{
    while (is_alive(supervisor)) {
        int64_t next_ns = start_due(supervisor);
        wait_for_signal(supervisor, next_ns);
        reap(supervisor);
    }
}

/* The surroundings, and back */

static int tie_to_parent(struct supervisor *supervisor, pid_t parent, int signal, struct err *err)
{
    if (prctl(PR_GET_PDEATHSIG, &supervisor->death_signal_before))
        supervisor->death_signal_before = 0;
    if (prctl(PR_SET_PDEATHSIG, signal))
        return err_set(err, ERR_IO, "prctl: %s", strerror(errno));
    if (getppid() != parent) {
        (void)prctl(PR_SET_PDEATHSIG, supervisor->death_signal_before); /* as it was accepted before */
        return err_set(err, ERR_INTERRUPTED, "the process that started this worker has ended");
    }
    return ERR_OK;
}

static char *absolute(const char *directory)
{
    struct text path = {0};
    if (*directory != '/') {
        char *here = getcwd(NULL, 0);
        if (!here)
            return NULL;
        text_printf(&path, "%s/", here);
        free(here);
        while (!strncmp(directory, "./", 2))
            directory += 2;
    }
    text_append(&path, directory);
    return text_take(&path);
}

static int prepare(struct supervisor *supervisor, pid_t parent, struct err *err)
{
    const struct worker_setup *setup = supervisor->setup;
    supervisor->directory = absolute(setup->directory ? setup->directory : "./prova_trials");
    supervisor->slots = calloc((size_t)setup->n_slots, sizeof *supervisor->slots);
    if (!supervisor->directory || !supervisor->slots)
        return err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    for (int i = 0; i < setup->n_slots; i++) {
        int code = open_slot(supervisor, err);
        if (code)
            return code;
    }
    /* A fleet whose mpirun was killed has nothing that it could still do, and may wait for each other. */
    int signal = fleet_is_open() ? SIGKILL : SIGTERM;
    return setup->ends_with_parent ? tie_to_parent(supervisor, parent, signal, err) : ERR_OK;
}

static int conclude(const struct supervisor *supervisor, struct err *err)
{
    if (supervisor->fault.code) {
        if (err)
            *err = supervisor->fault;
        return supervisor->fault.code;
    }
    return supervisor->n_signals > 0 ? err_set(err, ERR_INTERRUPTED, "%s", err_string(ERR_INTERRUPTED))
                                     : ERR_OK;
}

/* A process of a fleet is its own slot: what MPI has set up does not live through a fork, and mpirun ends the
 * whole fleet when one of its processes dies, so there would be nothing to supervise. */
static int run_in_fleet(const struct worker_setup *setup, struct err *err)
{
    struct supervisor supervisor = {.setup = setup, .death_signal_before = -1};
    if (setup->n_slots != 1)
        return err_set(
            err, ERR_INVALID,
            "under mpirun every process is one slot: start more with mpirun -n, not %d slots in each",
            setup->n_slots);
    int code = fleet_open(err);
    if (!code)
        code = prepare(&supervisor, getppid(), err);
    if (!code)
        slot_run(&supervisor.slots[0].setup);
    fleet_close();
    return code;
}

int worker_run(const struct worker_setup *setup, struct err *err)
{
    struct supervisor supervisor = {.setup = setup, .death_signal_before = -1};
    struct saved_signals saved;
    if (setup->n_slots < 1 || !setup->driver)
        return err_set(err, ERR_INVALID, "a worker needs a driver's endpoint and at least one slot");
    if (fleet_is_here())
        return run_in_fleet(setup, err);
    pid_t parent = getppid();
    int code = catch_signals(&saved, err);
    if (!code)
        code = prepare(&supervisor, parent, err);
    if (!code) {
        (void)fflush(NULL); /* or each slot would write what is buffered once more */
        supervise(&supervisor);
        code = conclude(&supervisor, err);
    }
    for (int i = 0; i < supervisor.n_slots; i++)
        close_slot(&supervisor.slots[i]);
    if (supervisor.death_signal_before >= 0)
        (void)prctl(PR_SET_PDEATHSIG, supervisor.death_signal_before); /* as it was accepted before */
    release_signals(&saved);
    free(supervisor.slots);
    free(supervisor.directory);
    return code;
}

/* The worker under test as a process of its own:
 *
 *   host ENDPOINT DIRECTORY [slots=N] [experiment=UUID] [wait=S] [parent] [no-function] [middle] [thread]
 *
 * Exits with the negated code of worker_run. What a trial does is told by its first parameter, an index into
 * `acts`. `middle`: forks, and is only the parent of the worker, which ends with it.
 * `thread`: has a thread that blocks nothing, as libraries start them; SIGUSR1 makes it take a SIGTERM. */
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "acts.h"
#include "core/log.h"
#include "worker/worker.h"

static int act_finish(struct prova_trial *trial)
{
    trial->ops->report(trial, 1, NULL, 0.25);
    trial->ops->finish(trial, 0.5);
    return 0;
}

static int act_names(struct prova_trial *trial)
{
    for (int64_t step = 0; step < 10; step++) {
        trial->ops->report(trial, step, NULL, (double)step);
        trial->ops->report(trial, step, "loss", 10 - (double)step);
        trial->ops->report(trial, step, "val_accuracy", (double)step + 100); /* the objective, by its name */
        trial->ops->report(trial, step, "lr", 1e-3);
    }
    return 0;
}

static int act_many(struct prova_trial *trial)
{
    for (int64_t step = 0; step < MANY; step++)
        trial->ops->report(trial, step, NULL, (double)step);
    return 0;
}

static void *report_from_thread(void *arg)
{
    struct prova_trial *trial = arg;
    for (int64_t step = 0; step < MANY; step++)
        trial->ops->report(trial, step, "thread", 1);
    return NULL;
}

static int act_threads(struct prova_trial *trial)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        (void)pthread_create(&threads[i], NULL, report_from_thread, trial);
    for (int i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    trial->ops->finish(trial, 1);
    return 0;
}

/* Works until it is told to stop. */
static int act_obey(struct prova_trial *trial)
{
    trial->ops->report(trial, 0, NULL, 7);
    while (!trial->ops->stopped(trial))
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    trial->ops->report(trial, 1, NULL, 8);
    trial->ops->finish(trial, 9);
    return 0;
}

/* Says by a file that it is ready, and waits for another one. */
static void wait_to_go(struct prova_trial *trial)
{
    char path[PATH_MAX];
    const char *directory = trial->ops->directory(trial);
    (void)snprintf(path, sizeof path, "%s/ready", directory);
    FILE *file = fopen(path, "w");
    if (file) {
        (void)fputs("ready", file);
        (void)fclose(file);
    }
    (void)snprintf(path, sizeof path, "%s/go", directory);
    while (access(path, F_OK))
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

/* Never looks at its stop flag. */
static int act_oblivious(struct prova_trial *trial)
{
    wait_to_go(trial);
    trial->ops->finish(trial, 9);
    return 0;
}

static int act_report_late(struct prova_trial *trial)
{
    wait_to_go(trial);
    for (int64_t step = 0; step < 3; step++)
        trial->ops->report(trial, step, NULL, (double)step);
    trial->ops->finish(trial, 9);
    return 0;
}

static int act_deaf(struct prova_trial *trial)
{
    trial->ops->report(trial, 0, NULL, 7);
    while (pause()) /* a signal ends it, not the waiting */
        ;
    return 0;
}

static int act_segv(struct prova_trial *trial)
{
    (void)trial;
    printf("about to fail\n");
    (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer would catch it */
    (void)raise(SIGSEGV);
    return 0;
}

static int act_abort(struct prova_trial *trial)
{
    (void)trial;
    (void)signal(SIGABRT, SIG_DFL);
    abort();
}

static int act_exit(struct prova_trial *trial)
{
    (void)trial;
    _exit(3);
}

static int act_print(struct prova_trial *trial)
{
    printf("hello from trial %d\n", (int)trial->number);
    fprintf(stderr, "and its stderr\n");
    trial->ops->finish(trial, 1);
    return 0;
}

static int act_fail(struct prova_trial *trial)
{
    trial->ops->fail(trial, "no such data set");
    trial->ops->fail(trial, "a second reason");
    return 1;
}

static int act_return_3(struct prova_trial *trial)
{
    (void)trial;
    return 3;
}

static int act_nothing(struct prova_trial *trial)
{
    (void)trial;
    return 0;
}

static int act_nan(struct prova_trial *trial)
{
    trial->ops->finish(trial, NAN);
    return 0;
}

static int act_too_many_names(struct prova_trial *trial)
{
    char name[32];
    for (int i = 0; i < 1100; i++) {
        (void)snprintf(name, sizeof name, "m%d", i);
        trial->ops->report(trial, 1, name, i);
    }
    trial->ops->finish(trial, 1);
    return 0;
}

static int act_checkpoint(struct prova_trial *trial)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/checkpoint", trial->ops->directory(trial));
    FILE *file = fopen(path, "w");
    trial->ops->finish(trial, file && !fclose(file) ? (double)trial->seed : -1);
    return 0;
}

static int (*const acts[])(struct prova_trial *trial) = {
#define ACT(name) act_##name,
    ACTS
#undef ACT
};

static int train(struct prova_trial *trial, void *arg)
{
    (void)arg;
    return acts[(int)trial->point[0]](trial);
}

/* Says no word of its own but errors of a sanitizer: libzmq is not built with one. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libzmq.so\nrace:libzmq.so\n";
}

static bool option(const char **value, int argc, char **argv, const char *name)
{
    size_t size = strlen(name);
    for (int i = 3; i < argc; i++) {
        if (!strncmp(argv[i], name, size) && (argv[i][size] == '=' || !argv[i][size])) {
            *value = argv[i][size] ? argv[i] + size + 1 : "";
            return true;
        }
    }
    return false;
}

struct taker {
    sigset_t usr1;
    sem_t is_here;
};

static void *take_term(void *arg)
{
    struct taker *taker = arg;
    int number;
    (void)sem_post(&taker->is_here);
    while (sigwait(&taker->usr1, &number) == 0)
        (void)raise(SIGTERM); /* to this thread */
    return NULL;
}

/* Returns when it is there: a thread that begins takes locks of AddressSanitizer's allocator, which a fork
 * would leave locked for ever in the child. */
static int start_thread(void)
{
    static struct taker taker;
    pthread_t thread;
    (void)sigemptyset(&taker.usr1);
    (void)sigaddset(&taker.usr1, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &taker.usr1, NULL);
    if (sem_init(&taker.is_here, 0, 0) || pthread_create(&thread, NULL, take_term, &taker))
        return -1;
    while (sem_wait(&taker.is_here))
        ; /* interrupted */
    return 0;
}

int main(int argc, char **argv)
{
    const char *value;
    struct err err = {0};
    if (argc < 3)
        return 100;
    struct worker_setup setup = {.driver = argv[1], .directory = argv[2], .n_slots = 1, .train = train};
    if (option(&value, argc, argv, "slots"))
        setup.n_slots = atoi(value);
    if (option(&value, argc, argv, "experiment") && id_parse(&setup.experiment, value))
        return 100;
    if (option(&value, argc, argv, "wait"))
        setup.wait_s = atoi(value);
    if (option(&value, argc, argv, "no-function"))
        setup.train = NULL;
    setup.ends_with_parent = option(&value, argc, argv, "parent");
    if (getenv("WORKER_TEST_DEBUG"))
        log_set_level(LOG_DEBUG);
    else
        setup.quiet = true;
    if (option(&value, argc, argv, "middle") && fork() > 0) {
        (void)pause();
        return 100;
    }
    if (option(&value, argc, argv, "thread") && start_thread())
        return 100;
    int code = worker_run(&setup, &err);
    if (code)
        fprintf(stderr, "host: %s\n", err.text);
    return -code;
}

/* A training function whose ranks work together until there is a file `over`, in as many attempts as
 * parameter `lasting` says. Each rank tells the test, through the FIFO `started`, who it is, once they are
 * all inside. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <prova.h>

__attribute__((visibility("default"))) int fleet_train(prova_trial *trial, void *arg);

static void say(prova_trial *trial)
{
    char *gang = prova_gang_json(trial);
    int fd = open("started", O_WRONLY | O_CLOEXEC);
    (void)dprintf(fd, "%d %lld %d %s\n", (int)getpid(), (long long)prova_trial_attempt(trial),
                  prova_rank(trial),
                  gang ? gang : "null"); /* in one write; a test without the FIFO asks for nothing */
    (void)close(fd);
    free(gang);
}

int fleet_train(prova_trial *trial, void *arg)
{
    double sum = 1, n_going = prova_world(trial);
    (void)arg;
    if (prova_allreduce_sum(trial, &sum, 1))
        return prova_fail(trial, "no sum");
    say(trial);
    while (n_going == prova_world(trial) && prova_trial_attempt(trial) <= prova_int(trial, "lasting") &&
           !prova_stopped(trial)) {
        n_going = access("over", F_OK) != 0; /* all leave at the same sum */
        if (prova_allreduce_sum(trial, &n_going, 1))
            return prova_fail(trial, "no sum");
    }
    return prova_finish(trial, sum);
}

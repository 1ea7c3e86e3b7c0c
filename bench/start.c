/* How long a driver takes from its start until it answers, given a database.
 *
 *   bench_start PROVA ENDPOINT DATABASE
 *
 * Starts `PROVA driver` on it, asks for an experiment that is not there until the answer comes, and ends it.
 * Prints {"seconds"}.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"
#include "sdk/client.h"

#define PATIENCE_MS 120000

int main(int argc, char **argv)
{
    struct client *client = NULL;
    struct err err = {0};
    char *json = NULL;
    int64_t begin;
    pid_t driver;
    int code;

    if (argc != 4)
        bench_fail("usage: bench_start PROVA ENDPOINT DATABASE");
    begin = bench_now_ns();
    driver = fork();
    if (driver == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(argv[1], argv[1], "driver", "--listen", argv[2], "--db", argv[3], (char *)NULL);
        _exit(127);
    }
    code = client_connect(&client, argv[2], &err);
    if (code == 0)
        code = client_query(&json, client, "show", "no-such-experiment", PATIENCE_MS, &err);
    if (code != ERR_NOT_FOUND)
        bench_fail("no answer: %s", err.text);
    printf("{\"seconds\": %.4f}\n", 1e-9 * (double)(bench_now_ns() - begin));
    free(json);
    client_close(client);
    kill(driver, SIGTERM);
    waitpid(driver, NULL, 0);
    return 0;
}

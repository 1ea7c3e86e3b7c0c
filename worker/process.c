/* Starts and ends child processes.
 *
 * Between fork and exec the child may call only what is safe in a signal handler, because the worker has
 * other threads: everything that allocates is made before. */
#include "worker/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child says when it could not become the program. */
struct fault {
    enum { FAULT_SETUP, FAULT_DIRECTORY, FAULT_EXEC } step;
    int number;
};

static _Noreturn void give_up(int fault_fd, int step)
{
    struct fault fault = {.step = step, .number = errno};
    (void)!write(fault_fd, &fault, sizeof fault); /* the parent also sees an end without a word */
    _exit(127);
}

static void reset_signals(void)
{
    sigset_t none;
    for (int signal = 1; signal < NSIG; signal++) {
        if (signal != SIGKILL && signal != SIGSTOP)
            (void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL},
                            NULL); /* some are the C library's */
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void become(const struct process_setup *setup, pid_t parent, int output_fd, int fault_fd)
{
    reset_signals();
    if (setpgid(0, 0) || prctl(PR_SET_PDEATHSIG, setup->death_signal ? setup->death_signal : SIGKILL))
        give_up(fault_fd, FAULT_SETUP);
    if (getppid() != parent)
        _exit(127); /* it has died before it could be told to take us along */
    int null_fd = open("/dev/null", O_RDONLY);
    if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(output_fd, 1) < 0 || dup2(output_fd, 2) < 0)
        give_up(fault_fd, FAULT_SETUP);
    /* Not all libraries of a training function open their descriptors close-on-exec. Older kernels lack the
     * call; then those stay open, which harms little. */
    (void)syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
    if (setup->directory && chdir(setup->directory))
        give_up(fault_fd, FAULT_DIRECTORY);
    (void)execvpe(setup->argv[0], setup->argv, setup->envp);
    give_up(fault_fd, FAULT_EXEC);
}

static int describe(const struct fault *fault, const struct process_setup *setup, struct err *err)
{
    const char *program = setup->argv[0], *where = setup->directory ? setup->directory : ".";
    if (fault->step == FAULT_DIRECTORY)
        return err_set(err, ERR_NOT_FOUND, "cannot enter the directory of the command, %s: %s", where,
                       strerror(fault->number));
    if (fault->step == FAULT_SETUP)
        return err_set(err, ERR_IO, "cannot start '%s': %s", program, strerror(fault->number));
    if (fault->number == ENOENT && !strchr(program, '/')) {
        const char *path = getenv("PATH");
        return err_set(err, ERR_NOT_FOUND, "command '%s' not found on the PATH (%.150s)", program,
                       path ? path : "not set");
    }
    const char *hint =
        fault->number == ENOEXEC ? " (does it begin with #! and the name of its interpreter?)" : "";
    return err_set(err, ERR_NOT_FOUND, "cannot run '%.100s' in %.100s: %s%s", program, where,
                   strerror(fault->number), hint);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* pipes and pidfds have nothing to lose */
    *fd = -1;
}

/* Waits for the exec: its end closes the pipe, a fault comes through it. */
static int await_exec(struct process *process, const struct process_setup *setup, int fault_fd,
                      struct err *err)
{
    struct fault fault;
    ssize_t n;
    do
        n = read(fault_fd, &fault, sizeof fault);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return ERR_OK;
    process_finish(process);
    return n == sizeof fault ? describe(&fault, setup, err)
                             : err_set(err, ERR_IO, "cannot start '%s'", setup->argv[0]);
}

int process_start(struct process *process, const struct process_setup *setup, struct err *err)
{
    int output[2] = {-1, -1}, faults[2] = {-1, -1}, code = ERR_OK;
    pid_t parent = getpid();
    *process = (struct process){.pid = -1, .pid_fd = -1, .output_fd = -1};
    if (pipe2(output, O_CLOEXEC) || pipe2(faults, O_CLOEXEC) || fcntl(output[0], F_SETFL, O_NONBLOCK))
        goto fail;
    process->pid = fork();
    if (process->pid < 0)
        goto fail;
    if (process->pid == 0)
        become(setup, parent, output[1], faults[1]);
    (void)setpgid(process->pid, process->pid); /* the child does it too; whoever comes second fails */
    close_fd(&output[1]);
    close_fd(&faults[1]);
    process->output_fd = output[0];
    output[0] = -1;
    process->pid_fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    if (process->pid_fd < 0) {
        code = err_set(err, ERR_IO, "pidfd_open: %s", strerror(errno));
        process_finish(process);
        goto out;
    }
    code = await_exec(process, setup, faults[0], err);
    goto out;
fail:
    code = err_set(err, ERR_IO, "cannot start '%s': %s", setup->argv[0], strerror(errno));
out:
    close_fd(&output[0]);
    close_fd(&output[1]);
    close_fd(&faults[0]);
    close_fd(&faults[1]);
    return code;
}

void process_signal(const struct process *process, int signal)
{
    (void)kill(-process->pid, signal); /* nobody left to take it is as good */
}

bool process_has_ended(int *status, const struct process *process)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == 0)
        return false;
    *status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
    return true;
}

void process_finish(struct process *process)
{
    process_signal(process, SIGKILL);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close_fd(&process->output_fd);
    close_fd(&process->pid_fd);
}

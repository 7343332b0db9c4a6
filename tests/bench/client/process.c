/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Programs that run beside the client, and the processor time of their threads
 */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "process.h"

/* The kernel brings a running thread's time up to date only now and then. */
#define ASLEEP_US 200
#define ASLEEP_TRIES 5000

pid_t process_start(char *const *argv)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0) {
        die("cannot start %s: %s", argv[0], strerror(errno));
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) {
            execvp(argv[0], argv);
            fprintf(stderr, "bench-client: cannot run %s: %s\n", argv[0],
                    strerror(errno));
        }
        _exit(127);
    }
    return pid;
}

void process_end(pid_t pid, const char *name)
{
    int status;

    kill(pid, SIGTERM);
    if (waitpid(pid, &status, 0) != pid ||
        !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        die("%s ended badly: status 0x%x", name, status);
    }
}

pid_t process_thread(pid_t pid, const char *name)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", (int)pid);
    GDir *dir = g_dir_open(tasks, 0, NULL);
    const char *task;
    pid_t found = 0;

    while (dir && !found && (task = g_dir_read_name(dir))) {
        g_autofree char *path = g_strdup_printf("%s/%s/comm", tasks, task);
        g_autofree char *comm = NULL;

        if (g_file_get_contents(path, &comm, NULL, NULL) &&
            g_str_equal(g_strstrip(comm), name)) {
            found = atoi(task);
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
    return found;
}

void process_pin(pid_t tid, int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(tid, sizeof(set), &set)) {
        die("cannot use processor %d: %s; choose others with --cpus", cpu,
            strerror(errno));
    }
}

int cputime_open(pid_t pid, pid_t tid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/schedstat",
                                            (int)pid, (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        die("cannot read %s: %s; this kernel needs CONFIG_SCHED_INFO", path,
            strerror(errno));
    }
    return fd;
}

static uint64_t cputime_now(int fd)
{
    char text[80];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    if (n <= 0) {
        die("a thread to be measured has ended");
    }
    text[n] = '\0';
    return g_ascii_strtoull(text, NULL, 10);
}

uint64_t cputime_asleep(int fd)
{
    uint64_t before, now = cputime_now(fd);
    int i;

    for (i = 0; i < ASLEEP_TRIES; i++) {
        before = now;
        g_usleep(ASLEEP_US);
        now = cputime_now(fd);
        if (now == before) {
            return now;
        }
    }
    die("a thread that has nothing to do does not sleep");
}

/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Run virsh, for no longer than there is time.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"
#include "virsh.h"

#define MAX_OUTPUT (16 << 20)

int deadline_left(gint64 deadline)
{
    gint64 left = (deadline - g_get_monotonic_time()) / 1000;

    return CLAMP(left, 0, G_MAXINT);
}

/* Take over what is there to read; false at the end. */
static bool drain(int fd, GString *text)
{
    char data[4096];
    ssize_t got = read(fd, data, sizeof(data));

    if (got < 0) {
        return errno == EINTR || errno == EAGAIN;
    }
    g_string_append_len(text, data, got);
    return got > 0 && text->len <= MAX_OUTPUT;
}

/* Read both to their ends; false if there is no time for it. */
static bool collect(const int fds[2], GString *texts[2], gint64 deadline)
{
    struct pollfd waiting[2] = {
        { .fd = fds[0], .events = POLLIN },
        { .fd = fds[1], .events = POLLIN },
    };
    int i;

    while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
        int left = deadline_left(deadline);

        if (!left || (poll(waiting, 2, left) < 0 && errno != EINTR)) {
            return false;
        }
        for (i = 0; i < 2; i++) {
            if (waiting[i].fd >= 0 && waiting[i].revents &&
                !drain(waiting[i].fd, texts[i])) {
                waiting[i].fd = -1;
            }
        }
    }
    return texts[0]->len <= MAX_OUTPUT && texts[1]->len <= MAX_OUTPUT;
}

/* Its exit status, or -1 if it had to be killed */
static int finish(GPid pid, bool in_time, gint64 deadline)
{
    int status;

    while (in_time && waitpid(pid, &status, WNOHANG) == 0) {
        in_time = deadline_left(deadline);
        g_usleep(1000);
    }
    if (!in_time) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char **make_arguments(const Virsh *virsh, const char *command,
                             const char *argument)
{
    GPtrArray *words = g_ptr_array_new();

    g_ptr_array_add(words, g_strdup("virsh"));
    if (virsh->uri) {
        g_ptr_array_add(words, g_strdup("--connect"));
        g_ptr_array_add(words, g_strdup(virsh->uri));
    }
    g_ptr_array_add(words, g_strdup(command));
    g_ptr_array_add(words, g_strdup("--domain"));
    g_ptr_array_add(words, g_strdup(virsh->domain));
    if (argument) {
        g_ptr_array_add(words, g_strdup(argument));
    }
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}

static bool start(char **words, GPid *pid, int fds[2], GError **error)
{
    g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "LC_ALL",
                                                 "C", TRUE);
    g_autoptr(GError) reason = NULL;

    if (g_spawn_async_with_pipes(NULL, words, environment,
                                 G_SPAWN_SEARCH_PATH |
                                 G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, pid,
                                 NULL, &fds[0], &fds[1], &reason)) {
        return true;
    }
    if (g_error_matches(reason, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT)) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "there is no program virsh; install libvirt-clients, or "
                    "use --qmp");
    } else {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "cannot run virsh: %s", reason->message);
    }
    return false;
}

char *virsh_run(const Virsh *virsh, const char *command, const char *argument,
                GError **error)
{
    g_auto(GStrv) words = make_arguments(virsh, command, argument);
    g_autoptr(GString) output = g_string_new(NULL);
    g_autoptr(GString) complaints = g_string_new(NULL);
    GString *texts[] = { output, complaints };
    int fds[2], status;
    bool in_time;
    GPid pid;

    if (!start(words, &pid, fds, error)) {
        return NULL;
    }
    in_time = collect(fds, texts, virsh->deadline);
    close(fds[0]);
    close(fds[1]);
    status = finish(pid, in_time, virsh->deadline);
    if (status < 0) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "virsh %s was not done in time, or said too much; see "
                    "whether it works by hand, or use a longer --timeout",
                    command);
        return NULL;
    }
    if (status) {
        g_strdelimit(complaints->str, "\r\n", ' ');
        g_strstrip(complaints->str);
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "virsh %s failed (status %d): %s; see the domain's name "
                    "and --connect", command, status, complaints->str);
        return NULL;
    }
    return g_strdup(output->str);
}

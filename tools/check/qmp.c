/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The peer may be anything: it gets a deadline, and a limit for what it says.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "check.h"
#include "qmp.h"

#define MAX_MESSAGE (16 << 20)

struct Qmp {
    /* NULL for a socket */
    const Virsh *virsh;
    int fd;
    gint64 deadline;
    /* What was read; the first @scanned bytes are no whole message yet. */
    GString *buffer;
    size_t scanned;
    /* Where in a message @scanned is */
    unsigned depth;
    bool in_string;
    bool escaped;
};

static void set_closed(GError **error)
{
    g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                "QMP: the peer closed the connection; see that the socket is "
                "a QMP monitor (-qmp) and QEMU still runs");
}

static bool wait_until(Qmp *qmp, short events, GError **error)
{
    struct pollfd waiting = { .fd = qmp->fd, .events = events };
    int left, got;

    do {
        left = deadline_left(qmp->deadline);
        got = left ? poll(&waiting, 1, left) : 0;
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        return true;
    }
    g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                "QMP: no answer in time; see that nobody else is connected, "
                "as a QMP socket serves one at a time, or use a longer "
                "--timeout");
    return false;
}

static bool say(Qmp *qmp, const char *text, GError **error)
{
    size_t left = strlen(text);

    while (left) {
        ssize_t sent;

        if (!wait_until(qmp, POLLOUT, error)) {
            return false;
        }
        sent = send(qmp->fd, text, left, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR && errno != EAGAIN) {
            set_closed(error);
            return false;
        }
        if (sent > 0) {
            text += sent;
            left -= sent;
        }
    }
    return true;
}

/*
 * Whether there is a whole message. One ends where its brackets do: with
 * pretty=on it takes several lines.
 */
static bool find_end(Qmp *qmp)
{
    while (qmp->scanned < qmp->buffer->len) {
        char c = qmp->buffer->str[qmp->scanned++];

        if (qmp->in_string) {
            qmp->in_string = c != '"' || qmp->escaped;
            qmp->escaped = c == '\\' && !qmp->escaped;
        } else if (c == '"') {
            qmp->in_string = true;
        } else if (c == '{' || c == '[') {
            qmp->depth++;
        } else if (c == '}' || c == ']') {
            if (!qmp->depth || !--qmp->depth) {
                return true;
            }
        } else if (!qmp->depth && !g_ascii_isspace(c)) {
            /* No JSON object; whoever parses it will say so. */
            return true;
        }
    }
    return false;
}

static bool hear(Qmp *qmp, GError **error)
{
    char data[4096];
    ssize_t got;

    if (qmp->buffer->len > MAX_MESSAGE) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "QMP: the peer says too much for a QMP monitor; see that "
                    "the socket is one (-qmp)");
        return false;
    }
    if (!wait_until(qmp, POLLIN, error)) {
        return false;
    }
    got = recv(qmp->fd, data, sizeof(data), 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
        return true;
    }
    if (got <= 0) {
        set_closed(error);
        return false;
    }
    g_string_append_len(qmp->buffer, data, got);
    return true;
}

static JsonNode *parse_message(const char *text, size_t length,
                               GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(JsonNode) message = node_parse(text, length, &reason);

    if (!node_is_object(message)) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "QMP: the peer does not speak QMP (%s); see that the "
                    "socket is a QMP monitor (-qmp)",
                    reason ? reason->message : "not an object");
        return NULL;
    }
    return g_steal_pointer(&message);
}

static JsonNode *next_message(Qmp *qmp, GError **error)
{
    JsonNode *message;

    while (!find_end(qmp)) {
        if (!hear(qmp, error)) {
            return NULL;
        }
    }
    message = parse_message(qmp->buffer->str, qmp->scanned, error);
    g_string_erase(qmp->buffer, 0, qmp->scanned);
    qmp->scanned = 0;
    return message;
}

static JsonNode *ask_socket(Qmp *qmp, const char *request, GError **error)
{
    if (!say(qmp, request, error)) {
        return NULL;
    }
    while (true) {
        g_autoptr(JsonNode) message = next_message(qmp, error);

        if (!message || !node_get(message, "event")) {
            return g_steal_pointer(&message);
        }
    }
}

static JsonNode *ask_domain(Qmp *qmp, const char *request, GError **error)
{
    g_autofree char *text = virsh_run(qmp->virsh, "qemu-monitor-command",
                                      request, error);

    return text ? parse_message(text, strlen(text), error) : NULL;
}

JsonNode *qmp_execute(Qmp *qmp, const char *command, const char *arguments,
                      GError **error)
{
    g_autofree char *request =
        g_strdup_printf("{\"execute\": \"%s\", \"arguments\": %s}\n", command,
                        arguments ?: "{}");
    g_autoptr(JsonNode) answer =
        qmp->virsh ? ask_domain(qmp, request, error)
                   : ask_socket(qmp, request, error);
    const char *description;

    if (!answer) {
        return NULL;
    }
    description = node_string(node_get(node_get(answer, "error"), "desc"));
    if (description) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_ANSWER, "QMP: %s: %s",
                    command, description);
        return NULL;
    }
    if (!node_get(answer, "return")) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "QMP: the answer to %s has no 'return'; see that the "
                    "peer is QEMU", command);
        return NULL;
    }
    return g_steal_pointer(&answer);
}

static bool greet(Qmp *qmp, GError **error)
{
    g_autoptr(JsonNode) greeting = next_message(qmp, error);
    g_autoptr(JsonNode) answer = NULL;

    if (!greeting) {
        return false;
    }
    if (!node_get(greeting, "QMP")) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "QMP: the peer does not speak QMP (%s); see that the "
                    "socket is a QMP monitor (-qmp)", "no greeting");
        return false;
    }
    answer = qmp_execute(qmp, "qmp_capabilities", NULL, error);
    return answer;
}

Qmp *qmp_connect(const char *path, gint64 deadline, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_autoptr(Qmp) qmp = g_new0(Qmp, 1);

    qmp->buffer = g_string_new(NULL);
    qmp->deadline = deadline;
    qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (strlen(path) >= sizeof(address.sun_path)) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "--qmp: the path '%s' is too long for a socket; use a "
                    "shorter one, from another folder", path);
        return NULL;
    }
    strcpy(address.sun_path, path);
    if (connect(qmp->fd, (struct sockaddr *)&address, sizeof(address))) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "--qmp: cannot connect to '%s': %s; start QEMU with "
                    "-qmp unix:PATH,server=on,wait=off", path,
                    g_strerror(errno));
        return NULL;
    }
    return greet(qmp, error) ? g_steal_pointer(&qmp) : NULL;
}

Qmp *qmp_of_domain(const Virsh *virsh)
{
    Qmp *qmp = g_new0(Qmp, 1);

    qmp->virsh = virsh;
    qmp->fd = -1;
    return qmp;
}

void qmp_free(Qmp *qmp)
{
    if (qmp->fd >= 0) {
        close(qmp->fd);
    }
    if (qmp->buffer) {
        g_string_free(qmp->buffer, TRUE);
    }
    g_free(qmp);
}

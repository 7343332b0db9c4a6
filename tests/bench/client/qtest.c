/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU's qtest protocol: one line for each command, and one for its answer
 */

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "qtest.h"

/* Answers that nobody has read stop QEMU in the end. */
#define PENDING_MAX 256

static char size_letter(int size)
{
    switch (size) {
    case 1:
        return 'b';
    case 2:
        return 'w';
    case 4:
        return 'l';
    case 8:
        return 'q';
    default:
        g_assert_not_reached();
    }
}

void qtest_init(Qtest *q, int fd)
{
    *q = (Qtest){ .fd = fd };
}

static void G_GNUC_PRINTF(2, 3) send_line(Qtest *q, const char *format, ...)
{
    char line[80];
    va_list args;
    int len, n, done = 0;

    va_start(args, format);
    len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    while (done < len) {
        n = send(q->fd, line + done, len - done, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            die("QEMU has ended: %s", strerror(errno));
        }
        done += MAX(n, 0);
    }
    q->pending++;
}

/* The value of an answer, 0 without */
static uint64_t take_answer(Qtest *q)
{
    char *end;
    uint64_t value = 0;

    while (!(end = memchr(q->text, '\n', q->len))) {
        ssize_t n = read(q->fd, q->text + q->len, sizeof(q->text) - q->len);

        if (n == 0 || (n < 0 && errno != EINTR)) {
            die("QEMU has ended");
        }
        q->len += MAX(n, 0);
    }
    *end = '\0';
    if (!g_str_has_prefix(q->text, "OK")) {
        die("QEMU's answer to a qtest command: %s", q->text);
    }
    if (q->text[2] == ' ') {
        value = g_ascii_strtoull(q->text + 3, NULL, 0);
    }
    end++;
    q->len -= end - q->text;
    memmove(q->text, end, q->len);
    q->pending--;
    return value;
}

void qtest_settle(Qtest *q)
{
    while (q->pending) {
        take_answer(q);
    }
}

uint64_t qtest_read(Qtest *q, uint64_t addr, int size)
{
    qtest_settle(q);
    send_line(q, "read%c 0x%" PRIx64 "\n", size_letter(size), addr);
    return take_answer(q);
}

void qtest_post(Qtest *q, uint64_t addr, int size, uint64_t value)
{
    if (q->pending >= PENDING_MAX) {
        qtest_settle(q);
    }
    send_line(q, "write%c 0x%" PRIx64 " 0x%" PRIx64 "\n", size_letter(size),
              addr, value);
}

void qtest_write(Qtest *q, uint64_t addr, int size, uint64_t value)
{
    qtest_post(q, addr, size, value);
    qtest_settle(q);
}

uint32_t qtest_in(Qtest *q, uint16_t port)
{
    qtest_settle(q);
    send_line(q, "inl 0x%x\n", port);
    return take_answer(q);
}

void qtest_out(Qtest *q, uint16_t port, uint32_t value)
{
    send_line(q, "outl 0x%x 0x%x\n", port, value);
    qtest_settle(q);
}

/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU's qtest protocol: a processor that consists of loads and stores
 */

#ifndef BENCH_QTEST_H
#define BENCH_QTEST_H

#include "common.h"

typedef struct Qtest {
    int fd;
    /* Answers that are still to come */
    unsigned pending;
    /* What was received and not looked at */
    char text[256];
    size_t len;
} Qtest;

void qtest_init(Qtest *q, int fd);

/* @size: 1, 2, 4 or 8 bytes */
uint64_t qtest_read(Qtest *q, uint64_t addr, int size);
void qtest_write(Qtest *q, uint64_t addr, int size, uint64_t value);
/* The same without waiting until it is done */
void qtest_post(Qtest *q, uint64_t addr, int size, uint64_t value);
/* Wait until all that was posted is done. */
void qtest_settle(Qtest *q);

/* Ports, 4 bytes */
uint32_t qtest_in(Qtest *q, uint16_t port);
void qtest_out(Qtest *q, uint16_t port, uint32_t value);

#endif

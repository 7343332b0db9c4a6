/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What every part of the benchmark's client uses
 *
 * Concepts:
 *  machine  a QEMU that no guest runs in, and the way its device is set up
 *  arena    the part of its memory that the device is to use: guest RAM or the
 *           window, mapped here too, at the bus addresses that the device sees
 *  queue    a ring of the device, and the requests that go through it
 *  load     what a request is: its buffers, and what must come of them
 *  slice    the time in which one machine works and all others sleep
 *
 * Host and guest are little-endian.
 */

#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <glib.h>

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define PAGE ((uint64_t)4096)

/* Say why in one line, and end; machines end with this process. */
void die(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;

#endif

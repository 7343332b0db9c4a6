/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Command lines of QEMU and of qemu-storage-daemon
 */

#ifndef BENCH_START_H
#define BENCH_START_H

#include "machine.h"

/* With the memory that @machine shares */
void start_qemu(Machine *machine, const char *binary);
/* Before QEMU, which connects to it */
void start_back_end(Machine *machine);

#endif

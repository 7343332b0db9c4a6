/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A QEMU with one device, ready to work
 */

#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include "iommu.h"
#include "options.h"
#include "process.h"
#include "queue.h"
#include "variant.h"

#define QUEUES_MAX 4

#define RAM_SIZE (256 * MIB)
#define WINDOW_SIZE (64 * MIB)
#define DISK_SIZE (4 * GIB)
#define CHECKED_DISK_SIZE (64 * MIB)

#define DEVICE_SLOT 4
#define IOMMU_SLOT 5

/* Three descriptors for each of 128 requests, or two */
#define BLK_QUEUE_SIZE 512
#define NET_QUEUE_SIZE 256

typedef struct Machine {
    /* For the report */
    const char *label;
    const Variant *variant;
    const Options *options;

    pid_t pid;
    /* vhost-user: the back end's process, else 0 */
    pid_t back_end;
    Qtest qtest;
    SharedFile ram;
    /* Without a window, size 0 */
    SharedFile window;
    /* With --check: the disk, or the frames that the network got */
    SharedFile disk;

    Arena tables;
    Arena arena;
    Iommu iommu;
    VirtioPci dev;
    Queue queues[QUEUES_MAX];

    /* The threads that do the device's work */
    int n_threads;
    int cputime[QUEUES_MAX];
} Machine;

/* @text: LABEL=VARIANT=BINARY */
Machine *machine_new(const char *text, const Options *options);
void machine_free(Machine *machine);

#endif

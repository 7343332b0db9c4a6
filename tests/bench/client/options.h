/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is to be measured, as the command line says
 */

#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "common.h"

typedef enum DeviceType {
    DEVICE_BLK,
    DEVICE_NET,
    DEVICE_VHOST_USER_BLK,
} DeviceType;

typedef struct Options {
    DeviceType device;
    gboolean packed;
    gboolean indirect;
    /* The device writes zeros to the buffers that it is to fill. */
    gboolean zeroes;
    /* The data is to be checked, and nothing to be measured. */
    gboolean check;
    /* Bytes of data in a request */
    int size;
    /* Requests that a queue has under way */
    int depth;
    int queues;
    /* Slices of each machine; the first ones do not count */
    int rounds;
    int warmup;
    int slice_ms;
    /* Do just so many requests on each machine, and measure nothing. */
    int requests;
    /* The client's processor, then those of the devices; NULL: any */
    int *cpus;
    int n_cpus;
    /* Words to put before QEMU's command line */
    char **wrapper;
    char *storage_daemon;
} Options;

#endif

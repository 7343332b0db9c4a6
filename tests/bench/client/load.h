/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Requests of each kind
 */

#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "queue.h"

/* Reads at random places of a disk */
extern const Load blk_load;
/* Reads and writes of a disk whose contents are compared */
extern const Load blk_data_load;
/* Frames to send */
extern const Load net_load;

/* Give @disk the contents that blk_data_load expects. */
void blk_data_fill(SharedFile *disk);

/* The frames in @capture, in pcap format, are those that @queue has sent. */
void net_check_capture(Queue *queue, int capture);

#endif

/*
 * A machine saved to a file, and loaded from there
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_SWIOTLB_STREAM_H
#define TESTS_QTEST_SWIOTLB_STREAM_H

#include "swiotlb-rig.h"

/* A machine that waits to be loaded, and what it prints meanwhile */
typedef struct SwiotlbTarget {
    SwiotlbRig *rig;
    int said_fd;
} SwiotlbTarget;

/* As swiotlb_rig_new_unmapped() */
SwiotlbTarget *swiotlb_target_new(const char *device, const char *window,
                                  const char *extra);
/* As swiotlb_rig_new_mmio() */
SwiotlbTarget *swiotlb_target_new_mmio(const char *device, const char *extra);
void swiotlb_target_free(SwiotlbTarget *target);
/* All that QEMU printed so far; if nothing, why the migration failed */
char *swiotlb_target_said(SwiotlbTarget *target);
/* Load it; did that succeed?  QEMU lives on in both cases, and stands still. */
bool swiotlb_target_load(SwiotlbTarget *target, int stream);
void swiotlb_target_assert_loads(SwiotlbTarget *target, int stream);
/*
 * It says one line of ours, the first of all, that has all the @words, and
 * lives.
 */
void swiotlb_target_assert_refuses(SwiotlbTarget *target, int stream,
                                   const char *const words[3]);
void swiotlb_target_run(SwiotlbTarget *target);
/* Drive the device from here as @from did. */
void swiotlb_target_take_over(SwiotlbTarget *target, SwiotlbRig *from);
/* The same, and @vq goes on where @from left it. */
void swiotlb_target_follow(SwiotlbTarget *target, SwiotlbQueue *vq,
                           SwiotlbRig *from);
/* The window holds what it holds there, to the byte. */
void swiotlb_target_assert_same_window(SwiotlbTarget *target, SwiotlbRig *from);

/* Start to save @rig; a file to be passed to swiotlb_stream_finish(). */
int swiotlb_stream_start(SwiotlbRig *rig);
/* How often the source has looked for memory that was written to */
uint64_t swiotlb_stream_syncs(SwiotlbRig *rig);
/* Is @rig still at it, with the machine running? */
bool swiotlb_stream_active(SwiotlbRig *rig);
void swiotlb_stream_set_bandwidth(SwiotlbRig *rig, uint64_t bytes_per_second);
/*
 * Write to memory until every page has been sent once, then slow down so that
 * what is left takes longer than any test. Sending what was written last takes
 * a second, in which that has to happen.
 */
void swiotlb_stream_send_all_once(SwiotlbRig *rig);
void swiotlb_stream_finish(SwiotlbRig *rig);
/* Start and finish */
int swiotlb_stream_save(SwiotlbRig *rig);

/*
 * Where @size bytes of @data are: the first place, or the last.  The test fails
 * when there is none.
 */
off_t swiotlb_stream_find(int stream, const void *data, size_t size, bool last);
/* Where the fields of a section of the device start */
off_t swiotlb_stream_section(SwiotlbRig *rig, int stream, const char *name);

#endif

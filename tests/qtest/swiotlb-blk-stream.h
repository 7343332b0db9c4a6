/*
 * Block requests in a machine that is saved and goes on elsewhere
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_SWIOTLB_BLK_STREAM_H
#define TESTS_QTEST_SWIOTLB_BLK_STREAM_H

#include "swiotlb-blk.h"
#include "swiotlb-stream.h"

/*
 * What the device alone writes, after all was sent once at @bandwidth, is sent
 * again. The driver's part is in the window before the migration starts.
 */
void blk_assert_writes_arrive(SwiotlbRig *source, SwiotlbTarget *target,
                              SwiotlbQueue *vq, uint64_t bandwidth);
/*
 * @write, which is under way, is still so after the machine was saved and
 * loaded twice: @second knows only what @first was told. It runs then, and the
 * request is on its disk.
 */
void blk_assert_flight_arrives(SwiotlbRig *source, SwiotlbTarget *first,
                               SwiotlbTarget *second, SwiotlbQueue *vq,
                               const BlkRequest *write);

/* One byte of a section of the device is another. */
typedef struct BlkDamage {
    const char *name;
    const char *section;
    off_t offset;
    const char *bytes;
    /* In the one line that says what is wrong */
    const char *words[3];
} BlkDamage;

void blk_assert_damage_refused(SwiotlbRig *source, SwiotlbTarget *target,
                               const BlkDamage *damage);

#endif

/*
 * Block requests whose every segment may lie anywhere
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_SWIOTLB_BLK_H
#define TESTS_QTEST_SWIOTLB_BLK_H

#include "swiotlb-rig.h"

#define BLK_DRIVE       "-blockdev driver=raw,node-name=disk," \
                        "file.driver=file,file.filename=%s "
/*
 * Slow, by a clock that stands still, and then it fails: a write is still there
 * when the machine has stopped.
 */
#define BLK_SLOW_DRIVE \
    "-object throttle-group,id=tg0,x-bps-total=2048 " \
    "-blockdev driver=file,node-name=file,filename=%s " \
    "-blockdev driver=blkdebug,node-name=fails,image=file," \
    "inject-error.0.event=none,inject-error.0.iotype=write," \
    "inject-error.0.errno=5,inject-error.0.once=off " \
    "-blockdev driver=throttle,node-name=disk,throttle-group=tg0,file=fails "
#define BLK_DEVICE      "virtio-blk-pci,drive=disk"

#define BLK_SECTOR      512
#define BLK_VARIANTS    4

/* How a disk is built, and what its driver accepts for that */
typedef struct BlkVariant {
    const char *name;
    const char *device;
    const char *extra;
    uint64_t features;
} BlkVariant;

/* Split and packed rings, in the main loop and in an I/O thread */
extern const BlkVariant blk_variants[BLK_VARIANTS];

typedef enum {
    BLK_HEADER,
    BLK_DATA,
    BLK_STATUS,
    BLK_SEGMENTS,
} BlkSegment;

typedef struct BlkRequest {
    bool write;
    uint64_t sector;
    SwiotlbDesc seg[BLK_SEGMENTS];
    bool no_memory[BLK_SEGMENTS];   /* nothing there that could be written */
} BlkRequest;

/* One sector, all segments inside the window. */
void blk_request_init(BlkRequest *req, bool write, uint64_t sector);
/* The same at another place: @base holds header, data and status. */
void blk_request_init_at(BlkRequest *req, bool write, uint64_t sector,
                         uint64_t base);
/* Put header, data and a pending status where the segments say. */
void blk_request_fill(SwiotlbRig *rig, const BlkRequest *req);
/* Make it available; with @indirect by a table that lies in the window. */
void blk_request_add(SwiotlbRig *rig, SwiotlbQueue *vq, const BlkRequest *req,
                     bool indirect);
/* Add, kick, wait; the request must succeed and have done its work. */
void blk_request_assert_done(SwiotlbRig *rig, SwiotlbQueue *vq,
                             const BlkRequest *req);
/* Wait until what @req writes is on the disk. */
void blk_request_assert_on_disk(SwiotlbRig *rig, const BlkRequest *req);
/* Write and read back through @vq; the counter must not move. */
void blk_assert_works(SwiotlbRig *rig, SwiotlbQueue *vq);
/*
 * A queue with empty rings in the window, but for one @area at @addr, where
 * there may be no memory.  It is not enabled yet.
 */
SwiotlbQueue *blk_queue_with_area_at(SwiotlbRig *rig, uint16_t queue,
                                     SwiotlbRingArea area, uint64_t addr,
                                     bool no_memory);
/*
 * An enabled ring of which an area ends with the window is declared to be
 * longer, and is not followed out of it.
 */
void blk_assert_not_grown(SwiotlbRig *rig, SwiotlbQueue *vq);
/* Each segment may be the first and the last thing in the window. */
void blk_assert_edges_work(SwiotlbRig *rig, SwiotlbQueue *vq);
/* The driver acts as if it had not seen NEEDS_RESET, and nothing is done. */
void blk_assert_dead(SwiotlbRig *rig, SwiotlbQueue *vq);
/* The device has taken a request, in whatever thread. */
void blk_await_under_way(SwiotlbRig *rig);
/*
 * A write request to BLK_SLOW_DRIVE that is under way while the machine stands
 * still. @disturb, or NULL: what the driver does to the window meanwhile
 */
void blk_fly(SwiotlbRig *rig, SwiotlbQueue *vq, const BlkRequest *write,
             void (*disturb)(SwiotlbDriver *drv));
/* Put @variant's disk to work, its rings in the window. */
SwiotlbQueue *blk_variant_go(SwiotlbRig *rig, const BlkVariant *variant);
/* Reset, negotiate as before, and all works. */
void blk_assert_recovers(SwiotlbRig *rig, uint16_t queue);

#endif

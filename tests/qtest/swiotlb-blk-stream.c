/*
 * Block requests in a machine that is saved and goes on elsewhere
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "swiotlb-blk-stream.h"

void blk_assert_writes_arrive(SwiotlbRig *source, SwiotlbTarget *target,
                              SwiotlbQueue *vq, uint64_t bandwidth)
{
    BlkRequest req[SWIOTLB_RING_NUM / BLK_SEGMENTS];
    int stream;

    for (int i = 0; i < ARRAY_SIZE(req); i++) {
        blk_request_init_at(&req[i], false, i,
                            swiotlb_rig_in_window(source, RIG_TABLE) +
                            i * 0x4000);
        blk_request_fill(source, &req[i]);
        swiotlb_queue_add(vq, req[i].seg, BLK_SEGMENTS);
    }
    swiotlb_stream_set_bandwidth(source, bandwidth);
    stream = swiotlb_stream_start(source);
    swiotlb_stream_send_all_once(source);
    swiotlb_queue_kick(vq);
    for (int i = 0; i < ARRAY_SIZE(req); i++) {
        swiotlb_queue_wait(vq);
    }
    g_assert_true(swiotlb_stream_active(source));
    swiotlb_stream_set_bandwidth(source, 1 * GiB);
    swiotlb_stream_finish(source);

    swiotlb_target_assert_loads(target, stream);
    swiotlb_target_follow(target, vq, source);
    swiotlb_target_assert_same_window(target, source);
    for (int i = 0; i < ARRAY_SIZE(req); i++) {
        uint8_t data[BLK_SECTOR];

        qtest_memread(target->rig->qts, req[i].seg[BLK_DATA].addr, data,
                      sizeof(data));
        g_assert_cmpmem(data, sizeof(data), source->disk + i * BLK_SECTOR,
                        BLK_SECTOR);
    }
    swiotlb_target_run(target);
    blk_assert_works(target->rig, vq);
    close(stream);
}

void blk_assert_flight_arrives(SwiotlbRig *source, SwiotlbTarget *first,
                               SwiotlbTarget *second, SwiotlbQueue *vq,
                               const BlkRequest *write)
{
    uint64_t rejected = swiotlb_rig_rejected(source);
    int stream[2];

    stream[0] = swiotlb_stream_save(source);
    swiotlb_target_assert_loads(first, stream[0]);
    swiotlb_target_take_over(first, source);
    stream[1] = swiotlb_stream_save(first->rig);
    swiotlb_target_assert_loads(second, stream[1]);
    swiotlb_target_follow(second, vq, source);
    g_assert_cmpuint(swiotlb_rig_rejected(second->rig), ==, rejected);

    swiotlb_target_run(second);
    blk_request_assert_on_disk(second->rig, write);
    close(stream[0]);
    close(stream[1]);
}

void blk_assert_damage_refused(SwiotlbRig *source, SwiotlbTarget *target,
                               const BlkDamage *damage)
{
    int stream = swiotlb_stream_save(source);
    off_t at = swiotlb_stream_section(source, stream, damage->section) +
               damage->offset;

    g_assert_cmpint(pwrite(stream, damage->bytes, 1, at), ==, 1);
    swiotlb_target_assert_refuses(target, stream, damage->words);
    close(stream);
}

/*
 * Pools survive migration, snapshots and resets, with the devices they are for
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "swiotlb-blk-stream.h"
#include "standard-headers/linux/virtio_config.h"

#define WAIT_US         (60 * G_USEC_PER_SEC)
#define DEVICE          "virtio-blk-device,drive=disk,packed=on"
#define STOPPING        DEVICE ",werror=stop"

/* A driver: what it accepts besides VERSION_1 and ACCESS_PLATFORM */
typedef struct Driver {
    const char *name;
    uint64_t features;
} Driver;

static const Driver drivers[] = {
    { "accepted/split", 1ull << SWIOTLB_F },
    { "accepted/packed", 1ull << SWIOTLB_F | 1ull << VIRTIO_F_RING_PACKED },
    { "unknown/split", 0 },
    { "unknown/packed", 1ull << VIRTIO_F_RING_PACKED },
};

static SwiotlbQueue *start(SwiotlbRig *rig, const Driver *driver)
{
    SwiotlbQueue *vq;

    rig->features = driver->features | 1ull << VIRTIO_F_VERSION_1 |
                    1ull << VIRTIO_F_ACCESS_PLATFORM;
    g_assert_true(swiotlb_driver_negotiate(rig->drv, rig->features));
    vq = swiotlb_rig_queue(rig, 0);
    swiotlb_rig_driver_ok(rig);

    return vq;
}

static SwiotlbQueue *go(SwiotlbRig *rig, const Driver *driver)
{
    SwiotlbQueue *vq = start(rig, driver);

    blk_assert_works(rig, vq);

    return vq;
}

static void init_request(SwiotlbRig *rig, BlkRequest *req, bool write,
                         uint64_t sector)
{
    blk_request_init_at(req, write, sector,
                        swiotlb_rig_in_window(rig, RIG_BUFFERS));
}

/* What lies outside the pool is as far away as ever. */
static void assert_refuses(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    uint64_t target = rig->ram_base + RIG_TARGET;
    BlkRequest req;

    init_request(rig, &req, true, 1);
    req.seg[BLK_DATA].addr = target;
    blk_request_fill(rig, &req);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, target, BLK_SECTOR, "read", true);
}

static void test_goes_on(const void *opaque)
{
    const Driver *driver = opaque;
    SwiotlbRig *source = swiotlb_rig_new_mmio(DEVICE, BLK_DRIVE);
    SwiotlbTarget *target = swiotlb_target_new_mmio(DEVICE, BLK_DRIVE);
    SwiotlbQueue *vq = go(source, driver);
    BlkRequest req;
    int stream;

    assert_refuses(source, vq);
    swiotlb_queue_free(vq);
    vq = go(source, driver);
    init_request(source, &req, true, 1);
    blk_request_fill(source, &req);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);

    stream = swiotlb_stream_save(source);
    swiotlb_target_assert_loads(target, stream);
    swiotlb_target_follow(target, vq, source);
    swiotlb_target_assert_same_window(target, source);
    g_assert_cmpmem(target->rig->neighbour, RIG_NEIGHBOUR_SIZE,
                    source->neighbour, RIG_NEIGHBOUR_SIZE);
    swiotlb_target_run(target);
    g_assert_cmpuint(swiotlb_rig_rejected(target->rig), ==, 1);

    /* The request that nobody was told of yet, then others */
    swiotlb_queue_kick(vq);
    g_assert_cmpint(swiotlb_queue_wait(vq), ==, 1);
    blk_assert_works(target->rig, vq);
    assert_refuses(target->rig, vq);
    swiotlb_queue_free(vq);

    qtest_system_reset(target->rig->qts);
    g_assert_cmpuint(swiotlb_rig_rejected(target->rig), ==, 0);
    vq = go(target->rig, driver);
    assert_refuses(target->rig, vq);

    close(stream);
    swiotlb_queue_free(vq);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

static void test_device_writes_meanwhile_arrive(const void *opaque)
{
    SwiotlbRig *source = swiotlb_rig_new_mmio(DEVICE, BLK_DRIVE);
    SwiotlbTarget *target = swiotlb_target_new_mmio(DEVICE, BLK_DRIVE);
    SwiotlbQueue *vq = go(source, opaque);

    blk_assert_writes_arrive(source, target, vq, 4 * MiB);
    swiotlb_queue_free(vq);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

static void test_request_under_way(const void *opaque)
{
    SwiotlbRig *source = swiotlb_rig_new_mmio(STOPPING, BLK_SLOW_DRIVE);
    SwiotlbTarget *first = swiotlb_target_new_mmio(STOPPING, BLK_SLOW_DRIVE);
    SwiotlbTarget *second = swiotlb_target_new_mmio(STOPPING, BLK_DRIVE);
    SwiotlbQueue *vq = start(source, opaque);
    BlkRequest req;

    init_request(source, &req, true, 5);
    blk_fly(source, vq, &req, NULL);
    g_assert_cmpuint(swiotlb_rig_rejected(source), ==, 0);
    blk_assert_flight_arrives(source, first, second, vq, &req);
    g_assert_cmpint(swiotlb_queue_wait(vq), ==, 1);
    blk_assert_works(second->rig, vq);

    swiotlb_queue_free(vq);
    swiotlb_target_free(second);
    swiotlb_target_free(first);
    swiotlb_rig_free(source);
}

/* Has the only job there is ended? Fails the test if that went wrong. */
static bool job_concluded(QTestState *qts)
{
    QDict *rsp = qtest_qmp(qts, "{'execute': 'query-jobs'}");
    QDict *job = qobject_to(QDict,
                            qlist_peek(qdict_get_qlist(rsp, "return")));
    bool concluded = g_str_equal(qdict_get_str(job, "status"), "concluded");

    if (qdict_haskey(job, "error")) {
        g_error("%s: %s", qdict_get_str(job, "id"),
                qdict_get_str(job, "error"));
    }
    qobject_unref(rsp);
    return concluded;
}

/* @command: snapshot-save or snapshot-load */
static void do_snapshot(SwiotlbRig *rig, const char *command)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;

    qtest_qmp_assert_success(rig->qts, "{'execute': %s, 'arguments': {"
                             " 'job-id': %s, 'tag': 'one', 'vmstate': 'state',"
                             " 'devices': ['state']}}", command, command);
    while (!job_concluded(rig->qts)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(1000);
    }
    qtest_qmp_assert_success(rig->qts, "{'execute': 'job-dismiss',"
                             " 'arguments': {'id': %s}}", command);
}

static void test_snapshot(const void *opaque)
{
    g_autofree char *dir = g_dir_make_tmp("swiotlb-XXXXXX", NULL);
    g_autofree char *image = g_build_filename(dir, "state", NULL);
    g_autofree char *extra =
        g_strdup_printf(BLK_DRIVE "-blockdev driver=qcow2,node-name=state,"
                        "file.driver=file,file.filename=%s ", "%s", image);
    g_autofree uint8_t *before = g_malloc(RIG_WINDOW_SIZE);
    g_autofree uint8_t *after = g_malloc(RIG_WINDOW_SIZE);
    SwiotlbQueue *vq, saved;
    SwiotlbRig *rig;
    BlkRequest req;

    if (!have_qemu_img()) {
        g_rmdir(dir);
        g_test_skip("there is no qemu-img");
        return;
    }
    g_assert_true(mkimg(image, "qcow2", 64));
    rig = swiotlb_rig_new_mmio(DEVICE, extra);
    vq = go(rig, opaque);
    init_request(rig, &req, true, 1);
    blk_request_fill(rig, &req);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    saved = *vq;
    qtest_memread(rig->qts, rig->window, before, RIG_WINDOW_SIZE);
    do_snapshot(rig, "snapshot-save");

    /* Nothing of it is left, and the device has stopped. */
    assert_refuses(rig, vq);
    qtest_memset(rig->qts, rig->window, 0, RIG_WINDOW_SIZE);
    qtest_qmp_assert_success(rig->qts, "{'execute': 'stop'}");
    do_snapshot(rig, "snapshot-load");
    qtest_memread(rig->qts, rig->window, after, RIG_WINDOW_SIZE);
    g_assert_cmpmem(after, RIG_WINDOW_SIZE, before, RIG_WINDOW_SIZE);
    qtest_qmp_assert_success(rig->qts, "{'execute': 'cont'}");
    g_assert_cmpuint(swiotlb_rig_rejected(rig), ==, 0);
    *vq = saved;
    swiotlb_queue_kick(vq);
    g_assert_cmpint(swiotlb_queue_wait(vq), ==, 1);
    blk_assert_works(rig, vq);
    assert_refuses(rig, vq);

    swiotlb_queue_free(vq);
    swiotlb_rig_free(rig);
    g_assert_cmpint(g_unlink(image) | g_rmdir(dir), ==, 0);
}

typedef struct Mismatch {
    const char *name;
    /* After the options of both */
    const char *source;
    const char *target;
    /* In the one line that says what is wrong */
    const char *words[3];
} Mismatch;

#define POOL(id) "-global virtio-mmio.swiotlb-pool=" id " "
#define REQUIRED "-global virtio-mmio.swiotlb-required=on "

static const Mismatch mismatches[] = {
    {
        .name = "pool_on_source_only",
        .source = "",
        .target = POOL(""),
        .words = { "a pool at virtio-mmio@", "none here", "swiotlb-pool" },
    }, {
        .name = "pool_on_target_only",
        .source = POOL(""),
        .target = "",
        .words = { RIG_DEVICE, "has no pool", "swiotlb-pool" },
    }, {
        .name = "other_pool",
        .source = "",
        .target = POOL("neighbours"),
        .words = { RIG_DEVICE, "'neighbours' here and 'pool0' on the source" },
    }, {
        .name = "required_on_source_only",
        .source = REQUIRED,
        .target = "",
        .words = { "swiotlb-required is off here and on on the source" },
    }, {
        .name = "required_on_target_only",
        .source = "",
        .target = REQUIRED,
        .words = { "swiotlb-required is on here and off on the source" },
    },
};

static void test_mismatch(const void *opaque)
{
    const Mismatch *m = opaque;
    g_autofree char *here = g_strconcat(BLK_DRIVE, m->source, NULL);
    g_autofree char *there = g_strconcat(BLK_DRIVE, m->target, NULL);
    SwiotlbRig *source = swiotlb_rig_new_mmio(DEVICE, here);
    SwiotlbTarget *target = swiotlb_target_new_mmio(DEVICE, there);
    int stream;

    qtest_memset(source->qts, source->ram_base, 0x77, RIG_TARGET);
    swiotlb_rig_snapshot(target->rig);
    stream = swiotlb_stream_save(source);
    swiotlb_target_assert_refuses(target, stream, m->words);
    g_assert_cmpint(memcmp(target->rig->ram, target->rig->ram_before,
                           target->rig->ram_size), ==, 0);

    close(stream);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

/* Also what two machines could differ in, byte by byte */
static const BlkDamage damages[] = {
    {
        .name = "pool_of_other_size",
        .section = "swiotlb-pool",
        .offset = 5,
        .bytes = "\x20",
        .words = { RIG_DEVICE, "pool 'pool0' has 1048576 bytes here and "
                   "2097152 on the source" },
    }, {
        .name = "pool_at_other_place",
        .section = "swiotlb-pool",
        .offset = 8,
        .bytes = "\1",
        .words = { RIG_DEVICE, "pool 'pool0' is at 0x", "and the same -m" },
    }, {
        .name = "memdev_on_source_only",
        .section = "swiotlb-pool",
        .offset = 17,
        .bytes = "\1",
        .words = { RIG_DEVICE, "only on the source pool 'pool0' has a "
                   "memdev" },
    }, {
        .name = "pool_of_other_name",
        .section = "swiotlb-pool",
        .offset = 18,
        .bytes = "P",
        .words = { RIG_DEVICE, "'pool0' here and 'Pool0' on the source" },
    }, {
        .name = "window_at_other_place",
        .section = "swiotlb-state",
        .offset = 0,
        .bytes = "\1",
        .words = { RIG_DEVICE, "the saved state is damaged" },
    }, {
        .name = "ordinary_device",
        .section = "swiotlb-state",
        .offset = 16,
        .bytes = "\2",
        .words = { RIG_DEVICE, "the saved state is damaged", "phase 2" },
    },
};

static void test_damaged_section(const void *opaque)
{
    SwiotlbRig *source = swiotlb_rig_new_mmio(DEVICE, BLK_DRIVE);
    SwiotlbTarget *target = swiotlb_target_new_mmio(DEVICE, BLK_DRIVE);

    blk_assert_damage_refused(source, target, opaque);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

/* Where a request may not lie: @offset from the start of the pool */
static const struct {
    const char *name;
    int64_t offset;
} wrong_places[] = {
    { "below_pool", -1 },
    { "in_neighbours_pool", RIG_WINDOW_SIZE },
    { "over_end_of_pool", RIG_WINDOW_SIZE - 1 },
};

/* Nothing of the request is used, whoever goes on with the machine. */
static void test_damaged_request(const void *opaque)
{
    const int64_t *offset = opaque;
    const char *const words[3] = { RIG_DEVICE, "the saved state is damaged" };
    SwiotlbRig *source = swiotlb_rig_new_mmio(STOPPING, BLK_SLOW_DRIVE);
    SwiotlbTarget *target = swiotlb_target_new_mmio(STOPPING, BLK_DRIVE);
    SwiotlbQueue *vq = start(source, &drivers[0]);
    uint64_t addr = source->window + *offset;
    BlkRequest req;
    off_t at;
    int stream;

    init_request(source, &req, true, 5);
    blk_fly(source, vq, &req, NULL);
    stream = swiotlb_stream_save(source);
    /* The last is that of the request: the pool comes before it. */
    at = swiotlb_stream_find(stream, &req.seg[BLK_DATA].addr, sizeof(addr),
                             true);
    g_assert_cmpint(pwrite(stream, &addr, sizeof(addr), at), ==, sizeof(addr));

    swiotlb_rig_snapshot(target->rig);
    swiotlb_target_assert_refuses(target, stream, words);
    g_assert_cmpint(memcmp(target->rig->disk, target->rig->disk_before,
                           RIG_DISK_SIZE), ==, 0);

    close(stream);
    swiotlb_queue_free(vq);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

static void add(const char *kind, const char *name, const void *data,
                GTestDataFunc test)
{
    g_autofree char *path = g_strdup_printf("swiotlb/mmio-migration/%s/%s",
                                            kind, name);

    qtest_add_data_func(path, data, test);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    for (int i = 0; i < ARRAY_SIZE(drivers); i++) {
        const char *name = drivers[i].name;

        add(name, "device_goes_on", &drivers[i], test_goes_on);
        add(name, "device_writes_meanwhile_arrive", &drivers[i],
            test_device_writes_meanwhile_arrive);
        add(name, "request_under_way", &drivers[i], test_request_under_way);
        add(name, "snapshot", &drivers[i], test_snapshot);
    }
    for (int i = 0; i < ARRAY_SIZE(mismatches); i++) {
        add("refused", mismatches[i].name, &mismatches[i], test_mismatch);
    }
    for (int i = 0; i < ARRAY_SIZE(damages); i++) {
        add("refused", damages[i].name, &damages[i], test_damaged_section);
    }
    for (int i = 0; i < ARRAY_SIZE(wrong_places); i++) {
        g_autofree char *name = g_strdup_printf("request_%s",
                                                wrong_places[i].name);

        add("refused", name, &wrong_places[i].offset, test_damaged_request);
    }

    return g_test_run();
}

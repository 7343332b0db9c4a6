/*
 * The window survives migration, and a machine that does not fit is refused
 *
 * Machines are saved to files and loaded from there: what is in the stream can
 * be looked at, and damaged.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "swiotlb-blk-stream.h"
#include "standard-headers/linux/virtio_config.h"

#define ELSEWHERE       0xe8000000ull
#define WINDOW          "swiotlb=on,swiotlb-size=1M"

/* One refused access, so that there is something to count */
static void be_refused_once(SwiotlbRig *rig, const BlkVariant *c)
{
    SwiotlbQueue *vq = blk_variant_go(rig, c);
    BlkRequest req;

    blk_request_init(&req, true, 1);
    req.seg[BLK_DATA].addr = RIG_TARGET;
    blk_request_fill(rig, &req);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_stopped(rig, true);
    swiotlb_queue_free(vq);
}

static void migrate_idle(const BlkVariant *c, bool mapped_elsewhere)
{
    SwiotlbRig *source = swiotlb_rig_new(c->device, c->extra);
    SwiotlbTarget *target = swiotlb_target_new(c->device, WINDOW, c->extra);
    SwiotlbQueue *vq;
    BlkRequest req;
    int stream;

    be_refused_once(source, c);
    vq = blk_variant_go(source, c);
    blk_request_init(&req, true, 1);
    blk_request_fill(source, &req);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);

    if (mapped_elsewhere) {
        swiotlb_driver_map(target->rig->drv, ELSEWHERE, ELSEWHERE + 8 * MiB);
    }
    stream = swiotlb_stream_save(source);
    swiotlb_target_assert_loads(target, stream);
    swiotlb_target_follow(target, vq, source);
    swiotlb_target_assert_same_window(target, source);
    swiotlb_target_run(target);
    g_assert_cmpuint(swiotlb_rig_rejected(target->rig), ==, 1);

    /* The request that nobody was told of yet, then others */
    swiotlb_queue_kick(vq);
    g_assert_cmpint(swiotlb_queue_wait(vq), ==, 1);
    blk_assert_works(target->rig, vq);
    blk_request_init(&req, true, 1);
    req.seg[BLK_DATA].addr = RIG_TARGET;
    blk_request_fill(target->rig, &req);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_rig_snapshot(target->rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(target->rig, RIG_TARGET, BLK_SECTOR, "read",
                               true);

    close(stream);
    swiotlb_queue_free(vq);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

static void test_goes_on(const void *opaque)
{
    migrate_idle(opaque, false);
}

static void test_goes_on_though_target_had_it_elsewhere(const void *opaque)
{
    migrate_idle(opaque, true);
}

static void test_device_writes_meanwhile_arrive(const void *opaque)
{
    const BlkVariant *c = opaque;
    SwiotlbRig *source = swiotlb_rig_new(c->device, c->extra);
    SwiotlbTarget *target = swiotlb_target_new(c->device, WINDOW, c->extra);
    SwiotlbQueue *vq = blk_variant_go(source, c);

    blk_assert_writes_arrive(source, target, vq, 2 * MiB);
    swiotlb_queue_free(vq);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

/* Requests that a disk is kept busy with, each in pages of its own */
#define LOAD_BATCH      (SWIOTLB_RING_NUM / BLK_SEGMENTS)
#define LOAD_PLACES     40
#define LOAD_PLACE_SIZE 0x3000

typedef struct Load {
    SwiotlbRig *rig;
    SwiotlbQueue *vq;
    BlkRequest req[LOAD_PLACES];
    /* What each request should have brought */
    uint8_t data[LOAD_PLACES][BLK_SECTOR];
    uint64_t requests;
    int under_way;
} Load;

static void load_init(Load *load, SwiotlbRig *rig, SwiotlbQueue *vq)
{
    load->rig = rig;
    load->vq = vq;
    for (int i = 0; i < LOAD_PLACES; i++) {
        blk_request_init_at(&load->req[i], i & 1, i,
                            RIG_TABLE + i * LOAD_PLACE_SIZE);
        blk_request_fill(rig, &load->req[i]);
    }
}

/*
 * A new content of the disk each time: old pages in the stream would show. What
 * a read fills is never written to by the driver: only the device can have
 * marked it.
 */
static void load_submit(Load *load)
{
    int place = load->requests % LOAD_PLACES;
    BlkRequest *req = &load->req[place];
    uint8_t *on_disk = load->rig->disk + place * BLK_SECTOR;

    for (int i = 0; i < BLK_SECTOR; i++) {
        on_disk[i] = load->requests * 7 + i;
    }
    if (req->write) {
        blk_request_fill(load->rig, req);
        qtest_memread(load->rig->qts, req->seg[BLK_DATA].addr,
                      load->data[place], BLK_SECTOR);
    } else {
        memcpy(load->data[place], on_disk, BLK_SECTOR);
    }
    swiotlb_queue_add(load->vq, req->seg, BLK_SEGMENTS);
    load->requests++;
    load->under_way++;
}

static void load_start(Load *load)
{
    for (int i = 0; i < LOAD_BATCH; i++) {
        load_submit(load);
    }
    swiotlb_queue_kick(load->vq);
}

static void load_finish(Load *load)
{
    while (load->under_way) {
        swiotlb_queue_wait(load->vq);
        load->under_way--;
    }
}

static void load_assert_arrived(Load *load, SwiotlbRig *target)
{
    for (int i = 0; i < LOAD_PLACES; i++) {
        uint8_t data[BLK_SECTOR];

        qtest_memread(target->qts, load->req[i].seg[BLK_DATA].addr, data,
                      sizeof(data));
        g_assert_cmpmem(data, sizeof(data), load->data[i], BLK_SECTOR);
        g_assert_cmpint(qtest_readb(target->qts,
                                    load->req[i].seg[BLK_STATUS].addr), ==, 0);
    }
}

/* The disk is busy from the first page that is sent to the last. */
static void test_busy_device_arrives(const void *opaque)
{
    const BlkVariant *c = opaque;
    SwiotlbRig *source = swiotlb_rig_new(c->device, c->extra);
    SwiotlbTarget *target = swiotlb_target_new(c->device, WINDOW, c->extra);
    g_autofree Load *load = g_new0(Load, 1);
    uint64_t before;
    uint8_t value = 0;
    int stream;

    load_init(load, source, blk_variant_go(source, c));
    swiotlb_stream_set_bandwidth(source, 2 * MiB);
    stream = swiotlb_stream_start(source);
    while (swiotlb_stream_syncs(source) < 2) {
        qtest_memset(source->qts, 0, ++value, RIG_RAM_SIZE / 2);
        load_start(load);
        load_finish(load);
    }
    swiotlb_stream_set_bandwidth(source, 64 * KiB);
    qtest_memset(source->qts, 0, ++value, RIG_RAM_SIZE / 2);
    before = load->requests;
    while (load->requests < before + 10 * LOAD_PLACES) {
        load_start(load);
        load_finish(load);
    }
    g_assert_true(swiotlb_stream_active(source));
    load_start(load);
    swiotlb_stream_set_bandwidth(source, 1 * GiB);
    swiotlb_stream_finish(source);
    g_test_message("%" PRIu64 " requests", load->requests);

    swiotlb_target_assert_loads(target, stream);
    swiotlb_target_follow(target, load->vq, source);
    swiotlb_target_assert_same_window(target, source);
    /* Requests that are still to be done find the disk that was there. */
    memcpy(target->rig->disk, source->disk, RIG_DISK_SIZE);
    swiotlb_target_run(target);
    swiotlb_queue_kick(load->vq);
    load_finish(load);
    load_assert_arrived(load, target->rig);
    g_assert_cmpuint(swiotlb_rig_rejected(target->rig), ==, 0);
    blk_assert_works(target->rig, load->vq);

    close(stream);
    swiotlb_queue_free(load->vq);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

typedef struct Flight {
    const char *name;
    const BlkVariant *c;
    /* What the driver does to the window while the request is under way */
    void (*disturb)(SwiotlbDriver *drv);
} Flight;

static char *stopping(const char *device)
{
    return g_strconcat(device, ",werror=stop", NULL);
}

static void test_request_under_way(const void *opaque)
{
    const Flight *flight = opaque;
    const BlkVariant *c = flight->c;
    g_autofree char *device = stopping(c->device);
    g_autofree char *slow = g_strconcat(BLK_SLOW_DRIVE,
                                        strstr(c->extra, "-object") ?: "",
                                        NULL);
    SwiotlbRig *source = swiotlb_rig_new(device, slow);
    SwiotlbTarget *first = swiotlb_target_new(device, WINDOW, slow);
    SwiotlbTarget *second = swiotlb_target_new(device, WINDOW, c->extra);
    SwiotlbQueue *vq;
    BlkRequest req;

    swiotlb_rig_negotiate(source, c->features);
    vq = swiotlb_rig_queue(source, 0);
    swiotlb_rig_driver_ok(source);
    blk_request_init(&req, true, 5);
    blk_fly(source, vq, &req, flight->disturb);
    blk_assert_flight_arrives(source, first, second, vq, &req);
    if (flight->disturb) {
        g_assert_cmphex(swiotlb_driver_status(second->rig->drv) &
                        VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
        swiotlb_queue_free(vq);
        second->rig->drv->use_cfg_cap = false;
        swiotlb_rig_map(second->rig);
        blk_assert_recovers(second->rig, 0);
    } else {
        g_assert_cmpint(swiotlb_queue_wait(vq), ==, 1);
        blk_assert_works(second->rig, vq);
        swiotlb_queue_free(vq);
    }

    swiotlb_target_free(second);
    swiotlb_target_free(first);
    swiotlb_rig_free(source);
}

/* A driver that declined the window has its requests in guest memory. */
static void test_ordinary_request_under_way(const void *opaque)
{
    const uint64_t *features = opaque;
    const char *window = WINDOW ",swiotlb-required=off";
    g_autofree char *device = stopping(BLK_DEVICE);
    SwiotlbRig *source = swiotlb_rig_new_full(device, window, BLK_SLOW_DRIVE);
    SwiotlbTarget *target = swiotlb_target_new(device, window, BLK_DRIVE);
    SwiotlbQueue *vq;
    uint64_t area[RING_AREAS];
    BlkRequest req;
    int stream;

    g_assert_true(swiotlb_driver_negotiate(source->drv, *features));
    swiotlb_ring_areas_at(RIG_TARGET_RINGS, area);
    vq = swiotlb_queue_new(source->drv, 0, area);
    swiotlb_queue_clear(vq);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(source);
    blk_request_init_at(&req, false, 7, RIG_TARGET);
    blk_request_assert_done(source, vq, &req);
    blk_request_init_at(&req, true, 5, RIG_TARGET);
    blk_request_fill(source, &req);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_queue_kick(vq);
    blk_await_under_way(source);
    qtest_qmp_assert_success(source->qts, "{'execute': 'stop'}");

    stream = swiotlb_stream_save(source);
    swiotlb_target_assert_loads(target, stream);
    swiotlb_target_follow(target, vq, source);
    swiotlb_target_run(target);
    blk_request_assert_on_disk(target->rig, &req);
    g_assert_cmpint(swiotlb_queue_wait(vq), ==, 1);
    blk_request_init_at(&req, true, 6, RIG_TARGET);
    blk_request_assert_done(target->rig, vq, &req);
    g_assert_cmpuint(swiotlb_rig_rejected(target->rig), ==, 0);

    close(stream);
    swiotlb_queue_free(vq);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

typedef struct Mismatch {
    const char *name;
    const char *source;
    const char *target;
    /* In the one line that says what is wrong */
    const char *words[3];
} Mismatch;

#define OBJECT(size) "-object memory-backend-memfd,id=pool1,size=" size " "

static const Mismatch mismatches[] = {
    {
        .name = "window_on_source_only",
        .source = WINDOW,
        .target = "",
        .words = { "0000:00:04.0", "set swiotlb=on here" },
    }, {
        .name = "window_on_target_only",
        .source = "",
        .target = WINDOW,
        .words = { RIG_DEVICE, "set swiotlb=off here" },
    }, {
        .name = "larger_window",
        .source = WINDOW,
        .target = "swiotlb=on,swiotlb-size=2M",
        .words = { RIG_DEVICE, "1048576 on the source", "swiotlb-size" },
    }, {
        .name = "smaller_window",
        .source = "swiotlb=on,swiotlb-size=2M",
        .target = WINDOW,
        .words = { RIG_DEVICE, "2097152 on the source", "swiotlb-size" },
    }, {
        .name = "window_not_required_on_source",
        .source = WINDOW ",swiotlb-required=off",
        .target = WINDOW,
        .words = { RIG_DEVICE, "swiotlb-required is on here and off on the "
                   "source" },
    }, {
        .name = "window_not_required_on_target",
        .source = WINDOW,
        .target = WINDOW ",swiotlb-required=off",
        .words = { RIG_DEVICE, "swiotlb-required is off here and on on the "
                   "source" },
    }, {
        .name = "memdev_on_source_only",
        .source = "swiotlb=on,swiotlb-memdev=pool1",
        .target = WINDOW,
        .words = { RIG_DEVICE, "only the source has swiotlb-memdev" },
    }, {
        .name = "memdev_on_target_only",
        .source = WINDOW,
        .target = "swiotlb=on,swiotlb-memdev=pool1",
        .words = { RIG_DEVICE, "only the destination has swiotlb-memdev" },
    },
};

static void test_mismatch(const void *opaque)
{
    const Mismatch *m = opaque;
    const char *extra = BLK_DRIVE OBJECT("1M");
    SwiotlbRig *source = swiotlb_rig_new_full(BLK_DEVICE, m->source, extra);
    SwiotlbTarget *target = swiotlb_target_new(BLK_DEVICE, m->target, extra);
    int stream;

    qtest_memset(source->qts, 0, 0x77, RIG_RAM_SIZE / 2);
    swiotlb_rig_snapshot(target->rig);
    stream = swiotlb_stream_save(source);
    swiotlb_target_assert_refuses(target, stream, m->words);
    g_assert_cmpint(memcmp(target->rig->ram, target->rig->ram_before,
                           RIG_RAM_SIZE), ==, 0);

    close(stream);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

static void test_backends_of_two_sizes(void)
{
    const char *window = "swiotlb=on,swiotlb-memdev=pool1";
    const char *const words[3] = { "2097152 bytes here", "backends" };
    SwiotlbRig *source = swiotlb_rig_new_full(BLK_DEVICE, window,
                                              BLK_DRIVE OBJECT("1M"));
    SwiotlbTarget *target = swiotlb_target_new(BLK_DEVICE, window,
                                               BLK_DRIVE OBJECT("2M"));
    int stream = swiotlb_stream_save(source);

    swiotlb_target_assert_refuses(target, stream, words);
    close(stream);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

static void test_backends_may_have_different_names(void)
{
    const BlkVariant *c = &blk_variants[0];
    SwiotlbRig *source =
        swiotlb_rig_new_full(BLK_DEVICE, "swiotlb=on,swiotlb-memdev=pool1",
                             BLK_DRIVE OBJECT("1M"));
    SwiotlbTarget *target =
        swiotlb_target_new(BLK_DEVICE, "swiotlb=on,swiotlb-memdev=other",
                           BLK_DRIVE "-object memory-backend-ram,id=other,"
                           "size=1M ");
    SwiotlbQueue *vq = blk_variant_go(source, c);
    int stream = swiotlb_stream_save(source);

    swiotlb_target_assert_loads(target, stream);
    swiotlb_target_follow(target, vq, source);
    swiotlb_target_assert_same_window(target, source);
    swiotlb_target_run(target);
    blk_assert_works(target->rig, vq);

    close(stream);
    swiotlb_queue_free(vq);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

/* Nothing could hand this memory over. */
static void test_cpr_transfer_needs_shared_memory(void)
{
    SwiotlbRig *rig =
        swiotlb_rig_new_full(BLK_DEVICE, "swiotlb=on,swiotlb-memdev=pool1",
                             BLK_DRIVE OBJECT("1M,share=off")
                             "-machine aux-ram-share=on ");
    QDict *error;

    qtest_qmp_assert_success(rig->qts,
                             "{'execute': 'migrate-set-parameters',"
                             " 'arguments': {'mode': 'cpr-transfer'}}");
    error = qtest_qmp_assert_failure_ref(
        rig->qts, "{'execute': 'migrate', 'arguments': {'channels': ["
        " {'channel-type': 'main', 'addr': {'transport': 'socket',"
        "  'type': 'unix', 'path': '/nowhere/main'}},"
        " {'channel-type': 'cpr', 'addr': {'transport': 'socket',"
        "  'type': 'unix', 'path': '/nowhere/cpr'}}]}}");
    g_assert_nonnull(strstr(qdict_get_str(error, "desc"), "pool1"));
    g_assert_nonnull(strstr(qdict_get_str(error, "desc"), "share=on"));
    qobject_unref(error);
    swiotlb_rig_free(rig);
}

static const BlkDamage damages[] = {
    {
        .name = "other_bar",
        .section = "swiotlb",
        .offset = 8,
        .bytes = "\4",
        .words = { RIG_DEVICE, "swiotlb-bar is 2 here and 4 on the source" },
    }, {
        .name = "window_at_odd_address",
        .section = "swiotlb-state",
        .offset = 7,
        .bytes = "\1",
        .words = { RIG_DEVICE, "the saved state is damaged" },
    }, {
        .name = "phase_that_is_none",
        .section = "swiotlb-state",
        .offset = 16,
        .bytes = "\377",
        .words = { RIG_DEVICE, "the saved state is damaged", "phase 255" },
    }, {
        .name = "ordinary_though_window_is_required",
        .section = "swiotlb-state",
        .offset = 16,
        .bytes = "\2",
        .words = { RIG_DEVICE, "the saved state is damaged", "phase 2" },
    },
};

static void test_damaged_section(const void *opaque)
{
    SwiotlbRig *source = swiotlb_rig_new(BLK_DEVICE, BLK_DRIVE);
    SwiotlbTarget *target = swiotlb_target_new(BLK_DEVICE, WINDOW, BLK_DRIVE);

    blk_assert_damage_refused(source, target, opaque);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

/* Where a request may not lie, and how long it may not be */
static const struct {
    const char *name;
    uint64_t addr;
    uint64_t len;
} wrong_places[] = {
    { "below_window", RIG_WINDOW - 1, BLK_SECTOR },
    { "above_window", RIG_NEIGHBOUR, BLK_SECTOR },
    { "over_end_of_window", RIG_NEIGHBOUR - 1, BLK_SECTOR },
    { "at_end_of_addresses", UINT64_MAX - 1, BLK_SECTOR },
    { "longer_than_window", RIG_BUFFERS + 0x1000, 0xffffffff },
    { "longer_than_all", RIG_BUFFERS + 0x1000, UINT64_MAX },
};

/* Nothing of the request is used, whoever goes on with the machine. */
static void test_damaged_request(const void *opaque)
{
    const int i = GPOINTER_TO_INT(opaque);
    g_autofree char *device = stopping(BLK_DEVICE);
    SwiotlbRig *source = swiotlb_rig_new(device, BLK_SLOW_DRIVE);
    SwiotlbTarget *target = swiotlb_target_new(device, WINDOW, BLK_DRIVE);
    const char *const words[3] = { RIG_DEVICE, "the saved state is damaged" };
    /* As the stream has them: in the order of the host */
    uint64_t addr = wrong_places[i].addr, len = wrong_places[i].len;
    SwiotlbQueue *vq;
    BlkRequest req;
    off_t at;
    int stream;

    swiotlb_rig_negotiate(source, 0);
    vq = swiotlb_rig_queue(source, 0);
    swiotlb_rig_driver_ok(source);
    blk_request_init(&req, true, 5);
    blk_fly(source, vq, &req, NULL);
    stream = swiotlb_stream_save(source);
    /* The last is that of the request: the window comes before it. */
    at = swiotlb_stream_find(stream, &req.seg[BLK_DATA].addr, sizeof(addr),
                             true);
    g_assert_cmpint(pwrite(stream, &addr, sizeof(addr), at), ==, sizeof(addr));
    at = swiotlb_stream_find(stream, &(uint64_t) { BLK_SECTOR }, sizeof(len),
                             true);
    g_assert_cmpint(pwrite(stream, &len, sizeof(len), at), ==, sizeof(len));

    swiotlb_rig_snapshot(target->rig);
    swiotlb_target_assert_refuses(target, stream, words);
    qtest_qmp_assert_success(target->rig->qts, "{'execute': 'system_reset'}");
    qtest_qmp_eventwait(target->rig->qts, "RESET");
    g_assert_cmpint(memcmp(target->rig->disk, target->rig->disk_before,
                           RIG_DISK_SIZE), ==, 0);

    close(stream);
    swiotlb_queue_free(vq);
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

static const struct {
    const char *name;
    void (*disturb)(SwiotlbDriver *drv);
} disturbances[] = {
    { "window_stays", NULL },
    { "window_closed", swiotlb_driver_close_window },
    { "bus_mastering_off", swiotlb_driver_take_mastering },
    { "window_moved", swiotlb_driver_move_window },
    { "window_moved_and_closed", swiotlb_driver_move_window_away_and_close },
};

static void add_cases(const char *name, GTestDataFunc test)
{
    for (int i = 0; i < BLK_VARIANTS; i++) {
        g_autofree char *path = g_strdup_printf("/swiotlb/migration/%s/%s",
                                                blk_variants[i].name, name);

        qtest_add_data_func(path, &blk_variants[i], test);
    }
}

static void add_flights(void)
{
    for (int i = 0; i < BLK_VARIANTS; i++) {
        for (int j = 0; j < ARRAY_SIZE(disturbances); j++) {
            Flight *flight = g_new(Flight, 1);
            g_autofree char *path =
                g_strdup_printf("/swiotlb/migration/%s/request_under_way/%s",
                                blk_variants[i].name, disturbances[j].name);

            *flight = (Flight) {
                .c = &blk_variants[i], .disturb = disturbances[j].disturb,
            };
            qtest_add_data_func_full(path, flight, test_request_under_way,
                                     g_free);
        }
    }
}

static void add_refusals(void)
{
    for (int i = 0; i < ARRAY_SIZE(mismatches); i++) {
        g_autofree char *path =
            g_strdup_printf("/swiotlb/migration/refused/%s",
                            mismatches[i].name);

        qtest_add_data_func(path, &mismatches[i], test_mismatch);
    }
    for (int i = 0; i < ARRAY_SIZE(damages); i++) {
        g_autofree char *path =
            g_strdup_printf("/swiotlb/migration/refused/%s", damages[i].name);

        qtest_add_data_func(path, &damages[i], test_damaged_section);
    }
    for (int i = 0; i < ARRAY_SIZE(wrong_places); i++) {
        g_autofree char *path =
            g_strdup_printf("/swiotlb/migration/refused/request_%s",
                            wrong_places[i].name);

        qtest_add_data_func(path, GINT_TO_POINTER(i), test_damaged_request);
    }
}

int main(int argc, char **argv)
{
    static const uint64_t ordinary[] = {
        1ull << VIRTIO_F_VERSION_1,
        1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_ACCESS_PLATFORM,
    };

    g_test_init(&argc, &argv, NULL);

    add_cases("device_goes_on", test_goes_on);
    add_cases("device_goes_on_though_target_had_it_elsewhere",
              test_goes_on_though_target_had_it_elsewhere);
    add_cases("device_writes_meanwhile_arrive",
              test_device_writes_meanwhile_arrive);
    add_cases("busy_device_arrives", test_busy_device_arrives);
    add_flights();
    qtest_add_data_func("/swiotlb/migration/ordinary/request_under_way",
                        &ordinary[0], test_ordinary_request_under_way);
    qtest_add_data_func("/swiotlb/migration/platform/request_under_way",
                        &ordinary[1], test_ordinary_request_under_way);
    add_refusals();
    qtest_add_func("/swiotlb/migration/refused/backends_of_two_sizes",
                   test_backends_of_two_sizes);
    qtest_add_func("/swiotlb/migration/refused/cpr_transfer_of_private_memory",
                   test_cpr_transfer_needs_shared_memory);
    qtest_add_func("/swiotlb/migration/backends_may_have_different_names",
                   test_backends_may_have_different_names);

    return g_test_run();
}

/*
 * A machine saved to a file, and loaded from there
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "swiotlb-stream.h"

#define WAIT_US         (60 * G_USEC_PER_SEC)
/* Instance and version, which follow a section's name */
#define SECTION_HEADER  8

static char *stream_uri(int stream)
{
    return g_strdup_printf("file:/proc/%d/fd/%d", getpid(), stream);
}

/* Options that make a machine @target's, after @extra */
static char *target_args(SwiotlbTarget *target, const char *extra)
{
    target->said_fd = memfd_create("said", 0);

    return g_strdup_printf("%s -S -incoming defer 2>/proc/%d/fd/%d ",
                           extra ?: "", getpid(), target->said_fd);
}

SwiotlbTarget *swiotlb_target_new(const char *device, const char *window,
                                  const char *extra)
{
    SwiotlbTarget *target = g_new0(SwiotlbTarget, 1);
    g_autofree char *args = target_args(target, extra);

    target->rig = swiotlb_rig_new_unmapped(device, window, args);

    return target;
}

SwiotlbTarget *swiotlb_target_new_mmio(const char *device, const char *extra)
{
    SwiotlbTarget *target = g_new0(SwiotlbTarget, 1);
    g_autofree char *args = target_args(target, extra);

    target->rig = swiotlb_rig_new_mmio(device, args);

    return target;
}

void swiotlb_target_free(SwiotlbTarget *target)
{
    swiotlb_rig_free(target->rig);
    close(target->said_fd);
    g_free(target);
}

/* What the migration says of itself, or @none if it does not */
static char *ask(SwiotlbRig *rig, const char *key, const char *none)
{
    QDict *rsp = qtest_qmp_assert_success_ref(rig->qts,
                                              "{'execute': 'query-migrate'}");
    char *text = g_strdup(qdict_get_try_str(rsp, key) ?: none);

    qobject_unref(rsp);

    return text;
}

static char *state(SwiotlbRig *rig)
{
    return ask(rig, "status", "none");
}

char *swiotlb_target_said(SwiotlbTarget *target)
{
    off_t size = lseek(target->said_fd, 0, SEEK_END);
    g_autofree char *said = g_malloc0(size + 1);

    g_assert_cmpint(pread(target->said_fd, said, size, 0), ==, size);

    return size ? g_steal_pointer(&said) : ask(target->rig, "error-desc", "");
}

/* Did it complete?  The other end is that it fails. */
static bool completed(SwiotlbRig *rig)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;

    for (;;) {
        g_autofree char *status = state(rig);

        if (g_str_equal(status, "completed")) {
            return true;
        }
        if (g_str_equal(status, "failed")) {
            return false;
        }
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(1000);
    }
}

bool swiotlb_target_load(SwiotlbTarget *target, int stream)
{
    g_autofree char *uri = stream_uri(stream);

    qtest_qmp_assert_success(target->rig->qts,
                             "{'execute': 'migrate-incoming', 'arguments':"
                             " {'uri': %s, 'exit-on-error': false}}", uri);

    return completed(target->rig);
}

void swiotlb_target_assert_loads(SwiotlbTarget *target, int stream)
{
    if (!swiotlb_target_load(target, stream)) {
        g_autofree char *said = swiotlb_target_said(target);

        g_error("loading failed: %s", said);
    }
}

void swiotlb_target_assert_refuses(SwiotlbTarget *target, int stream,
                                   const char *const words[3])
{
    g_autofree char *said = NULL;
    g_auto(GStrv) lines = NULL;

    g_assert_false(swiotlb_target_load(target, stream));
    said = swiotlb_target_said(target);
    lines = g_strsplit(said, "\n", -1);
    g_assert_true(strstr(lines[0], ": swiotlb: ") ||
                  g_str_has_prefix(lines[0], "swiotlb: "));
    for (int i = 0; i < 3 && words[i]; i++) {
        if (!strstr(lines[0], words[i])) {
            g_error("'%s' is not in '%s'", words[i], lines[0]);
        }
    }
    for (int i = 1; lines[i]; i++) {
        g_assert_null(strstr(lines[i], "swiotlb: "));
    }
    /* It lives, and can be ended in an orderly way. */
    qtest_qmp_assert_success(target->rig->qts, "{'execute': 'query-status'}");
}

void swiotlb_target_run(SwiotlbTarget *target)
{
    qtest_qmp_assert_success(target->rig->qts, "{'execute': 'cont'}");
}

void swiotlb_target_take_over(SwiotlbTarget *target, SwiotlbRig *from)
{
    SwiotlbRig *rig = target->rig;

    rig->drv->window = from->drv->window;
    rig->drv->modern = from->drv->modern;
    rig->drv->use_cfg_cap = from->drv->use_cfg_cap;
    rig->features = from->features;
}

void swiotlb_target_follow(SwiotlbTarget *target, SwiotlbQueue *vq,
                           SwiotlbRig *from)
{
    swiotlb_target_take_over(target, from);
    vq->drv = target->rig->drv;
}

static uint8_t *window_content(SwiotlbRig *rig)
{
    uint8_t *content = g_malloc(RIG_WINDOW_SIZE);

    qtest_memread(rig->qts, rig->drv->window, content, RIG_WINDOW_SIZE);

    return content;
}

void swiotlb_target_assert_same_window(SwiotlbTarget *target, SwiotlbRig *from)
{
    g_autofree uint8_t *there = window_content(from);
    g_autofree uint8_t *here = window_content(target->rig);
    size_t i;

    for (i = 0; i < RIG_WINDOW_SIZE && here[i] == there[i]; i++) {
        continue;
    }
    if (i < RIG_WINDOW_SIZE) {
        g_error("the windows differ at 0x%zx: 0x%02x, was 0x%02x", i, here[i],
                there[i]);
    }
}

int swiotlb_stream_start(SwiotlbRig *rig)
{
    int stream = memfd_create("stream", 0);
    g_autofree char *uri = stream_uri(stream);

    g_assert_cmpint(stream, >=, 0);
    qtest_qmp_assert_success(rig->qts, "{'execute': 'migrate', 'arguments':"
                             " {'uri': %s}}", uri);

    return stream;
}

uint64_t swiotlb_stream_syncs(SwiotlbRig *rig)
{
    QDict *rsp = qtest_qmp_assert_success_ref(rig->qts,
                                              "{'execute': 'query-migrate'}");
    QDict *ram = qdict_get_qdict(rsp, "ram");
    uint64_t syncs = ram ? qdict_get_int(ram, "dirty-sync-count") : 0;

    qobject_unref(rsp);

    return syncs;
}

bool swiotlb_stream_active(SwiotlbRig *rig)
{
    g_autofree char *status = state(rig);

    return g_str_equal(status, "active");
}

void swiotlb_stream_set_bandwidth(SwiotlbRig *rig, uint64_t bytes_per_second)
{
    qtest_qmp_assert_success(rig->qts,
                             "{'execute': 'migrate-set-parameters',"
                             " 'arguments': {'downtime-limit': 1,"
                             " 'max-bandwidth': %" PRIu64 "}}",
                             bytes_per_second);
}

void swiotlb_stream_send_all_once(SwiotlbRig *rig)
{
    /* Writing makes pages dirty, whatever was there. Zeroes take no time. */
    const uint8_t value = 0x5a;

    while (swiotlb_stream_syncs(rig) < 2) {
        qtest_memset(rig->qts, rig->ram_base, value, RIG_RAM_SIZE / 2);
    }
    swiotlb_stream_set_bandwidth(rig, 4 * KiB);
    qtest_memset(rig->qts, rig->ram_base, value, RIG_RAM_SIZE / 2);
    g_assert_true(swiotlb_stream_active(rig));
}

void swiotlb_stream_finish(SwiotlbRig *rig)
{
    g_assert_true(completed(rig));
}

int swiotlb_stream_save(SwiotlbRig *rig)
{
    int stream = swiotlb_stream_start(rig);

    swiotlb_stream_finish(rig);

    return stream;
}

off_t swiotlb_stream_find(int stream, const void *data, size_t size, bool last)
{
    off_t end = lseek(stream, 0, SEEK_END);
    const uint8_t *p = mmap(NULL, end, PROT_READ, MAP_SHARED, stream, 0);
    const uint8_t *found = NULL;

    g_assert_true(p != MAP_FAILED);
    for (const uint8_t *at = p; (at = memmem(at, p + end - at, data, size));
         at++) {
        found = at;
        if (!last) {
            break;
        }
    }
    g_assert_nonnull(found);
    munmap((void *)p, end);

    return found - p;
}

off_t swiotlb_stream_section(SwiotlbRig *rig, int stream, const char *name)
{
    g_autofree char *idstr = rig->drv->mmio ?
        g_strdup_printf("virtio-mmio@%016" PRIx64 "/%s", rig->drv->mmio, name) :
        g_strdup_printf("0000:00:04.0/%s", name);
    size_t len = strlen(idstr);
    g_autofree char *counted = g_strdup_printf("%c%s", (int)len, idstr);

    return swiotlb_stream_find(stream, counted, len + 1, false) + len + 1 +
           SECTION_HEADER;
}

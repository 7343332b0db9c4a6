/*
 * A vhost-user back end for any device type, that remembers what it was given
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <sys/eventfd.h>
#include "qemu/atomic.h"
#include "qemu/bitops.h"
#include "qemu/bswap.h"
#include "qemu/iov.h"
#include "qemu/sockets.h"
#include "standard-headers/linux/virtio_ring.h"
#include "subprojects/libvhost-user/libvhost-user-glib.h"
#include "swiotlb-back-end.h"

#define WAIT_US         (30 * G_USEC_PER_SEC)
#define MAX_QUEUES      16

#define PACKED_AVAIL    (1u << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED     (1u << VRING_PACKED_DESC_F_USED)

struct BackEnd {
    VugDev dev;             /* first: libvhost-user hands it back */
    BackEndSetup setup;
    char *dir;
    char *path;
    GMainContext *context;
    GMainLoop *loop;
    GThread *thread;
    GSource *listener;
    int listen_fd;
    int gpu_fd;
    bool hold;
    bool hanging_up;
    int hang_up_at;

    GMutex lock;            /* of all below */
    GCond changed;
    BackEndState state;
    GArray *given;          /* ino_t of each file that came */
};

static void state_changed(BackEnd *be)
{
    g_cond_broadcast(&be->changed);
    g_mutex_unlock(&be->lock);
}

static void count_unreachable(BackEnd *be)
{
    g_mutex_lock(&be->lock);
    be->state.unreachable++;
    state_changed(be);
}

/* Requests */

static void answer(GByteArray *in, struct iovec *out, int n)
{
    size_t at = 0;

    for (int i = 0; i < n; i++) {
        uint8_t *p = out[i].iov_base;

        for (size_t j = 0; j < out[i].iov_len; j++, at++) {
            p[j] = BACK_END_XOR ^ (in->len ? in->data[at % in->len] : 0);
        }
    }
}

static void count_request(BackEnd *be, bool answered)
{
    g_mutex_lock(&be->lock);
    be->state.popped++;
    be->state.answered += answered;
    state_changed(be);
}

static void serve_split(BackEnd *be, VuVirtq *vq)
{
    VuDev *dev = &be->dev.parent;
    VuVirtqElement *elem;

    while ((elem = vu_queue_pop(dev, vq, sizeof(*elem)))) {
        g_autoptr(GByteArray) in = g_byte_array_new();

        for (unsigned i = 0; i < elem->out_num; i++) {
            g_byte_array_append(in, elem->out_sg[i].iov_base,
                                elem->out_sg[i].iov_len);
        }
        if (!be->hold) {
            answer(in, elem->in_sg, elem->in_num);
            vu_queue_push(dev, vq, elem, iov_size(elem->in_sg, elem->in_num));
            vu_queue_notify(dev, vq);
        }
        count_request(be, !be->hold);
        free(elem);
    }
}

/*
 * libvhost-user knows split rings only.  Its last_avail_idx serves as what the
 * protocol says of packed ones: slot, and wrap counter in the top bit.
 */
static bool serve_packed_request(BackEnd *be, VuVirtq *vq)
{
    VuDev *dev = &be->dev.parent;
    struct vring_packed_desc *ring = (void *)vq->vring.desc;
    g_autoptr(GByteArray) in = g_byte_array_new();
    struct iovec out[8];
    uint16_t head = vq->last_avail_idx & 0x7fff;
    bool wrap = vq->last_avail_idx >> 15;
    struct vring_packed_desc *d = &ring[head];
    uint16_t flags = le16_to_cpu(qatomic_load_acquire(&d->flags));
    int n = 0, slots = 0;

    if (dev->broken || !!(flags & PACKED_AVAIL) != wrap ||
        !!(flags & PACKED_USED) == wrap) {
        return false;
    }
    do {
        uint64_t len;
        void *p;

        d = &ring[(head + slots) % vq->vring.num];
        flags = le16_to_cpu(d->flags);
        len = le32_to_cpu(d->len);
        p = vu_gpa_to_va(dev, &len, le64_to_cpu(d->addr));
        if (!p || len != le32_to_cpu(d->len)) {
            dev->broken = true;
            count_unreachable(be);
            return false;
        }
        if (flags & VRING_DESC_F_WRITE) {
            g_assert_cmpint(n, <, G_N_ELEMENTS(out));
            out[n++] = (struct iovec) { p, len };
        } else {
            g_byte_array_append(in, p, len);
        }
        slots++;
    } while (flags & VRING_DESC_F_NEXT);

    answer(in, out, n);
    ring[head].id = d->id;
    ring[head].len = cpu_to_le32(iov_size(out, n));
    qatomic_store_release(&ring[head].flags, cpu_to_le16(
        VRING_DESC_F_WRITE | (wrap ? PACKED_AVAIL | PACKED_USED : 0)));
    head += slots;
    if (head >= vq->vring.num) {
        head -= vq->vring.num;
        wrap = !wrap;
    }
    vq->last_avail_idx = head | wrap << 15;
    count_request(be, true);
    if (vq->call_fd >= 0) {
        g_assert_cmpint(eventfd_write(vq->call_fd, 1), ==, 0);
    }
    return true;
}

static void serve(VuDev *dev, int index)
{
    BackEnd *be = (BackEnd *)dev;
    VuVirtq *vq = vu_get_queue(dev, index);

    if (!(dev->features & (1ull << VIRTIO_F_RING_PACKED))) {
        serve_split(be, vq);
        return;
    }
    while (vu_queue_started(dev, vq) && vq->vring.desc &&
           serve_packed_request(be, vq)) {
        continue;
    }
}

/* The end of a connection */

static gboolean drop_connection(gpointer opaque)
{
    BackEnd *be = opaque;

    if (be->state.connected) {
        vu_deinit(&be->dev.parent);
        vug_deinit(&be->dev);
        g_mutex_lock(&be->lock);
        be->state.connected = false;
        be->state.started = 0;
        be->state.nregions = 0;
        state_changed(be);
    }
    return G_SOURCE_REMOVE;
}

static void invoke_later(BackEnd *be, GSourceFunc fn)
{
    GSource *source = g_idle_source_new();

    g_source_set_priority(source, G_PRIORITY_HIGH);
    g_source_set_callback(source, fn, be, NULL);
    g_source_attach(source, be->context);
    g_source_unref(source);
}

/* Messages */

static uint64_t offered_features(BackEnd *be)
{
    uint64_t features = 1ull << VIRTIO_F_VERSION_1 |
                        1ull << VIRTIO_RING_F_INDIRECT_DESC |
                        1ull << VIRTIO_RING_F_EVENT_IDX |
                        1ull << VIRTIO_F_RING_PACKED |
                        1ull << VHOST_F_LOG_ALL |
                        1ull << VHOST_USER_F_PROTOCOL_FEATURES;

    return (features | be->setup.features) & ~be->setup.hidden_features;
}

static uint64_t offered_protocol_features(BackEnd *be)
{
    uint64_t features = 1ull << VHOST_USER_PROTOCOL_F_MQ |
                        1ull << VHOST_USER_PROTOCOL_F_LOG_SHMFD |
                        1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK |
                        1ull << VHOST_USER_PROTOCOL_F_BACKEND_REQ |
                        1ull << VHOST_USER_PROTOCOL_F_CONFIG |
                        1ull << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS;

    return (features | be->setup.protocol_features) &
           ~be->setup.hidden_protocol_features;
}

static BackEndRegion describe(VhostUserMemoryRegion region, int fd)
{
    struct stat st;

    g_assert_cmpint(fstat(fd, &st), ==, 0);
    return (BackEndRegion) {
        .gpa = region.guest_phys_addr,
        .size = region.memory_size,
        .offset = region.mmap_offset,
        .inode = st.st_ino,
    };
}

static void note_region(BackEndState *state, const BackEndRegion *region)
{
    g_assert_cmpint(state->nregions, <, BACK_END_MAX_REGIONS);
    state->region[state->nregions++] = *region;
}

static void note_table(BackEndState *state, const VhostUserMsg *msg)
{
    BackEndRegion region;
    int i;

    switch (msg->request) {
    case MSG_SET_MEM_TABLE:
        state->nregions = 0;
        for (i = 0; i < (int)msg->payload.memory.nregions; i++) {
            region = describe(msg->payload.memory.regions[i], msg->fds[i]);
            note_region(state, &region);
        }
        break;
    case MSG_ADD_MEM_REG:
        region = describe(msg->payload.memreg.region, msg->fds[0]);
        note_region(state, &region);
        break;
    case MSG_REM_MEM_REG:
        for (i = 0; i < state->nregions; i++) {
            if (state->region[i].gpa ==
                msg->payload.memreg.region.guest_phys_addr) {
                state->region[i] = state->region[--state->nregions];
                return;
            }
        }
        g_assert_not_reached();
    }
}

static void note_files(BackEnd *be, const VhostUserMsg *msg)
{
    for (int i = 0; i < msg->fd_num; i++) {
        struct stat st;

        g_assert_cmpint(fstat(msg->fds[i], &st), ==, 0);
        g_array_append_val(be->given, st.st_ino);
        if (msg->request == MSG_SET_INFLIGHT_FD) {
            be->state.inflight = st.st_ino;
        }
    }
}

static int reply_u64(VhostUserMsg *msg, uint64_t value, int *do_reply)
{
    msg->flags = 0;
    msg->payload.u64 = value;
    msg->size = sizeof(msg->payload.u64);
    msg->fd_num = 0;
    *do_reply = 1;
    return 1;
}

/* The other side has gone.  Its source cannot end itself. */
static void hang_up(BackEnd *be)
{
    if (!be->hanging_up) {
        be->hanging_up = true;
        invoke_later(be, drop_connection);
    }
}

static int process(VuDev *dev, VhostUserMsg *msg, int *do_reply)
{
    BackEnd *be = (BackEnd *)dev;

    if (msg->request == VHOST_USER_NONE) {
        hang_up(be);
        return 1;
    }
    g_mutex_lock(&be->lock);
    g_assert_cmpint(msg->request, <, BACK_END_MESSAGES);
    be->state.count[msg->request]++;
    note_files(be, msg);
    note_table(&be->state, msg);
    if (msg->request == MSG_SET_FEATURES) {
        be->state.features |= msg->payload.u64;
    }
    state_changed(be);

    if (msg->request == be->hang_up_at) {
        be->hang_up_at = 0;
        shutdown(dev->sock, SHUT_RDWR);
        for (int i = 0; i < msg->fd_num; i++) {
            close(msg->fds[i]);
        }
        hang_up(be);
        return 1;
    }

    switch (msg->request) {
    case MSG_GET_FEATURES:
        return reply_u64(msg, offered_features(be), do_reply);
    case MSG_GET_PROTOCOL_FEATURES:
        return reply_u64(msg, offered_protocol_features(be), do_reply);
    case MSG_IOTLB:
        return reply_u64(msg, 0, do_reply);
    case MSG_GPU_SET_SOCKET:
        if (be->gpu_fd >= 0) {
            close(be->gpu_fd);
        }
        be->gpu_fd = msg->fds[0];
        return 1;
    case MSG_SET_VRING_ADDR:
    case MSG_SET_VRING_KICK:
        /* Rings behind an IOMMU are nothing for libvhost-user. */
        if (dev->features & 1ull << VIRTIO_F_ACCESS_PLATFORM) {
            for (int i = 0; i < msg->fd_num; i++) {
                close(msg->fds[i]);
            }
            return 1;
        }
    }
    return 0;
}

static void queue_started(VuDev *dev, int index, bool started)
{
    BackEnd *be = (BackEnd *)dev;

    /* Whatever was wrong with the last driver */
    dev->broken = false;
    vu_set_queue_handler(dev, vu_get_queue(dev, index),
                         started ? serve : NULL);
    g_mutex_lock(&be->lock);
    be->state.started = deposit64(be->state.started, index, 1, started);
    state_changed(be);
}

static int get_config(VuDev *dev, uint8_t *config, uint32_t len)
{
    BackEnd *be = (BackEnd *)dev;

    memset(config, 0, len);
    memcpy(config, be->setup.config, MIN(len, sizeof(be->setup.config)));
    return 0;
}

static int set_config(VuDev *dev, const uint8_t *data, uint32_t offset,
                      uint32_t size, uint32_t flags)
{
    return 0;
}

static const VuDevIface iface = {
    .process_msg = process,
    .queue_set_started = queue_started,
    .get_config = get_config,
    .set_config = set_config,
};

/* Connections */

static void panic(VuDev *dev, const char *message)
{
    BackEnd *be = (BackEnd *)dev;

    if (g_str_has_prefix(message, "Error ")) {
        /* Of reading or processing a message */
        hang_up(be);
    } else if (g_str_has_prefix(message, "virtio: invalid address") ||
               g_str_has_prefix(message, "Invalid indirect buffer table")) {
        count_unreachable(be);
    } else if (!g_str_has_prefix(message, "Guest ") &&
               !g_str_has_prefix(message, "remapping queue ") &&
               !g_str_has_prefix(message, "kick eventfd_read()")) {
        /*
         * A test may overwrite rings, so what they say is no failure.
         * libvhost-user looks for old rings in each new table.  And QEMU takes
         * a kick back when a start comes to nothing.
         */
        g_error("back end: %s", message);
    }
}

static gboolean accept_connection(gint fd, GIOCondition condition,
                                  gpointer opaque)
{
    BackEnd *be = opaque;
    int sock = accept(fd, NULL, NULL);

    g_assert_cmpint(sock, >=, 0);
    drop_connection(be);
    be->hanging_up = false;
    g_assert_true(vug_init(&be->dev, be->setup.queues, sock, panic, &iface));
    g_mutex_lock(&be->lock);
    be->state.connected = true;
    be->state.connections++;
    state_changed(be);
    return G_SOURCE_CONTINUE;
}

static void start_listening(BackEnd *be)
{
    Error *err = NULL;

    be->listen_fd = unix_listen(be->path, &err);
    g_assert_null(err);
    be->listener = g_unix_fd_source_new(be->listen_fd, G_IO_IN);
    g_source_set_callback(be->listener, (GSourceFunc)accept_connection, be,
                          NULL);
    g_source_attach(be->listener, be->context);
}

static void stop_listening(BackEnd *be)
{
    if (be->listener) {
        g_source_destroy(be->listener);
        g_source_unref(g_steal_pointer(&be->listener));
        close(be->listen_fd);
        g_unlink(be->path);
    }
}

/* Calls from the test */

typedef struct Call {
    BackEnd *be;
    void (*fn)(BackEnd *be, void *arg);
    void *arg;
    bool done;
} Call;

static gboolean do_call(gpointer opaque)
{
    Call *call = opaque;

    call->fn(call->be, call->arg);
    g_mutex_lock(&call->be->lock);
    call->done = true;
    state_changed(call->be);
    return G_SOURCE_REMOVE;
}

/* In the back end's thread; returns when that is done. */
static void call(BackEnd *be, void (*fn)(BackEnd *be, void *arg), void *arg)
{
    Call c = { be, fn, arg };

    g_main_context_invoke(be->context, do_call, &c);
    g_mutex_lock(&be->lock);
    while (!c.done) {
        g_cond_wait(&be->changed, &be->lock);
    }
    g_mutex_unlock(&be->lock);
}

static gpointer run(gpointer opaque)
{
    BackEnd *be = opaque;

    g_main_context_push_thread_default(be->context);
    g_main_loop_run(be->loop);
    drop_connection(be);
    g_main_context_pop_thread_default(be->context);
    return NULL;
}

BackEnd *back_end_new(const BackEndSetup *setup)
{
    BackEnd *be = g_new0(BackEnd, 1);

    /* QEMU may go at any time. */
    signal(SIGPIPE, SIG_IGN);
    be->setup = *setup;
    be->gpu_fd = -1;
    be->dir = g_dir_make_tmp("swiotlb-XXXXXX", NULL);
    g_assert_nonnull(be->dir);
    be->path = g_build_filename(be->dir, "socket", NULL);
    be->given = g_array_new(false, false, sizeof(ino_t));
    be->context = g_main_context_new();
    be->loop = g_main_loop_new(be->context, false);
    start_listening(be);
    be->thread = g_thread_new("back-end", run, be);
    return be;
}

static void quit(BackEnd *be, void *arg)
{
    stop_listening(be);
    g_main_loop_quit(be->loop);
}

void back_end_free(BackEnd *be)
{
    call(be, quit, NULL);
    g_thread_join(be->thread);
    g_main_loop_unref(be->loop);
    g_main_context_unref(be->context);
    if (be->gpu_fd >= 0) {
        close(be->gpu_fd);
    }
    g_rmdir(be->dir);
    g_array_free(be->given, true);
    g_free(be->dir);
    g_free(be->path);
    g_free(be);
}

const char *back_end_path(BackEnd *be)
{
    return be->path;
}

BackEndState back_end_state(BackEnd *be)
{
    BackEndState state;

    g_mutex_lock(&be->lock);
    state = be->state;
    g_mutex_unlock(&be->lock);
    return state;
}

void back_end_wait(BackEnd *be, BackEndCondition *holds, uint64_t arg,
                   const char *what)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;

    g_mutex_lock(&be->lock);
    while (!holds(&be->state, arg)) {
        if (!g_cond_wait_until(&be->changed, &be->lock, end)) {
            g_error("back end: no %s", what);
        }
    }
    g_mutex_unlock(&be->lock);
}

static bool is_started(const BackEndState *state, uint64_t arg)
{
    return state->started;
}

void back_end_wait_started(BackEnd *be)
{
    back_end_wait(be, is_started, 0, "start");
}

static bool is_stopped(const BackEndState *state, uint64_t arg)
{
    return !state->started;
}

void back_end_wait_stopped(BackEnd *be)
{
    back_end_wait(be, is_stopped, 0, "stop");
}

bool back_end_was_given(BackEnd *be, ino_t inode)
{
    bool found = false;

    g_mutex_lock(&be->lock);
    for (guint i = 0; i < be->given->len; i++) {
        found |= g_array_index(be->given, ino_t, i) == inode;
    }
    g_mutex_unlock(&be->lock);
    return found;
}

static uint8_t *region_bytes(const VuDevRegion *region)
{
    return (uint8_t *)(uintptr_t)(region->mmap_addr + region->mmap_offset);
}

typedef struct Search {
    const void *needle;
    size_t len;
    bool found;
} Search;

static void search(BackEnd *be, void *arg)
{
    VuDev *dev = &be->dev.parent;
    Search *s = arg;

    for (uint32_t i = 0; be->state.connected && i < dev->nregions; i++) {
        s->found |= memmem(region_bytes(&dev->regions[i]),
                           dev->regions[i].size, s->needle, s->len) != NULL;
    }
}

bool back_end_finds(BackEnd *be, const void *needle, size_t len)
{
    Search s = { needle, len };

    call(be, search, &s);
    return s.found;
}

static void scribble(BackEnd *be, void *arg)
{
    VuDev *dev = &be->dev.parent;

    g_assert_cmpint(dev->nregions, >, 0);
    for (uint32_t i = 0; i < dev->nregions; i++) {
        memset(region_bytes(&dev->regions[i]), *(uint8_t *)arg,
               dev->regions[i].size);
    }
}

void back_end_scribble(BackEnd *be, uint8_t byte)
{
    call(be, scribble, &byte);
}

typedef struct Reach {
    uint64_t addr;
    bool reached;
} Reach;

static void reach(BackEnd *be, void *arg)
{
    Reach *r = arg;
    uint64_t len = 1;

    r->reached = vu_gpa_to_va(&be->dev.parent, &len, r->addr);
}

bool back_end_reaches(BackEnd *be, uint64_t addr)
{
    Reach r = { addr };

    call(be, reach, &r);
    return r.reached;
}

static void set_hold(BackEnd *be, void *arg)
{
    be->hold = *(bool *)arg;
}

void back_end_hold(BackEnd *be, bool hold)
{
    call(be, set_hold, &hold);
}

/* VHOST_USER_BACKEND_IOTLB_MSG, which libvhost-user does not send */
static void miss(BackEnd *be, void *arg)
{
    struct {
        uint32_t request;
        uint32_t flags;
        uint32_t size;
        struct vhost_iotlb_msg iotlb;
    } QEMU_PACKED msg = {
        .request = VHOST_USER_BACKEND_IOTLB_MSG,
        .flags = 1,
        .size = sizeof(struct vhost_iotlb_msg),
        .iotlb = {
            .iova = *(uint64_t *)arg,
            .size = 1,
            .perm = VHOST_ACCESS_RW,
            .type = VHOST_IOTLB_MISS,
        },
    };

    g_assert_cmpint(be->dev.parent.backend_fd, >=, 0);
    g_assert_cmpint(write(be->dev.parent.backend_fd, &msg, sizeof(msg)), ==,
                    sizeof(msg));
}

void back_end_miss(BackEnd *be, uint64_t addr)
{
    call(be, miss, &addr);
}

static void disconnect(BackEnd *be, void *arg)
{
    stop_listening(be);
    drop_connection(be);
}

void back_end_disconnect(BackEnd *be)
{
    call(be, disconnect, NULL);
}

static void listen_again(BackEnd *be, void *arg)
{
    start_listening(be);
}

void back_end_accept(BackEnd *be)
{
    call(be, listen_again, NULL);
}

static void set_hang_up(BackEnd *be, void *arg)
{
    be->hang_up_at = *(int *)arg;
}

void back_end_hang_up_at(BackEnd *be, int type)
{
    call(be, set_hang_up, &type);
}

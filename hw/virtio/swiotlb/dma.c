/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * DMA of a virtio device that has a window: let through or reject
 *
 * Two walls. Accesses that stock virtio code makes for rings, indirect tables
 * and buffers are checked here as a whole before anything is mapped, and then
 * go straight to the window's RAM. Code that maps through dma_as by itself
 * meets an IOMMU region that knows the same rule. An address space that merely
 * contains the window would not do: QEMU hands out bounce buffers and cached
 * sections for unassigned memory, and the request would appear to succeed.
 *
 * The window's RAM stays where it is in QEMU while the BAR moves, for as long
 * as the device exists. So one section that covers it stands for every access:
 * what is inside is found by a comparison and an addition, and pointers into
 * it hold no reference. One that was handed out before the window moved stays
 * good until the request ends.
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "qapi/visitor.h"
#include "hw/virtio/virtio.h"
#include "hw/virtio/virtio-bus.h"
#include "hw/virtio/swiotlb/access.h"
#include "trace.h"

#define TYPE_SWIOTLB_FILTER "swiotlb-filter-memory-region"

/* A hostile driver must not fill the log: lines per device and interval */
#define LOG_LINES 10
#define LOG_INTERVAL_MS 1000

/* All devices with a window; protected by the BQL */
static QLIST_HEAD(, SwiotlbDevice) swiotlb_devices =
    QLIST_HEAD_INITIALIZER(swiotlb_devices);

SwiotlbDevice *swiotlb_device_of(const MemoryRegion *mr)
{
    SwiotlbDevice *s;

    QLIST_FOREACH(s, &swiotlb_devices, next) {
        if (s->ram == mr) {
            return s;
        }
    }
    return NULL;
}

static bool swiotlb_log_allowed(SwiotlbDevice *s)
{
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);

    QEMU_LOCK_GUARD(&s->log_lock);
    if (now - s->log_start_ms >= LOG_INTERVAL_MS) {
        if (s->log_lines > LOG_LINES) {
            qemu_log("swiotlb: %s: %u more messages\n", s->name,
                     s->log_lines - LOG_LINES);
        }
        s->log_start_ms = now;
        s->log_lines = 0;
    }
    return s->log_lines++ < LOG_LINES;
}

/* virtio_notify_config(), which is of no use once the device is broken */
static void swiotlb_interrupt(VirtIODevice *vdev)
{
    BusState *bus = qdev_get_parent_bus(DEVICE(vdev));
    VirtioBusClass *k = VIRTIO_BUS_GET_CLASS(bus);

    /* Interrupt status: queue and configuration */
    qatomic_or(&vdev->isr, 0x3);
    vdev->generation++;
    if (k->notify) {
        k->notify(bus->parent, vdev->config_vector);
    }
}

static void swiotlb_tell_driver_bh(void *opaque)
{
    VirtIODevice *vdev = opaque;
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_GET_CLASS(vdev);

    /* The driver may have reset the device since, or it may be gone. */
    if (DEVICE(vdev)->realized &&
        vdev->status & VIRTIO_CONFIG_S_NEEDS_RESET &&
        vdev->status & VIRTIO_CONFIG_S_DRIVER_OK) {
        if (swiotlb_stops_back_end(vdev)) {
            vdc->set_status(vdev, swiotlb_back_end_status(vdev, vdev->status));
        }
        swiotlb_interrupt(vdev);
    }
    object_unref(OBJECT(vdev));
}

/* See swiotlb_notify_error() for why this waits for the main loop. */
static void swiotlb_tell_driver(VirtIODevice *vdev)
{
    object_ref(OBJECT(vdev));
    aio_bh_schedule_oneshot(qemu_get_aio_context(), swiotlb_tell_driver_bh,
                            vdev);
}

void swiotlb_notify_error(VirtIODevice *vdev)
{
    if (!vdev->swiotlb) {
        virtio_notify_config(vdev);
    } else if (!vdev->broken) {
        swiotlb_tell_driver(vdev);
    }
}

static void swiotlb_stop(VirtIODevice *vdev)
{
    if (vdev->broken) {
        return;
    }
    /* First: no other access may start, in whatever thread. */
    qatomic_set(&vdev->broken, true);
    qatomic_or(&vdev->status, VIRTIO_CONFIG_S_NEEDS_RESET);
    swiotlb_tell_driver(vdev);
}

static void swiotlb_reject(SwiotlbDevice *s, hwaddr addr, hwaddr len,
                           bool is_write, const char *reason)
{
    const char *direction = is_write ? "write" : "read";

    if (!s->name) {
        return;
    }
    qatomic_inc(&s->rejected);
    trace_swiotlb_reject(s->name, addr, len, direction, reason);
    if (qemu_loglevel_mask(LOG_GUEST_ERROR) && swiotlb_log_allowed(s)) {
        qemu_log("swiotlb: %s: rejected %s of 0x%" PRIx64 " bytes at 0x%"
                 PRIx64 ": %s\n", s->name, direction, len, addr, reason);
    }
    swiotlb_stop(s->vdev);
}

void swiotlb_back_end_failed(VirtIODevice *vdev)
{
    SwiotlbDevice *s = vdev->swiotlb;

    if (!s || vdev->broken) {
        return;
    }
    qatomic_inc(&s->rejected);
    trace_swiotlb_back_end_failed(s->name);
    if (qemu_loglevel_mask(LOG_GUEST_ERROR) && swiotlb_log_allowed(s)) {
        qemu_log("swiotlb: %s: the back end cannot use what a ring holds; an "
                 "address may not lie inside the window\n", s->name);
    }
    swiotlb_stop(vdev);
}

static bool swiotlb_accepted(const VirtIODevice *vdev)
{
    return virtio_vdev_has_feature(vdev, VIRTIO_F_SWIOTLB);
}

bool swiotlb_is_ordinary(SwiotlbDevice *s)
{
    int phase;

    if (likely(s->declined != SWIOTLB_DECLINED_ORDINARY)) {
        return false;
    }

    phase = qatomic_read(&s->phase);
    if (phase == SWIOTLB_UNDECIDED &&
        s->vdev->status & VIRTIO_CONFIG_S_FEATURES_OK) {
        phase = swiotlb_accepted(s->vdev) ? SWIOTLB_CONFINED
                                          : SWIOTLB_ORDINARY;
        trace_swiotlb_phase(s->name, phase == SWIOTLB_ORDINARY);
        qatomic_set(&s->phase, phase);
    }
    return phase == SWIOTLB_ORDINARY;
}

/* What an ordinary device reaches; ACCESS_PLATFORM decides, as always. */
static AddressSpace *swiotlb_ordinary_as(SwiotlbDevice *s)
{
    return virtio_vdev_has_feature(s->vdev, VIRTIO_F_IOMMU_PLATFORM) ?
           s->platform_as : &address_space_memory;
}

static const char *swiotlb_reason(SwiotlbDevice *s)
{
    const char *reason;

    if (!(s->vdev->status & VIRTIO_CONFIG_S_FEATURES_OK)) {
        reason = "the driver did not set FEATURES_OK";
    } else if (s->declined != SWIOTLB_DECLINED_CONFINED &&
               !swiotlb_accepted(s->vdev)) {
        reason = "the driver did not accept VIRTIO_F_SWIOTLB";
    } else if (qatomic_read(&s->window.base) == SWIOTLB_CLOSED) {
        reason = "the window is closed (BAR not mapped, memory decoding or bus "
                 "mastering off)";
    } else {
        reason = "not inside the window";
    }
    return reason;
}

/* The DMA rule for a confined device; rejects what it does not let through */
static bool swiotlb_check(SwiotlbDevice *s, hwaddr addr, hwaddr len,
                          bool is_write, hwaddr *offset)
{
    if (swiotlb_reaches(s, addr, len, offset)) {
        return true;
    }
    swiotlb_reject(s, addr, len, is_write, swiotlb_reason(s));
    return false;
}

static void *swiotlb_map_ordinary(SwiotlbDevice *s, dma_addr_t addr,
                                  dma_addr_t *len, DMADirection direction,
                                  MemTxAttrs attrs)
{
    return dma_memory_map(swiotlb_ordinary_as(s), addr, len, direction, attrs);
}

static void *swiotlb_map_confined(SwiotlbDevice *s, dma_addr_t addr,
                                  dma_addr_t *len, DMADirection direction)
{
    hwaddr offset;

    if (*len &&
        swiotlb_check(s, addr, *len, direction == DMA_DIRECTION_FROM_DEVICE,
                      &offset)) {
        return s->all.ptr + offset;
    }
    *len = 0;
    return NULL;
}

void *swiotlb_dma_map(VirtIODevice *vdev, dma_addr_t addr, dma_addr_t *len,
                      DMADirection direction, MemTxAttrs attrs)
{
    SwiotlbDevice *s = vdev->swiotlb;
    void *p;

    if (!s) {
        return dma_memory_map(vdev->dma_as, addr, len, direction, attrs);
    }
    if (swiotlb_is_ordinary(s)) {
        return swiotlb_map_ordinary(s, addr, len, direction, attrs);
    }
    p = swiotlb_map_confined(s, addr, len, direction);
    if (p) {
        /* address_space_unmap() finds the region by the pointer. */
        memory_region_ref(s->ram);
    }
    return p;
}

void *swiotlb_buffer_map_slow(SwiotlbDevice *s, dma_addr_t addr,
                              dma_addr_t *len, DMADirection direction,
                              MemTxAttrs attrs)
{
    void *p;

    if (!swiotlb_is_ordinary(s)) {
        return swiotlb_map_confined(s, addr, len, direction);
    }
    p = swiotlb_map_ordinary(s, addr, len, direction, attrs);
    swiotlb_buffer_keep(s, p);
    return p;
}

void swiotlb_buffer_keep(SwiotlbDevice *s, void *p)
{
    hwaddr offset;

    if (p && swiotlb_holds(s, p, &offset)) {
        memory_region_unref(s->ram);
    }
}

void swiotlb_buffer_written(SwiotlbDevice *s, hwaddr offset, hwaddr len)
{
    /* A request that ended too late: there is nobody to log it for. */
    if (s->name) {
        address_space_cache_invalidate(&s->all, offset, len);
    }
}

int64_t swiotlb_cache_init_slow(MemoryRegionCache *cache, SwiotlbDevice *s,
                                hwaddr addr, hwaddr len, bool is_write)
{
    hwaddr offset;

    if (swiotlb_is_ordinary(s)) {
        return address_space_cache_init(cache, swiotlb_ordinary_as(s), addr,
                                        len, is_write);
    }
    /*
     * An empty indirect table. It cannot be cached, and 0 bytes would be all
     * that a caller wants which does not look at the length itself.
     */
    if (!len) {
        address_space_cache_init_empty(cache);
        return -EINVAL;
    }
    if (!swiotlb_check(s, addr, len, is_write, &offset)) {
        address_space_cache_init_empty(cache);
        return 0;
    }
    return address_space_cache_init(cache, &s->ram_as, offset, len, is_write);
}

/*
 * Called within rcu_read_lock(). The access may be longer than what is asked
 * for here; the answer covers the window, so that it is cut at its end and the
 * rest comes back as a question of its own.
 */
static IOMMUTLBEntry swiotlb_filter_translate(IOMMUMemoryRegion *filter,
                                              hwaddr addr,
                                              IOMMUAccessFlags flag,
                                              int iommu_idx)
{
    SwiotlbDevice *s = container_of(filter, SwiotlbDevice, filter);
    IOMMUTLBEntry entry = {
        .target_as = &s->ram_as,
        .iova = addr,
        .perm = IOMMU_NONE,
    };
    hwaddr offset;

    if (swiotlb_is_ordinary(s)) {
        /* Identity, in two halves: the length of the whole has no type. */
        entry.target_as = swiotlb_ordinary_as(s);
        entry.addr_mask = INT64_MAX;
        entry.iova &= ~entry.addr_mask;
        entry.translated_addr = entry.iova;
        entry.perm = IOMMU_RW;
    } else if (flag == IOMMU_NONE) {
        return entry;
    } else if (swiotlb_check(s, addr, 1, flag & IOMMU_WO, &offset)) {
        entry.addr_mask = s->window.size - 1;
        entry.iova &= ~entry.addr_mask;
        entry.translated_addr = 0;
        entry.perm = IOMMU_RW;
    }
    return entry;
}

static void swiotlb_filter_class_init(ObjectClass *klass,
                                      SWIOTLB_CLASS_DATA *data)
{
    IOMMU_MEMORY_REGION_CLASS(klass)->translate = swiotlb_filter_translate;
}

static const TypeInfo swiotlb_filter_info = {
    .name = TYPE_SWIOTLB_FILTER,
    .parent = TYPE_IOMMU_MEMORY_REGION,
    .class_init = swiotlb_filter_class_init,
};

static void swiotlb_register_types(void)
{
    type_register_static(&swiotlb_filter_info);
}

type_init(swiotlb_register_types)

bool swiotlb_accepts_status(VirtIODevice *vdev, uint8_t status)
{
    static const uint64_t needed = BIT_ULL(VIRTIO_F_VERSION_1) |
                                   BIT_ULL(VIRTIO_F_IOMMU_PLATFORM) |
                                   BIT_ULL(VIRTIO_F_SWIOTLB);
    SwiotlbDevice *s = vdev->swiotlb;

    if (!s) {
        return true;
    }
    if (vdev->status & VIRTIO_CONFIG_S_FEATURES_OK) {
        if (status && !(status & VIRTIO_CONFIG_S_FEATURES_OK)) {
            /* Else features could change under rings that are in use. */
            vdev->broken = true;
        }
        return true;
    }
    if (s->declined != SWIOTLB_DECLINED_REFUSED ||
        !(status & VIRTIO_CONFIG_S_FEATURES_OK) ||
        (vdev->guest_features & needed) == needed) {
        return true;
    }

    trace_swiotlb_features_refused(s->name, vdev->guest_features);
    if (qemu_loglevel_mask(LOG_GUEST_ERROR) && swiotlb_log_allowed(s)) {
        qemu_log("swiotlb: %s: FEATURES_OK refused: the driver has to accept "
                 "VIRTIO_F_VERSION_1, VIRTIO_F_ACCESS_PLATFORM and "
                 "VIRTIO_F_SWIOTLB (load virtio_swiotlb.ko in the guest, or "
                 "set swiotlb-required=off)\n", s->name);
    }
    return false;
}

void swiotlb_status_written(VirtIODevice *vdev)
{
    SwiotlbDevice *s = vdev->swiotlb;

    if (!s || !vdev->status) {
        return;
    }
    swiotlb_is_ordinary(s);
    if (vdev->broken) {
        vdev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
        swiotlb_tell_driver(vdev);
    }
}

bool swiotlb_excuses_access_platform(VirtIODevice *vdev)
{
    SwiotlbDevice *s = vdev->swiotlb;

    return s && s->declined == SWIOTLB_DECLINED_ORDINARY &&
           !s->platform_wanted && !swiotlb_accepted(vdev);
}

uint32_t swiotlb_offered_features(VirtIODevice *vdev, uint32_t select,
                                  uint32_t features)
{
    if (vdev->swiotlb && select == VIRTIO_F_SWIOTLB / 32) {
        features |= BIT(VIRTIO_F_SWIOTLB % 32);
    }
    return features;
}

void swiotlb_reset(VirtIODevice *vdev)
{
    SwiotlbDevice *s = vdev->swiotlb;

    if (s) {
        trace_swiotlb_reset(s->name);
        qatomic_set(&s->phase, SWIOTLB_UNDECIDED);
        s->last_base = qatomic_read(&s->window.base);
    }
}

bool swiotlb_stopped(VirtIODevice *vdev)
{
    return vdev->swiotlb && vdev->broken;
}

bool swiotlb_queues_stopped(VirtIODevice *vdev)
{
    return vdev->swiotlb && virtio_device_disabled(vdev);
}

bool swiotlb_stops_back_end(VirtIODevice *vdev)
{
    return swiotlb_stopped(vdev) && vdev->swiotlb->external;
}

uint8_t swiotlb_back_end_status(VirtIODevice *vdev, uint8_t status)
{
    return swiotlb_stops_back_end(vdev) ? status & ~VIRTIO_CONFIG_S_DRIVER_OK :
           status;
}

void swiotlb_confine(VirtIODevice *vdev)
{
    SwiotlbDevice *s = vdev->swiotlb;

    if (s) {
        vdev->dma_as = &s->filter_as;
    }
}

static void swiotlb_get_rejected(Object *obj, Visitor *v, const char *name,
                                 void *opaque, Error **errp)
{
    uint64_t rejected = qatomic_read((uint64_t *)
                                     object_field_prop_ptr(obj, opaque));

    visit_type_uint64(v, name, &rejected, errp);
}

const PropertyInfo swiotlb_prop_rejected = {
    .type = "uint64",
    .description = "DMA accesses refused since the machine was reset",
    .get = swiotlb_get_rejected,
};

void swiotlb_device_init(SwiotlbDevice *s, VirtIODevice *vdev,
                         DeviceState *dev, Object *owner, MemoryRegion *ram,
                         AddressSpace *platform_as, SwiotlbDeclined declined,
                         bool external)
{
    uint64_t size = memory_region_size(ram);

    swiotlb_window_init(&s->window, size);
    s->last_base = SWIOTLB_CLOSED;
    s->name = qdev_get_human_name(dev);
    s->declined = declined;
    s->external = external;
    s->phase = SWIOTLB_UNDECIDED;
    s->rejected = 0;
    s->platform_as = platform_as;
    s->platform_wanted = virtio_host_has_feature(vdev,
                                                 VIRTIO_F_IOMMU_PLATFORM);
    s->log_lines = 0;
    s->log_start_ms = 0;
    qemu_mutex_init(&s->log_lock);

    s->ram = ram;
    address_space_init(&s->ram_as, ram, "swiotlb-ram");
    address_space_cache_init(&s->all, &s->ram_as, 0, size, true);
    memory_region_init_iommu(&s->filter, sizeof(s->filter),
                             TYPE_SWIOTLB_FILTER, owner, "swiotlb-filter",
                             UINT64_MAX);
    address_space_init(&s->filter_as, MEMORY_REGION(&s->filter),
                       "swiotlb-filter");
    /* Never a bounce buffer for what the filter rejects */
    s->filter_as.max_bounce_buffer_size = 0;
    if (external) {
        swiotlb_vhost_init(s, owner);
    }

    QLIST_INSERT_HEAD(&swiotlb_devices, s, next);
    s->vdev = vdev;
    vdev->swiotlb = s;
}

void swiotlb_device_cleanup(SwiotlbDevice *s)
{
    if (!s->name) {
        return;
    }
    QLIST_REMOVE(s, next);
    swiotlb_window_move(&s->window, SWIOTLB_CLOSED);
    s->vdev->dma_as = &address_space_memory;
    address_space_cache_destroy(&s->all);
    /*
     * A commit without a change keeps the old views, and they the owner. The
     * address space that ends last holds the owner, and so the memory of both.
     */
    memory_region_transaction_begin();
    memory_region_set_enabled(MEMORY_REGION(&s->filter), false);
    address_space_destroy(&s->ram_as);
    address_space_destroy(&s->filter_as);
    if (s->external) {
        swiotlb_vhost_cleanup(s);
    }
    memory_region_transaction_commit();
    qemu_mutex_destroy(&s->log_lock);
    g_free(g_steal_pointer(&s->name));
}

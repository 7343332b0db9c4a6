/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Migration and snapshots of a device that has a window
 *
 * The window's RAM travels like all RAM. Two sections of the stream are ours,
 * and only of devices that have a window:
 *  setup  what both sides have to be given alike; one section for a BAR, and
 *         another for a pool. It comes before all RAM, so that a difference is
 *         told before anything is loaded.
 *  state  what the driver chose and where the window was. It comes before all
 *         PCI devices: device types restore requests that are under way when
 *         not all feature bits are known yet, and the driver may have moved the
 *         window away from under them.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/memfd.h"
#include "migration/cpr.h"
#include "migration/qemu-file.h"
#include "migration/vmstate.h"
#include "hw/virtio/virtio.h"
#include "hw/virtio/swiotlb/access.h"
#include "hw/virtio/swiotlb/dirty.h"
#include "trace.h"

#define SETUP_SECTION "swiotlb"
#define POOL_SECTION "swiotlb-pool"
#define RAM_SECTION "ram"

static QLIST_HEAD(, SwiotlbMigration) devices =
    QLIST_HEAD_INITIALIZER(devices);

/* How many windows' RAM there is, of devices and of pools */
static unsigned ram_count;

static const char *swiotlb_on_off(bool on)
{
    return on ? "on" : "off";
}

static bool swiotlb_required_equal(const char *name, const SwiotlbSetup *ours,
                                   const SwiotlbSetup *theirs, Error **errp)
{
    if (ours->required == theirs->required) {
        return true;
    }
    error_setg(errp, "swiotlb: %s: swiotlb-required is %s here and %s on the "
               "source; set it the same on both sides", name,
               swiotlb_on_off(ours->required),
               swiotlb_on_off(theirs->required));
    return false;
}

static bool swiotlb_bar_equal(const char *name, const SwiotlbSetup *ours,
                              const SwiotlbSetup *theirs, Error **errp)
{
    if (ours->memdev != theirs->memdev) {
        error_setg(errp, "swiotlb: %s: only %s has swiotlb-memdev; set it on "
                   "both sides or on neither", name,
                   ours->memdev ? "the destination" : "the source");
    } else if (ours->size != theirs->size) {
        error_setg(errp, "swiotlb: %s: the window has %" PRIu64 " bytes here "
                   "and %" PRIu64 " on the source; give both the same "
                   "swiotlb-size or backends of the same size", name,
                   ours->size, theirs->size);
    } else if (ours->bar != theirs->bar) {
        error_setg(errp, "swiotlb: %s: swiotlb-bar is %u here and %u on the "
                   "source; give both sides the same device type and "
                   "properties", name, ours->bar, theirs->bar);
    } else {
        return swiotlb_required_equal(name, ours, theirs, errp);
    }
    return false;
}

static bool swiotlb_pool_equal(const char *name, const SwiotlbSetup *ours,
                               const SwiotlbSetup *theirs, Error **errp)
{
    if (!g_str_equal(ours->pool, theirs->pool)) {
        error_setg(errp, "swiotlb: %s: its pool is '%s' here and '%s' on the "
                   "source; give it the same pool on both sides", name,
                   ours->pool, theirs->pool);
    } else if (ours->memdev != theirs->memdev) {
        error_setg(errp, "swiotlb: %s: only on %s pool '%s' has a memdev; set "
                   "it on both sides or on neither", name,
                   ours->memdev ? "the destination" : "the source",
                   ours->pool);
    } else if (ours->size != theirs->size) {
        error_setg(errp, "swiotlb: %s: pool '%s' has %" PRIu64 " bytes here "
                   "and %" PRIu64 " on the source; give both the same size or "
                   "backends of the same size", name, ours->pool, ours->size,
                   theirs->size);
    } else if (ours->base != theirs->base) {
        error_setg(errp, "swiotlb: %s: pool '%s' is at 0x%" PRIx64 " here and "
                   "at 0x%" PRIx64 " on the source; give both sides the same "
                   "pools, in the same order, and the same -m", name,
                   ours->pool, ours->base, theirs->base);
    } else {
        return swiotlb_required_equal(name, ours, theirs, errp);
    }
    return false;
}

static int swiotlb_setup_pre_save(void *opaque)
{
    SwiotlbMigration *m = opaque;

    m->setup = m->ours;
    return 0;
}

static int swiotlb_setup_compared(SwiotlbMigration *m, bool equal, Error *err)
{
    if (!equal) {
        error_report_err(err);
        return -EINVAL;
    }
    m->compared = true;
    return 0;
}

static int swiotlb_bar_post_load(void *opaque, int version_id)
{
    SwiotlbMigration *m = opaque;
    Error *err = NULL;
    bool equal = swiotlb_bar_equal(m->device->name, &m->ours, &m->setup, &err);

    return swiotlb_setup_compared(m, equal, err);
}

static int swiotlb_pool_post_load(void *opaque, int version_id)
{
    SwiotlbMigration *m = opaque;
    Error *err = NULL;
    bool equal;

    m->setup.pool[sizeof(m->setup.pool) - 1] = '\0';
    equal = swiotlb_pool_equal(m->device->name, &m->ours, &m->setup, &err);
    return swiotlb_setup_compared(m, equal, err);
}

static const VMStateDescription vmstate_swiotlb_setup = {
    .name = SETUP_SECTION,
    .version_id = 1,
    .minimum_version_id = 1,
    .priority = MIG_PRI_PCI_BUS,
    .early_setup = true,
    .pre_save = swiotlb_setup_pre_save,
    .post_load = swiotlb_bar_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64(setup.size, SwiotlbMigration),
        VMSTATE_UINT8(setup.bar, SwiotlbMigration),
        VMSTATE_BOOL(setup.required, SwiotlbMigration),
        VMSTATE_BOOL(setup.memdev, SwiotlbMigration),
        VMSTATE_END_OF_LIST()
    },
};

static const VMStateDescription vmstate_swiotlb_pool = {
    .name = POOL_SECTION,
    .version_id = 1,
    .minimum_version_id = 1,
    .priority = MIG_PRI_PCI_BUS,
    .early_setup = true,
    .pre_save = swiotlb_setup_pre_save,
    .post_load = swiotlb_pool_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64(setup.size, SwiotlbMigration),
        VMSTATE_UINT64(setup.base, SwiotlbMigration),
        VMSTATE_BOOL(setup.required, SwiotlbMigration),
        VMSTATE_BOOL(setup.memdev, SwiotlbMigration),
        VMSTATE_BUFFER_UNSAFE(setup.pool, SwiotlbMigration, 1,
                              SWIOTLB_POOL_ID_SIZE),
        VMSTATE_END_OF_LIST()
    },
};

static const VMStateDescription *
swiotlb_setup_section(const SwiotlbSetup *setup)
{
    return *setup->pool ? &vmstate_swiotlb_pool : &vmstate_swiotlb_setup;
}

static int swiotlb_state_pre_save(void *opaque)
{
    SwiotlbMigration *m = opaque;
    SwiotlbDevice *s = m->device;
    uint64_t base = qatomic_read(&s->window.base);

    /* Only below a device that stopped can the window have moved. */
    if (base == SWIOTLB_CLOSED || s->vdev->broken) {
        base = s->last_base;
    }
    m->state = (SwiotlbState) {
        .base = base,
        .rejected = qatomic_read(&s->rejected),
        .phase = qatomic_read(&s->phase),
        .platform = virtio_vdev_has_feature(s->vdev, VIRTIO_F_IOMMU_PLATFORM),
    };
    return 0;
}

static bool swiotlb_state_valid(const SwiotlbDevice *s,
                                const SwiotlbState *state)
{
    const SwiotlbSetup *ours = &s->migration.ours;

    if (state->base != SWIOTLB_CLOSED &&
        state->base & (s->window.size - 1)) {
        return false;
    }
    if (*ours->pool && state->base != ours->base) {
        return false;
    }
    return state->phase <= (s->declined == SWIOTLB_DECLINED_ORDINARY ?
                            SWIOTLB_ORDINARY : SWIOTLB_UNDECIDED);
}

static int swiotlb_state_post_load(void *opaque, int version_id)
{
    SwiotlbMigration *m = opaque;
    SwiotlbDevice *s = m->device;

    if (!swiotlb_state_valid(s, &m->state)) {
        error_report("swiotlb: %s: the saved state is damaged: window at 0x%"
                     PRIx64 ", phase %u; save it again", s->name,
                     m->state.base, m->state.phase);
        return -EINVAL;
    }
    s->last_base = m->state.base;
    qatomic_set(&s->rejected, m->state.rejected);
    qatomic_set(&s->phase, m->state.phase);
    trace_swiotlb_load(s->name, m->state.base,
                       m->state.phase == SWIOTLB_ORDINARY);
    return 0;
}

static const VMStateDescription vmstate_swiotlb_state = {
    .name = "swiotlb-state",
    .version_id = 1,
    .minimum_version_id = 1,
    .priority = MIG_PRI_PCI_BUS,
    .pre_save = swiotlb_state_pre_save,
    .post_load = swiotlb_state_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64(state.base, SwiotlbMigration),
        VMSTATE_UINT64(state.rejected, SwiotlbMigration),
        VMSTATE_UINT8(state.phase, SwiotlbMigration),
        VMSTATE_BOOL(state.platform, SwiotlbMigration),
        VMSTATE_END_OF_LIST()
    },
};

/* All of @idstr but the name of the section */
static int swiotlb_path_length(const char *idstr)
{
    return strrchr(idstr, '/') - idstr;
}

static void swiotlb_say_missing(SwiotlbMigration *m, Error **errp)
{
    if (*m->ours.pool) {
        error_setg(errp, "swiotlb: %s: the source's device has no pool; give "
                   "it the same swiotlb-pool and transports on both sides",
                   m->device->name);
    } else {
        error_setg(errp, "swiotlb: %s: the source's device has no window; set "
                   "swiotlb=off here, or start the source with swiotlb=on",
                   m->device->name);
    }
}

bool swiotlb_section_fits(const char *idstr, bool known, Error **errp)
{
    SwiotlbMigration *m;
    Error *err = NULL;

    if (!known && g_str_has_suffix(idstr, "/" SETUP_SECTION)) {
        error_setg(&err, "swiotlb: the source has a device with a window at "
                   "%.*s, and there is none here; set swiotlb=on here too, or "
                   "start the source with swiotlb=off",
                   swiotlb_path_length(idstr), idstr);
    } else if (!known && g_str_has_suffix(idstr, "/" POOL_SECTION)) {
        error_setg(&err, "swiotlb: the source has a device with a pool at "
                   "%.*s, and there is none here; give it the same "
                   "swiotlb-pool and transports on both sides",
                   swiotlb_path_length(idstr), idstr);
    } else if (g_str_equal(idstr, RAM_SECTION)) {
        QLIST_FOREACH(m, &devices, next) {
            if (!m->compared && !err) {
                swiotlb_say_missing(m, &err);
            }
            m->compared = false;
        }
    }
    if (!err) {
        return true;
    }
    if (errp) {
        error_propagate(errp, err);
    } else {
        error_report_err(err);
    }
    return false;
}

ram_addr_t swiotlb_dirty_offset(RAMBlock *block)
{
    return ram_count ? qemu_ram_get_offset(block) : 0;
}

static void *swiotlb_restore_ordinary(SwiotlbDevice *s, dma_addr_t addr,
                                      dma_addr_t *len, DMADirection direction,
                                      MemTxAttrs attrs)
{
    AddressSpace *as = s->migration.state.platform ? s->platform_as
                                                   : &address_space_memory;

    return dma_memory_map(as, addr, len, direction, attrs);
}

void *swiotlb_restore_map(VirtIODevice *vdev, dma_addr_t addr, dma_addr_t *len,
                          DMADirection direction, MemTxAttrs attrs)
{
    SwiotlbDevice *s = vdev->swiotlb;
    SwiotlbWindow window;
    uint64_t offset;

    if (!s) {
        return dma_memory_map(vdev->dma_as, addr, len, direction, attrs);
    }
    if (qatomic_read(&s->phase) == SWIOTLB_ORDINARY) {
        return swiotlb_restore_ordinary(s, addr, len, direction, attrs);
    }
    window = (SwiotlbWindow) { .base = s->last_base, .size = s->window.size };
    if (!*len || !swiotlb_window_offset(&window, addr, *len, &offset)) {
        *len = 0;
        return NULL;
    }
    memory_region_ref(s->ram);
    return s->all.ptr + offset;
}

void *swiotlb_restore_segment(VirtIODevice *vdev, struct iovec *segment,
                              dma_addr_t addr, dma_addr_t *len,
                              DMADirection direction, MemTxAttrs attrs)
{
    SwiotlbDevice *s = vdev->swiotlb;
    dma_addr_t wanted = *len;
    void *p = swiotlb_restore_map(vdev, addr, len, direction, attrs);

    if (!s) {
        return p;
    }
    swiotlb_buffer_keep(s, p);
    if (p && *len == wanted) {
        return p;
    }
    if (p) {
        swiotlb_buffer_unmap(vdev, &address_space_memory, p, *len, direction,
                             0);
    }
    if (!s->migration.damaged) {
        error_report("swiotlb: %s: the saved state is damaged: a request has "
                     "0x%" PRIx64 " bytes at 0x%" PRIx64 ", which the device "
                     "cannot reach; save it again", s->name, wanted, addr);
    }
    s->migration.damaged = true;
    /* Something that can be unmapped, and holds nothing */
    segment->iov_len = *len = 0;
    return s->all.ptr;
}

void swiotlb_saved(VirtIODevice *vdev, QEMUFile *f, uint32_t ndescs)
{
    if (vdev->swiotlb && virtio_host_has_feature(vdev, VIRTIO_F_RING_PACKED)) {
        qemu_put_be32(f, ndescs);
    }
}

void swiotlb_restored(VirtIODevice *vdev, QEMUFile *f)
{
    if (vdev->swiotlb && vdev->swiotlb->migration.damaged) {
        vdev->swiotlb->migration.damaged = false;
        qemu_file_set_error(f, -EINVAL);
    }
}

/* One place, one file: no device of another kind asks for this name. */
static char *swiotlb_cpr_name(DeviceState *dev)
{
    g_autofree char *path = qdev_get_dev_path(dev);

    return g_strconcat(SETUP_SECTION ":", path, NULL);
}

int swiotlb_migration_open_ram(DeviceState *dev, uint64_t size, Error **errp)
{
    g_autofree char *name = swiotlb_cpr_name(dev);
    int fd = cpr_is_incoming() ? cpr_find_fd(name, 0) : -1;

    if (fd >= 0) {
        return fd;
    }
    fd = qemu_memfd_create("swiotlb", size, false, 0,
                           F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL, errp);
    if (fd >= 0) {
        cpr_save_fd(name, 0, fd);
    }
    return fd;
}

void swiotlb_migration_forget_ram(DeviceState *dev)
{
    g_autofree char *name = swiotlb_cpr_name(dev);

    cpr_delete_fd(name, 0);
}

bool swiotlb_migration_add_ram(MemoryRegion *ram, const char *name,
                               DeviceState *dev, Error **errp)
{
    Error *err = NULL;

    ram_count++;
    /* The name of a backend may differ between the two sides. */
    qemu_ram_set_idstr(ram->ram_block, name, dev);
    qemu_ram_set_migratable(ram->ram_block);
    ram_block_add_cpr_blocker(ram->ram_block, &err);
    error_propagate(errp, err);
    return !err;
}

void swiotlb_migration_remove_ram(MemoryRegion *ram)
{
    vmstate_unregister_ram(ram, NULL);
    ram_count--;
}

static bool swiotlb_migration_register(SwiotlbMigration *m, Error **errp)
{
    VMStateIf *obj = VMSTATE_IF(m->dev);

    return vmstate_register_with_alias_id(obj, VMSTATE_INSTANCE_ID_ANY,
                                          swiotlb_setup_section(&m->ours), m,
                                          -1, 0, errp) >= 0 &&
           vmstate_register_with_alias_id(obj, VMSTATE_INSTANCE_ID_ANY,
                                          &vmstate_swiotlb_state, m, -1, 0,
                                          errp) >= 0;
}

bool swiotlb_migration_init(SwiotlbDevice *s, DeviceState *dev,
                            const SwiotlbSetup *setup, Error **errp)
{
    SwiotlbMigration *m = &s->migration;

    *m = (SwiotlbMigration) { .device = s, .dev = dev, .ours = *setup };
    QLIST_INSERT_HEAD(&devices, m, next);
    return swiotlb_migration_register(m, errp);
}

void swiotlb_migration_cleanup(SwiotlbDevice *s)
{
    SwiotlbMigration *m = &s->migration;

    if (!m->dev) {
        return;
    }
    vmstate_unregister(VMSTATE_IF(m->dev), swiotlb_setup_section(&m->ours), m);
    vmstate_unregister(VMSTATE_IF(m->dev), &vmstate_swiotlb_state, m);
    QLIST_REMOVE(m, next);
    m->dev = NULL;
}

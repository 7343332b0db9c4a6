/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The DMA window of a virtio device (VIRTIO_F_SWIOTLB)
 *
 * Concepts:
 *  window   a power of two of RAM that lives on the device, and the bus address
 *           at which the driver sees it now; closed while it sees it nowhere
 *  device   a virtio device with a window: VirtIODevice::swiotlb, NULL without
 *  confined the device reaches its window and nothing else
 *  ordinary the device reaches what it would without a window; only with a BAR
 *           and swiotlb-required=off, for a driver that declined the feature
 *  rejected an access that is not let through: the device stops and asks the
 *           driver for a reset
 *
 * The core of virtio goes through swiotlb/access.h. Code that maps through
 * VirtIODevice::dma_as by itself meets SwiotlbDevice::filter, which applies the
 * same rule.
 *
 * Source: VIRTIO_F_SWIOTLB proposal, virtio-comment, April 2025.
 */

#ifndef HW_VIRTIO_SWIOTLB_H
#define HW_VIRTIO_SWIOTLB_H

#include "hw/virtio/swiotlb/compat.h"
#include "hw/virtio/swiotlb/window.h"
#include "hw/virtio/vhost-backend.h"

typedef struct Aml Aml;
typedef struct SwiotlbDevice SwiotlbDevice;
typedef struct VirtIODevice VirtIODevice;
typedef struct VirtIOMMIOProxy VirtIOMMIOProxy;
typedef struct VirtIOPCIProxy VirtIOPCIProxy;
typedef struct VirtioDMAPool VirtioDMAPool;
struct VirtioDeviceFeatures;
struct iovec;
struct vhost_dev;
struct vhost_log;

/* Feature bit. QEMU calls it VIRTIO_F_ANY_LAYOUT, which is legacy only. */
#define VIRTIO_F_SWIOTLB 27

/* cfg_type of the capability that describes the window */
#define VIRTIO_PCI_CAP_SWIOTLB 10

/*
 * What the driver's choice of features means for DMA. Decided by FEATURES_OK,
 * kept until the device is reset.
 */
typedef enum SwiotlbPhase {
    SWIOTLB_UNDECIDED,
    SWIOTLB_CONFINED,
    SWIOTLB_ORDINARY,
} SwiotlbPhase;

/* What a driver gets that declines VIRTIO_F_SWIOTLB */
typedef enum SwiotlbDeclined {
    /* Nothing: FEATURES_OK does not stick. */
    SWIOTLB_DECLINED_REFUSED,
    /* Ordinary DMA, until the device is reset */
    SWIOTLB_DECLINED_ORDINARY,
    /* The window: it may know in another way where that is. */
    SWIOTLB_DECLINED_CONFINED,
} SwiotlbDeclined;

/* As long as what QEMU calls a block of RAM; the rest of an id is left out. */
#define SWIOTLB_POOL_ID_SIZE 256

/* What both sides of a migration have to be given alike */
typedef struct SwiotlbSetup {
    /* Bytes */
    uint64_t size;
    bool required;
    /* The user chose the memory */
    bool memdev;
    /* Of a window in a BAR */
    uint8_t bar;
    /* Of a pool: its id and place; "" for a BAR */
    char pool[SWIOTLB_POOL_ID_SIZE];
    uint64_t base;
} SwiotlbSetup;

/* What else travels with the device */
typedef struct SwiotlbState {
    /* Where the window was for requests that are under way */
    uint64_t base;
    uint64_t rejected;
    /* SwiotlbPhase */
    uint8_t phase;
    /* The driver accepted VIRTIO_F_ACCESS_PLATFORM */
    bool platform;
} SwiotlbState;

typedef struct SwiotlbMigration {
    SwiotlbDevice *device;
    /* NULL while not registered */
    DeviceState *dev;
    SwiotlbSetup ours;
    /* As in the stream */
    SwiotlbSetup setup;
    SwiotlbState state;
    /* The stream being loaded knows this window, and it is like ours */
    bool compared;
    /* A request in the stream lies where no request can */
    bool damaged;
    QLIST_ENTRY(SwiotlbMigration) next;
} SwiotlbMigration;

struct SwiotlbDevice {
    /* What each access asks for comes first, to share a cache line. */
    SwiotlbWindow window;
    VirtIODevice *vdev;
    SwiotlbDeclined declined;
    /* SwiotlbPhase, atomic */
    int phase;
    /* Device id or path, for messages; NULL while there is no window */
    char *name;
    /* All of the window's RAM, for the device's life */
    MemoryRegionCache all;

    /*
     * Where the window was last while the device worked: the driver may close
     * or move it below a device that has stopped with requests under way.
     */
    uint64_t last_base;
    /* Accesses refused since the machine was reset, atomic */
    uint64_t rejected;

    /*
     * The window's RAM, which is mapped nowhere itself: the driver sees an
     * alias...
     */
    MemoryRegion *ram;
    /* ... and here it is at address 0, wherever the driver sees it. */
    AddressSpace ram_as;
    /* VirtIODevice::dma_as: the DMA rule for code that maps by itself */
    IOMMUMemoryRegion filter;
    AddressSpace filter_as;
    /* Where accesses of an ordinary device go that accepted ACCESS_PLATFORM */
    AddressSpace *platform_as;
    /* The user asked for ACCESS_PLATFORM: it may not be declined */
    bool platform_wanted;

    /* The back end is another process, or the kernel... */
    bool external;
    /* ... and this is all that it sees */
    MemoryRegion vhost_root;
    MemoryRegion vhost_window;
    AddressSpace vhost_as;
    /* Where it says what it has written to, while that is asked for */
    struct vhost_log *vhost_log;

    QLIST_ENTRY(SwiotlbDevice) next;

    /* Log lines in the current interval; protected by log_lock */
    QemuMutex log_lock;
    int64_t log_start_ms;
    unsigned log_lines;

    SwiotlbMigration migration;
};

/*
 * swiotlb_device_init: make a device that has @ram as its window.
 *
 * @dev: messages name it
 * @owner: the QOM object that embeds @s and outlives its address spaces
 * @ram: RAM of the window's size
 * @platform_as: the bus's view of memory, through an IOMMU if there is one
 * @declined: what a driver gets that declines VIRTIO_F_SWIOTLB
 * @external: the back end is not in this process
 *
 * Context: BQL held, before VIRTIO_F_ACCESS_PLATFORM is offered for our sake
 */
void swiotlb_device_init(SwiotlbDevice *s, VirtIODevice *vdev,
                         DeviceState *dev, Object *owner, MemoryRegion *ram,
                         AddressSpace *platform_as, SwiotlbDeclined declined,
                         bool external);

/*
 * swiotlb_device_cleanup: undo swiotlb_device_init(). Nothing to do when it
 * was not called. VirtIODevice::swiotlb stays, and rejects everything: a
 * request that a device type ends too late is still to be unmapped.
 *
 * Context: BQL held; no queue of the device runs any more
 */
void swiotlb_device_cleanup(SwiotlbDevice *s);

/*
 * swiotlb_confine: put the filter into @vdev's DMA path for the rest of its
 * life.
 *
 * Context: BQL held, at the end of plugging
 */
void swiotlb_confine(VirtIODevice *vdev);

/*
 * swiotlb_dma_map: dma_memory_map() for @vdev, for what belongs to no request.
 *
 * All of [@addr, @addr + *@len) has to lie inside the window of a confined
 * device. Undo with dma_memory_unmap() on any address space.
 *
 * Returns: host pointer; NULL if the access was refused or is impossible
 * Context: any thread
 */
void *swiotlb_dma_map(VirtIODevice *vdev, dma_addr_t addr, dma_addr_t *len,
                      DMADirection direction, MemTxAttrs attrs);

/*
 * swiotlb_buffer_map_slow: swiotlb_buffer_map(), see access.h, for what is not
 * plainly inside a confined device's window
 */
void *swiotlb_buffer_map_slow(SwiotlbDevice *s, dma_addr_t addr,
                              dma_addr_t *len, DMADirection direction,
                              MemTxAttrs attrs);

/*
 * swiotlb_buffer_keep: make what dma_memory_map() returned, which may be NULL,
 * a pointer for swiotlb_buffer_unmap().
 */
void swiotlb_buffer_keep(SwiotlbDevice *s, void *p);

/* swiotlb_buffer_written: the device wrote to its window; that is logged. */
void swiotlb_buffer_written(SwiotlbDevice *s, hwaddr offset, hwaddr len);

/*
 * swiotlb_cache_init_slow: swiotlb_cache_init(), see access.h, for what is
 * written to, or not plainly inside a confined device's window
 */
int64_t swiotlb_cache_init_slow(MemoryRegionCache *cache, SwiotlbDevice *s,
                                hwaddr addr, hwaddr len, bool is_write);

/*
 * swiotlb_accepts_status: may the driver write @status now?
 *
 * False when it says FEATURES_OK without the features that a window needs; the
 * status then stays as it is. A driver that takes FEATURES_OK back without a
 * reset stops the device.
 *
 * Context: BQL held
 */
bool swiotlb_accepts_status(VirtIODevice *vdev, uint8_t status);

/*
 * swiotlb_status_written: the driver wrote @vdev's status. FEATURES_OK fixes
 * its choice until a reset, and NEEDS_RESET stays until then.
 *
 * Context: BQL held
 */
void swiotlb_status_written(VirtIODevice *vdev);

/*
 * swiotlb_notify_error: tell the driver that @vdev needs a reset.
 *
 * Stock virtio_error() does so at once. In an I/O thread the interrupt waits
 * for the BQL, whose holder may be waiting for that thread to reset the device;
 * and in the midst of a write to PCI_COMMAND an interrupt line must not change.
 * For a device with a window the main loop raises it.
 *
 * Context: any thread
 */
void swiotlb_notify_error(VirtIODevice *vdev);

/*
 * swiotlb_excuses_access_platform: may the driver decline
 * VIRTIO_F_ACCESS_PLATFORM? True if only the window made us offer it and the
 * driver declined the window.
 */
bool swiotlb_excuses_access_platform(VirtIODevice *vdev);

/* swiotlb_reset: forget the driver's choice. Context: BQL held */
void swiotlb_reset(VirtIODevice *vdev);

/*
 * swiotlb_stopped: does @vdev wait for a reset? Its rings are then not to be
 * mapped again, each time with an error, when the memory map changes.
 */
bool swiotlb_stopped(VirtIODevice *vdev);

/*
 * swiotlb_queues_stopped: is nothing to be taken out of @vdev's rings, because
 * it waits for a reset or may not master the bus? Context: any thread
 */
bool swiotlb_queues_stopped(VirtIODevice *vdev);

/*
 * swiotlb_offered_features: the 32 feature bits that the modern feature
 * register shows, given those that stock QEMU shows there.
 *
 * @select: which 32 bits (device_feature_select)
 */
uint32_t swiotlb_offered_features(VirtIODevice *vdev, uint32_t select,
                                  uint32_t features);

/*
 * swiotlb_name_features: call bit 27 by its name in "info virtio-status".
 *
 * Returns: @features
 */
struct VirtioDeviceFeatures *
swiotlb_name_features(VirtIODevice *vdev,
                      struct VirtioDeviceFeatures *features);

/*
 * swiotlb_migration_open_ram: a file of @size bytes for @dev's window. After
 * cpr-transfer it is the one that the other QEMU hands over.
 *
 * Returns: file descriptor, -1 on failure
 */
int swiotlb_migration_open_ram(DeviceState *dev, uint64_t size, Error **errp);

/* swiotlb_migration_forget_ram: that file is not to be handed over any more */
void swiotlb_migration_forget_ram(DeviceState *dev);

/*
 * swiotlb_migration_add_ram: let @ram travel, by the name @name of @dev; @dev
 * is NULL for a pool.
 *
 * Returns: false with @errp set if it cannot; remove is needed nevertheless
 * Context: BQL held
 */
bool swiotlb_migration_add_ram(MemoryRegion *ram, const char *name,
                               DeviceState *dev, Error **errp);

/* swiotlb_migration_remove_ram: undo it */
void swiotlb_migration_remove_ram(MemoryRegion *ram);

/*
 * swiotlb_migration_init: let the window of @dev travel, all but its RAM.
 *
 * Returns: false with @errp set if it cannot; cleanup is needed nevertheless
 * Context: BQL held, after swiotlb_device_init()
 */
bool swiotlb_migration_init(SwiotlbDevice *s, DeviceState *dev,
                            const SwiotlbSetup *setup, Error **errp);

/* swiotlb_migration_cleanup: undo swiotlb_migration_init(), if it was called */
void swiotlb_migration_cleanup(SwiotlbDevice *s);

/*
 * swiotlb_section_fits: may the section @idstr of a migration stream be loaded?
 *
 * @known: there is something here that it belongs to
 * @errp: set on failure; if NULL, the error is reported
 *
 * False if one side has a window and the other has none.
 */
bool swiotlb_section_fits(const char *idstr, bool known, Error **errp);

/*
 * swiotlb_restore_map: dma_memory_map() for what @vdev had mapped when it was
 * saved, wherever the window is now. Nothing is rejected.
 *
 * Returns: host pointer; NULL if the device could not have had it
 * Context: BQL held, while @vdev is loaded
 */
void *swiotlb_restore_map(VirtIODevice *vdev, dma_addr_t addr, dma_addr_t *len,
                          DMADirection direction, MemTxAttrs attrs);

/*
 * swiotlb_restore_segment: the same for a segment of a request, to be undone
 * with swiotlb_buffer_unmap(). Stock code ends QEMU when it fails. For a device
 * with a window @segment is emptied then, and swiotlb_restored() makes the load
 * fail.
 */
void *swiotlb_restore_segment(VirtIODevice *vdev, struct iovec *segment,
                              dma_addr_t addr, dma_addr_t *len,
                              DMADirection direction, MemTxAttrs attrs);

/* swiotlb_saved: a request of @vdev but for its @ndescs was written to @f */
void swiotlb_saved(VirtIODevice *vdev, QEMUFile *f, uint32_t ndescs);

/* swiotlb_restored: a request of @vdev was read from @f */
void swiotlb_restored(VirtIODevice *vdev, QEMUFile *f);

/*
 * swiotlb_is_ordinary: does @s reach what it would without a window? Decides,
 * if that is still to be done, once FEATURES_OK is set. Context: any thread
 */
bool swiotlb_is_ordinary(SwiotlbDevice *s);

/* swiotlb_device_of: the device whose window @mr is, or NULL. Context: BQL */
SwiotlbDevice *swiotlb_device_of(const MemoryRegion *mr);

/*
 * swiotlb_stops_back_end: has @vdev stopped, so that its external back end is
 * not to run until a reset? Declared in virtio.h, whose inline functions ask.
 */

/*
 * swiotlb_back_end_status: the status that @vdev's back end is to act on when
 * the driver writes @status.
 */
uint8_t swiotlb_back_end_status(VirtIODevice *vdev, uint8_t status);

/*
 * swiotlb_back_end_failed: @vdev's external back end says that it cannot use
 * what a ring holds, such as an address that it does not have. Stops @vdev.
 *
 * Context: BQL held
 */
void swiotlb_back_end_failed(VirtIODevice *vdev);

/*
 * External back ends. See vhost.c for how they are confined.
 * Context, for all: BQL held
 */

/* swiotlb_vhost_init: the address space that @s's back end is to see */
void swiotlb_vhost_init(SwiotlbDevice *s, Object *owner);
/* swiotlb_vhost_cleanup: undo it, in a memory transaction of the caller's */
void swiotlb_vhost_cleanup(SwiotlbDevice *s);

/* swiotlb_vhost_type: what @vdev's external back end is, NONE without one */
VhostBackendType swiotlb_vhost_type(VirtIODevice *vdev);

/* swiotlb_vhost_as: the memory that @vdev's back end may reach */
AddressSpace *swiotlb_vhost_as(VirtIODevice *vdev);

/*
 * swiotlb_vhost_start: make the table of @hdev, which is about to start for
 * @vdev. False if it is not to start.
 */
bool swiotlb_vhost_start(struct vhost_dev *hdev, VirtIODevice *vdev);
/* swiotlb_vhost_stop: @hdev has stopped, or has not started */
void swiotlb_vhost_stop(struct vhost_dev *hdev, VirtIODevice *vdev);

/*
 * swiotlb_vhost_features: of @features, which @vdev's driver accepted, those
 * that its back end is told. To a back end bit 27 is ANY_LAYOUT.
 */
uint64_t swiotlb_vhost_features(VirtIODevice *vdev, uint64_t features);

/* swiotlb_vhost_sees: may the back end of @vdev, which may be NULL, get @mr? */
bool swiotlb_vhost_sees(VirtIODevice *vdev, MemoryRegion *mr);

/*
 * swiotlb_vhost_map: map a ring of @vdev for its back end. Undo with
 * address_space_unmap() on any address space.
 *
 * Returns: host pointer, NULL if the access was refused or is impossible
 */
void *swiotlb_vhost_map(VirtIODevice *vdev, hwaddr addr, hwaddr *len,
                        bool is_write);

/* swiotlb_vhost_allows_iommu: may the back end ask an IOMMU for addresses? */
bool swiotlb_vhost_allows_iommu(VirtIODevice *vdev);

/*
 * swiotlb_vhost_scans_log: has @vdev, which may be NULL, a log of dirty memory
 * of its own, that no other back end looks into?
 */
bool swiotlb_vhost_scans_log(VirtIODevice *vdev);
/*
 * swiotlb_vhost_get_log: a reference to the log of @vdev, which has several
 * vhost devices if it has several pairs of queues. Made by @alloc if there is
 * none of @size. NULL without a window.
 */
struct vhost_log *
swiotlb_vhost_get_log(VirtIODevice *vdev, uint64_t size, bool share,
                      struct vhost_log *(*alloc)(uint64_t, bool));
/* swiotlb_vhost_free_log: nobody has a reference to @log any more */
void swiotlb_vhost_free_log(VirtIODevice *vdev, struct vhost_log *log);

/*
 * swiotlb_refused_type: can a device of @vdev's type have a window?
 *
 * Returns: NULL, or why not; @instead is then what to do
 */
const char *swiotlb_refused_type(Object *vdev, const char **instead);

/*
 * swiotlb_refused_property: the same of the properties that @vdev has.
 *
 * Returns: NULL, or why not; @name is then the property
 */
const char *swiotlb_refused_property(Object *vdev, const char **name);

/* swiotlb_memdev_find: the memory backend @id, or NULL */
HostMemoryBackend *swiotlb_memdev_find(const char *id);

/*
 * swiotlb_file_fits: may QEMU make a file of @size bytes?
 *
 * The kernel answers a file of more than @most bytes with a signal that ends
 * QEMU (setrlimit(2), RLIMIT_FSIZE).
 */
bool swiotlb_file_fits(uint64_t size, uint64_t *most);

/* SwiotlbDevice::rejected, as a property of a transport */
extern const PropertyInfo swiotlb_prop_rejected;

#define SWIOTLB_PROP_REJECTED(id, type)                                     \
    { .name = id, .info = &swiotlb_prop_rejected,                           \
      .offset = offsetof(type, swiotlb.device.rejected) }

/* The window of a virtio-pci device: its properties and its BAR */
typedef struct SwiotlbPCI {
    bool enabled;
    bool required;
    bool size_set;
    uint64_t size;
    char *memdev_id;
    char *pool_id;

    /* In place of a BAR */
    VirtioDMAPool *pool;
    HostMemoryBackend *memdev;
    MemoryRegion ram;
    /* Index of the BAR; -1 without */
    int bar;
    /* What the BAR shows: an alias of the window's RAM */
    MemoryRegion bar_mr;
    MemoryListener listener;
    Notifier machine_done;
    SwiotlbDevice device;
} SwiotlbPCI;

extern const PropertyInfo swiotlb_prop_size;
extern const PropertyInfo swiotlb_prop_bar;

#define SWIOTLB_PCI_PROPERTIES                                              \
    DEFINE_PROP_BOOL("swiotlb", VirtIOPCIProxy, swiotlb.enabled, false),    \
    DEFINE_PROP_BOOL("swiotlb-required", VirtIOPCIProxy, swiotlb.required,  \
                     true),                                                 \
    DEFINE_PROP_UNSIGNED("swiotlb-size", VirtIOPCIProxy, swiotlb.size,      \
                         64 * MiB, swiotlb_prop_size, uint64_t),            \
    DEFINE_PROP_STRING("swiotlb-memdev", VirtIOPCIProxy, swiotlb.memdev_id), \
    DEFINE_PROP_STRING("swiotlb-pool", VirtIOPCIProxy, swiotlb.pool_id),    \
    { .name = "swiotlb-bar", .info = &swiotlb_prop_bar },                   \
    SWIOTLB_PROP_REJECTED("swiotlb-rejected", VirtIOPCIProxy)

/*
 * swiotlb_pci_check: refuse properties that cannot work, before anything of
 * the device exists.
 */
bool swiotlb_pci_check(VirtIOPCIProxy *proxy, Error **errp);

/*
 * swiotlb_pci_plug: give the device its window, RAM in a BAR that a capability
 * describes, or a pool; and feature bits. Leaves nothing behind on failure.
 *
 * Context: BQL held, before stock virtio-pci registers BARs and capabilities
 */
bool swiotlb_pci_plug(VirtIOPCIProxy *proxy, Error **errp);

/*
 * swiotlb_pci_realized: take the window away again if the device did not
 * come up. Context: BQL held
 */
void swiotlb_pci_realized(VirtIOPCIProxy *proxy);

/*
 * swiotlb_pci_keeps_queue_size: is the selected queue of a device with a
 * window enabled? Its ring indices hold for the size it has.
 */
bool swiotlb_pci_keeps_queue_size(VirtIOPCIProxy *proxy);

/* swiotlb_pci_unplug: undo swiotlb_pci_plug(). Context: BQL held */
void swiotlb_pci_unplug(VirtIOPCIProxy *proxy);

/* The window of a virtio-mmio device: its properties and its pool */
typedef struct SwiotlbMMIO {
    char *pool_id;
    bool required;

    /* NULL without a window */
    VirtioDMAPool *pool;
    Notifier machine_done;
    SwiotlbDevice device;
} SwiotlbMMIO;

#define SWIOTLB_MMIO_PROPERTIES                                             \
    DEFINE_PROP_STRING("swiotlb-pool", VirtIOMMIOProxy, swiotlb.pool_id),   \
    DEFINE_PROP_BOOL("swiotlb-required", VirtIOMMIOProxy, swiotlb.required, \
                     false),                                                \
    SWIOTLB_PROP_REJECTED("swiotlb-rejected", VirtIOMMIOProxy)

/*
 * swiotlb_mmio_check: find the pool; refuse properties that cannot work. The
 * name of the transport's bus says which transport it is.
 */
bool swiotlb_mmio_check(VirtIOMMIOProxy *proxy, Error **errp);

/*
 * swiotlb_mmio_plug: VirtioBusClass::device_plugged. Gives the device the pool
 * of its transport @d as its window. Leaves nothing behind on failure.
 */
void swiotlb_mmio_plug(DeviceState *d, Error **errp);

/* swiotlb_mmio_unplug: VirtioBusClass::device_unplugged */
void swiotlb_mmio_unplug(DeviceState *d);

/* swiotlb_mmio_keeps_queue_size: see swiotlb_pci_keeps_queue_size() */
bool swiotlb_mmio_keeps_queue_size(VirtIOMMIOProxy *proxy);

/*
 * swiotlb_place_pools: give each pool a place at the end of the @size bytes of
 * RAM at guest-physical address @base. Ends QEMU if they take more than a
 * quarter of that.
 *
 * Context: BQL held; before the machine makes virtio-mmio transports
 */
void swiotlb_place_pools(uint64_t base, uint64_t size);

/*
 * swiotlb_reserve_pools: call @reserve with place, size and @type for each
 * pool. Context: BQL held
 */
void swiotlb_reserve_pools(void (*reserve)(uint64_t, uint64_t, uint32_t),
                           uint32_t type);

/*
 * swiotlb_describe_pools: add all pools to the devicetree @fdt, whose root has
 * two cells for addresses and for sizes, and tie the virtio-mmio nodes in it to
 * them. Context: BQL held
 */
void swiotlb_describe_pools(void *fdt);

/*
 * swiotlb_acpi_describe_pools: add all pools, which are below 4 GiB, to @scope,
 * which is \_SB. Context: BQL held
 */
void swiotlb_acpi_describe_pools(Aml *scope);

/*
 * swiotlb_acpi_describe_transport: add a transport and what ties it to its pool
 * to @scope.
 *
 * @base, @size: its registers
 * @number: its name and _UID, as of one without a pool
 *
 * Returns: false if it has no pool; nothing was added then
 * Context: BQL held
 */
bool swiotlb_acpi_describe_transport(Aml *scope, VirtIOMMIOProxy *proxy,
                                     hwaddr base, hwaddr size, uint32_t irq,
                                     unsigned number);

#endif

/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * "-object virtio-dma-pool": guest memory as the window of virtio devices
 *
 * virtio-mmio has no BAR, so its window is a range of guest-physical memory; a
 * virtio-pci device may use one in place of a BAR.
 * The guest's kernel counts it as RAM, and a table of the firmware tells it to
 * leave it alone. In QEMU it is not part of the guest's RAM: a pool has memory
 * of its own, which hides the RAM in its place. So what is handed to whoever
 * works on a pool holds nothing else of the guest.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-builtin-visit.h"
#include "qapi/visitor.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qom/object_interfaces.h"
#include "hw/boards.h"
#include "hw/qdev-core.h"
#include "system/system.h"
#include "hw/virtio/swiotlb/pool.h"
#include "trace.h"

#define DEFAULT_SIZE (64 * MiB)

OBJECT_DEFINE_SIMPLE_TYPE_WITH_INTERFACES(VirtioDMAPool, virtio_dma_pool,
                                          VIRTIO_DMA_POOL, OBJECT,
                                          { TYPE_USER_CREATABLE }, { NULL })

struct VirtioDMAPools swiotlb_pools = QSIMPLEQ_HEAD_INITIALIZER(swiotlb_pools);

/* How many transports the machine has; their numbers start at 0. */
static unsigned transport_count;

static bool pool_check_file_size(uint64_t size, Error **errp)
{
    uint64_t most;

    if (swiotlb_file_fits(size, &most)) {
        return true;
    }
    error_setg(errp, "virtio-dma-pool: size=%" PRIu64 " is more than QEMU may "
               "make a file, %" PRIu64 "; raise that limit (ulimit -f) or use "
               "a smaller size", size, most);
    return false;
}

static HostMemoryBackend *pool_make_memdev(VirtioDMAPool *pool, Error **errp)
{
    uint64_t bytes = pool->size ?: DEFAULT_SIZE;
    g_autofree char *size = g_strdup_printf("%" PRIu64, bytes);
    Object *memdev;

    if (!pool_check_file_size(bytes, errp)) {
        return NULL;
    }
    memdev = object_new_with_props("memory-backend-memfd", OBJECT(pool),
                                   "memory", errp, "size", size, "share", "on",
                                   "x-use-canonical-path-for-ramblock-id",
                                   "on", NULL);
    if (!memdev) {
        error_prepend(errp, "virtio-dma-pool: no memory for the pool (try a "
                      "smaller one): ");
        return NULL;
    }
    return MEMORY_BACKEND(memdev);
}

/* The memory backend that the user named */
static HostMemoryBackend *pool_find_memdev(VirtioDMAPool *pool, Error **errp)
{
    const char *id = pool->memdev_id;
    HostMemoryBackend *memdev = swiotlb_memdev_find(id);
    uint64_t size;

    if (pool->size) {
        error_setg(errp, "virtio-dma-pool: size and memdev exclude each "
                   "other; drop size, the pool is as large as memory backend "
                   "'%s'", id);
        return NULL;
    }
    if (!memdev) {
        error_setg(errp, "virtio-dma-pool: there is no memory backend '%s'; "
                   "create it before the pool, with -object "
                   "memory-backend-memfd,id=%s,size=64M", id, id);
        return NULL;
    }
    if (host_memory_backend_is_mapped(memdev)) {
        error_setg(errp, "virtio-dma-pool: memory backend '%s' is in use; "
                   "give each pool a backend of its own", id);
        return NULL;
    }
    size = memory_region_size(host_memory_backend_get_memory(memdev));
    if (!swiotlb_window_size_valid(size)) {
        error_setg(errp, "virtio-dma-pool: the size of memory backend '%s', %"
                   PRIu64 ", is not a power of two of 1M or more; set its "
                   "size, for example to 64M", id, size);
        return NULL;
    }
    return memdev;
}

static bool pool_check_transports(VirtioDMAPool *pool, Error **errp)
{
    VirtioDMAPool *other;

    QSIMPLEQ_FOREACH(other, &swiotlb_pools, next) {
        DECLARE_BITMAP(both, SWIOTLB_TRANSPORTS);

        if (bitmap_and(both, pool->transports, other->transports,
                       SWIOTLB_TRANSPORTS)) {
            error_setg(errp, "virtio-dma-pool: transport %lu has pool '%s' "
                       "already; name it in one pool's transports only",
                       find_first_bit(both, SWIOTLB_TRANSPORTS),
                       swiotlb_pool_id(other));
            return false;
        }
    }
    return true;
}

/* Runs after what the machine does itself when it is complete. */
static void pool_machine_done(Notifier *notifier, void *data)
{
    VirtioDMAPool *pool = container_of(notifier, VirtioDMAPool, machine_done);
    unsigned long missing;

    if (pool->base == SWIOTLB_CLOSED) {
        error_report("virtio-dma-pool: machine '%s' has no place for pools; "
                     "use virt of qemu-system-aarch64, or microvm of "
                     "qemu-system-x86_64",
                     MACHINE_GET_CLASS(current_machine)->name);
        exit(1);
    }
    missing = find_next_bit(pool->transports, SWIOTLB_TRANSPORTS,
                            transport_count);
    if (missing < SWIOTLB_TRANSPORTS) {
        error_report("virtio-dma-pool: pool '%s' is for transport %lu, and "
                     "this machine has transports 0 to %u; use one of these",
                     swiotlb_pool_id(pool), missing, transport_count - 1);
        exit(1);
    }
}

static void pool_complete(UserCreatable *uc, Error **errp)
{
    VirtioDMAPool *pool = VIRTIO_DMA_POOL(uc);
    g_autofree char *path = object_get_canonical_path(OBJECT(uc));
    HostMemoryBackend *memdev;
    MemoryRegion *ram;

    if (phase_check(PHASE_MACHINE_INITIALIZED)) {
        error_setg(errp, "virtio-dma-pool: the machine is complete; create "
                   "pools when QEMU starts, with -object");
        return;
    }
    if (!pool_check_transports(pool, errp)) {
        return;
    }
    memdev = pool->memdev_id ? pool_find_memdev(pool, errp) :
                               pool_make_memdev(pool, errp);
    if (!memdev) {
        return;
    }
    ram = host_memory_backend_get_memory(memdev);
    if (!swiotlb_migration_add_ram(ram, path, NULL, errp)) {
        swiotlb_migration_remove_ram(ram);
        return;
    }
    object_ref(memdev);
    host_memory_backend_set_mapped(memdev, true);
    pool->memdev = memdev;
    pool->size = memory_region_size(ram);
    memory_region_init_alias(&pool->alias, OBJECT(pool), TYPE_VIRTIO_DMA_POOL,
                             ram, 0, pool->size);
    pool->machine_done.notify = pool_machine_done;
    qemu_add_machine_init_done_notifier(&pool->machine_done);
    QSIMPLEQ_INSERT_TAIL(&swiotlb_pools, pool, next);
}

/* It is part of the machine. */
static bool pool_can_be_deleted(UserCreatable *uc)
{
    return !VIRTIO_DMA_POOL(uc)->memdev;
}

VirtioDMAPool *swiotlb_pool_find(const char *id, Error **errp)
{
    VirtioDMAPool *pool;

    QSIMPLEQ_FOREACH(pool, &swiotlb_pools, next) {
        if (g_str_equal(swiotlb_pool_id(pool), id)) {
            break;
        }
    }
    if (!pool) {
        error_setg(errp, "swiotlb-pool: there is no pool '%s'; create it with "
                   "-object virtio-dma-pool,id=%s,size=64M", id, id);
    } else if (pool->base == SWIOTLB_CLOSED) {
        error_setg(errp, "swiotlb-pool: machine '%s' has no place for pools; "
                   "use virt of qemu-system-aarch64, or microvm of "
                   "qemu-system-x86_64",
                   MACHINE_GET_CLASS(current_machine)->name);
        pool = NULL;
    }
    return pool;
}

const char *swiotlb_pool_of(BusState *bus)
{
    const char *number = strrchr(bus->name, '.');
    VirtioDMAPool *pool;
    unsigned transport;

    if (!number || qemu_strtoui(number + 1, NULL, 10, &transport) < 0 ||
        transport >= SWIOTLB_TRANSPORTS) {
        return NULL;
    }
    transport_count = MAX(transport_count, transport + 1);
    QSIMPLEQ_FOREACH(pool, &swiotlb_pools, next) {
        if (test_bit(transport, pool->transports)) {
            return swiotlb_pool_id(pool);
        }
    }
    return NULL;
}

void swiotlb_pool_setup(VirtioDMAPool *pool, SwiotlbSetup *setup)
{
    setup->size = pool->size;
    setup->base = pool->base;
    setup->memdev = pool->memdev_id;
    pstrcpy(setup->pool, sizeof(setup->pool), swiotlb_pool_id(pool));
}

bool swiotlb_pool_use_on_pci(VirtioDMAPool *pool, Error **errp)
{
    VirtioDMAPool *other;

    QSIMPLEQ_FOREACH(other, &swiotlb_pools, next) {
        if (other->pci && other != pool) {
            error_setg(errp, "swiotlb-pool: other PCI devices have pool '%s', "
                       "and a guest finds only one for all of them; use '%s' "
                       "here, too", swiotlb_pool_id(other),
                       swiotlb_pool_id(other));
            return false;
        }
    }
    if (!pool->pci && phase_check(PHASE_MACHINE_READY)) {
        error_setg(errp, "swiotlb-pool: no PCI device had a pool when the "
                   "guest started, so it knows of none; give one to a device "
                   "from the start, or use swiotlb=on");
        return false;
    }
    pool->pci = true;
    return true;
}

/* The rest is for the guest, and for alignment. */
static void pools_check_room(uint64_t room)
{
    VirtioDMAPool *pool;
    uint64_t total = 0;

    QSIMPLEQ_FOREACH(pool, &swiotlb_pools, next) {
        /* No sum of these can wrap around: they are mapped memory. */
        total += pool->size;
    }
    if (total > room) {
        error_report("virtio-dma-pool: all pools together have %" PRIu64
                     "M, and this machine has room for %" PRIu64 "M; use "
                     "smaller pools, or a larger -m", total / MiB, room / MiB);
        exit(1);
    }
}

void swiotlb_place_pools(uint64_t base, uint64_t size)
{
    uint64_t top = base + size;
    VirtioDMAPool *pool;

    pools_check_room(size / 4);
    QSIMPLEQ_FOREACH(pool, &swiotlb_pools, next) {
        top = ROUND_DOWN(top - pool->size, pool->size);
        pool->base = top;
        memory_region_add_subregion_overlap(get_system_memory(), top,
                                            &pool->alias, 1);
        trace_swiotlb_pool_place(swiotlb_pool_id(pool), top, pool->size);
    }
}

void swiotlb_reserve_pools(void (*reserve)(uint64_t, uint64_t, uint32_t),
                           uint32_t type)
{
    VirtioDMAPool *pool;

    QSIMPLEQ_FOREACH(pool, &swiotlb_pools, next) {
        reserve(pool->base, pool->size, type);
    }
}

static char *pool_get_memdev(Object *obj, Error **errp)
{
    return g_strdup(VIRTIO_DMA_POOL(obj)->memdev_id);
}

static void pool_set_memdev(Object *obj, const char *value, Error **errp)
{
    VirtioDMAPool *pool = VIRTIO_DMA_POOL(obj);

    if (pool->memdev) {
        error_setg(errp, "virtio-dma-pool: memdev cannot change any more");
        return;
    }
    g_free(pool->memdev_id);
    pool->memdev_id = g_strdup(value);
}

static void pool_get_size(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    visit_type_size(v, name, &VIRTIO_DMA_POOL(obj)->size, errp);
}

static void pool_set_size(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    VirtioDMAPool *pool = VIRTIO_DMA_POOL(obj);
    uint64_t size;

    if (!visit_type_size(v, name, &size, errp)) {
        return;
    }
    if (pool->memdev) {
        error_setg(errp, "virtio-dma-pool: size cannot change any more");
    } else if (!swiotlb_window_size_valid(size)) {
        error_setg(errp, "virtio-dma-pool: size=%" PRIu64 " is not a power of "
                   "two of 1M or more; use for example size=64M", size);
    } else {
        pool->size = size;
    }
}

static void pool_get_transports(Object *obj, Visitor *v, const char *name,
                                void *opaque, Error **errp)
{
    VirtioDMAPool *pool = VIRTIO_DMA_POOL(obj);
    g_autoptr(uint16List) list = NULL;
    uint16List **tail = &list;

    for (unsigned long i = find_first_bit(pool->transports,
                                          SWIOTLB_TRANSPORTS);
         i < SWIOTLB_TRANSPORTS;
         i = find_next_bit(pool->transports, SWIOTLB_TRANSPORTS, i + 1)) {
        QAPI_LIST_APPEND(tail, i);
    }
    visit_type_uint16List(v, name, &list, errp);
}

static void pool_set_transports(Object *obj, Visitor *v, const char *name,
                                void *opaque, Error **errp)
{
    VirtioDMAPool *pool = VIRTIO_DMA_POOL(obj);
    g_autoptr(uint16List) list = NULL;

    if (!visit_type_uint16List(v, name, &list, errp)) {
        return;
    }
    if (pool->memdev) {
        error_setg(errp, "virtio-dma-pool: transports cannot change any more");
        return;
    }
    bitmap_zero(pool->transports, SWIOTLB_TRANSPORTS);
    for (uint16List *entry = list; entry; entry = entry->next) {
        if (test_and_set_bit(entry->value, pool->transports)) {
            error_setg(errp, "virtio-dma-pool: transports names %u twice; "
                       "name each transport once", entry->value);
            return;
        }
    }
}

static void virtio_dma_pool_init(Object *obj)
{
    VIRTIO_DMA_POOL(obj)->base = SWIOTLB_CLOSED;
}

/* Only of a pool without a place: the memory map refers to the others. */
static void virtio_dma_pool_finalize(Object *obj)
{
    VirtioDMAPool *pool = VIRTIO_DMA_POOL(obj);

    if (pool->memdev) {
        QSIMPLEQ_REMOVE(&swiotlb_pools, pool, VirtioDMAPool, next);
        qemu_remove_machine_init_done_notifier(&pool->machine_done);
        swiotlb_migration_remove_ram(swiotlb_pool_ram(pool));
        host_memory_backend_set_mapped(pool->memdev, false);
        object_unref(pool->memdev);
    }
    g_free(pool->memdev_id);
}

static void virtio_dma_pool_class_init(ObjectClass *klass,
                                       SWIOTLB_CLASS_DATA *data)
{
    UserCreatableClass *uc = USER_CREATABLE_CLASS(klass);

    uc->complete = pool_complete;
    uc->can_be_deleted = pool_can_be_deleted;
    object_class_property_add(klass, "size", "size", pool_get_size,
                              pool_set_size, NULL, NULL);
    object_class_property_set_description(klass, "size", "Size of the pool; a "
                                          "power of two, 1 MiB or more");
    object_class_property_add_str(klass, "memdev", pool_get_memdev,
                                  pool_set_memdev);
    object_class_property_set_description(klass, "memdev", "Memory backend to "
                                          "use as the pool");
    object_class_property_add(klass, "transports", "uint16List",
                              pool_get_transports, pool_set_transports, NULL,
                              NULL);
    object_class_property_set_description(klass, "transports", "Numbers N of "
                                          "the transports, with buses "
                                          "virtio-mmio-bus.N, that the pool "
                                          "is for");
}

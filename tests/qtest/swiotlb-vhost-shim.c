/*
 * Stands in for the kernel's vhost and vDPA devices, to see what they get
 *
 * Preloaded into QEMU. It opens devices that the machine need not have, agrees
 * to everything, and writes to a file which memory came: where, how much, and
 * whether the secret of guest RAM or the mark of the window is in it. No data
 * moves.
 *
 *   features HEX               that the driver accepted
 *   table N                    then N times:
 *   region ADDR SIZE SECRET MARK
 *   map ADDR SIZE SECRET MARK  vDPA
 *   unmap ADDR SIZE            vDPA
 *   ring INDEX INSIDE          are its areas inside what came before?
 *   stop INDEX
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include "swiotlb-vhost-shim.h"

#define MAX_FDS         1024
#define MAX_REGIONS     64
#define QUEUE_SIZE      256
/* For more than 64 feature bits, of which most kernels do not know */
#define FEATURES_ARRAY_NR 0x83

static bool is_ours[MAX_FDS];
/* vDPA: the device's id */
static uint32_t is_vdpa[MAX_FDS];
static uint8_t status;

static struct {
    uint64_t addr;
    uint64_t size;
    uint64_t host;
} regions[MAX_REGIONS];
static int nregions;

__attribute__((format(printf, 1, 2)))
static void note(const char *format, ...)
{
    FILE *log = fopen(getenv(SHIM_LOG), "a");
    va_list args;

    if (!log) {
        abort();
    }
    va_start(args, format);
    vfprintf(log, format, args);
    va_end(args);
    fclose(log);
}

static bool holds(uint64_t host, uint64_t size, const char *text)
{
    return memmem((void *)(uintptr_t)host, size, text, strlen(text));
}

static void add_region(const char *what, uint64_t addr, uint64_t size,
                       uint64_t host)
{
    if (nregions == MAX_REGIONS) {
        abort();
    }
    regions[nregions].addr = addr;
    regions[nregions].size = size;
    regions[nregions++].host = host;
    note("%s %llx %llx %d %d\n", what, (unsigned long long)addr,
         (unsigned long long)size, holds(host, size, SHIM_SECRET),
         holds(host, size, SHIM_MARK));
}

static void remove_region(uint64_t addr, uint64_t size)
{
    for (int i = 0; i < nregions; i++) {
        if (regions[i].addr == addr && regions[i].size == size) {
            regions[i] = regions[--nregions];
            break;
        }
    }
    note("unmap %llx %llx\n", (unsigned long long)addr,
         (unsigned long long)size);
}

/* vDPA knows rings by bus address, the others by QEMU's own. */
static bool is_inside(uint64_t where, bool vdpa)
{
    for (int i = 0; i < nregions; i++) {
        uint64_t start = vdpa ? regions[i].addr : regions[i].host;

        if (where >= start && where - start < regions[i].size) {
            return true;
        }
    }
    return false;
}

static void set_table(const struct vhost_memory *table)
{
    nregions = 0;
    note("table %u\n", table->nregions);
    for (uint32_t i = 0; i < table->nregions; i++) {
        add_region("region", table->regions[i].guest_phys_addr,
                   table->regions[i].memory_size,
                   table->regions[i].userspace_addr);
    }
}

static uint64_t offered_features(bool vdpa)
{
    uint64_t features = 1ull << VIRTIO_F_VERSION_1 |
                        1ull << VIRTIO_F_ACCESS_PLATFORM |
                        1ull << VIRTIO_RING_F_INDIRECT_DESC |
                        1ull << VIRTIO_F_ANY_LAYOUT;

    /* A vDPA device of the kernel has no log. */
    return vdpa ? features : features | 1ull << VHOST_F_LOG_ALL;
}

static int vhost_ioctl(int fd, unsigned long request, void *arg)
{
    const struct vhost_vring_addr *ring = arg;
    struct vhost_vring_state *state = arg;
    struct vhost_vdpa_iova_range *range = arg;
    struct vhost_vdpa_config *config = arg;

    if (_IOC_NR(request) == FEATURES_ARRAY_NR) {
        errno = ENOTTY;
        return -1;
    }
    switch (request) {
    case VHOST_GET_FEATURES:
        *(uint64_t *)arg = offered_features(is_vdpa[fd]);
        break;
    case VHOST_SET_FEATURES:
        note("features %llx\n", *(unsigned long long *)arg);
        break;
    case VHOST_GET_BACKEND_FEATURES:
        *(uint64_t *)arg = is_vdpa[fd] ?
            1ull << VHOST_BACKEND_F_IOTLB_MSG_V2 |
            1ull << VHOST_BACKEND_F_SUSPEND : 0;
        break;
    case VHOST_SET_MEM_TABLE:
        set_table(arg);
        break;
    case VHOST_SET_VRING_ADDR:
        note("ring %u %d\n", ring->index,
             is_inside(ring->desc_user_addr, is_vdpa[fd]) &&
             is_inside(ring->avail_user_addr, is_vdpa[fd]) &&
             is_inside(ring->used_user_addr, is_vdpa[fd]));
        break;
    case VHOST_GET_VRING_BASE:
        note("stop %u\n", state->index);
        state->num = 0;
        break;
    case VHOST_SCSI_GET_ABI_VERSION:
        *(int *)arg = VHOST_SCSI_ABI_VERSION;
        break;
    case VHOST_VDPA_GET_DEVICE_ID:
        *(uint32_t *)arg = is_vdpa[fd];
        break;
    case VHOST_VDPA_GET_VRING_NUM:
        *(uint16_t *)arg = QUEUE_SIZE;
        break;
    case VHOST_VDPA_GET_VQS_COUNT:
        *(uint32_t *)arg = is_vdpa[fd] == VIRTIO_ID_NET ? 2 : 1;
        break;
    case VHOST_VDPA_GET_CONFIG_SIZE:
        *(uint32_t *)arg = 64;
        break;
    case VHOST_VDPA_GET_CONFIG:
        memset(config->buf, 0, config->len);
        break;
    case VHOST_VDPA_GET_IOVA_RANGE:
        range->first = 0;
        range->last = UINT64_MAX;
        break;
    case VHOST_VDPA_GET_STATUS:
        *(uint8_t *)arg = status;
        break;
    case VHOST_VDPA_SET_STATUS:
        status = *(uint8_t *)arg;
        break;
    }
    return 0;
}

static int tun_ioctl(unsigned long request, void *arg)
{
    if (request == TUNGETIFF) {
        ((struct ifreq *)arg)->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    }
    return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list args;
    void *arg;

    va_start(args, request);
    arg = va_arg(args, void *);
    va_end(args);

    if (fd >= 0 && fd < MAX_FDS && is_ours[fd]) {
        return vhost_ioctl(fd, request, arg);
    }
    if (_IOC_TYPE(request) == 'T' && _IOC_NR(request) >= 200) {
        return tun_ioctl(request, arg);
    }
    if (!real) {
        real = dlsym(RTLD_NEXT, "ioctl");
    }
    return real(fd, request, arg);
}

static int open_device(const char *path)
{
    static const struct {
        const char *path;
        uint32_t vdpa;
    } devices[] = {
        { "/dev/vhost-net" },
        { "/dev/vhost-scsi" },
        { "/dev/vhost-vsock" },
        { SHIM_VDPA_BLK, VIRTIO_ID_BLOCK },
        { SHIM_VDPA_NET, VIRTIO_ID_NET },
    };

    for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++) {
        if (strcmp(path, devices[i].path) == 0) {
            int fd = openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);

            if (fd < 0 || fd >= MAX_FDS) {
                abort();
            }
            is_ours[fd] = true;
            is_vdpa[fd] = devices[i].vdpa;
            return fd;
        }
    }
    return -1;
}

/* As QEMU calls it: files are large. */
int open(const char *path, int flags, ...)
{
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
    int fd = open_device(path);
    mode_t mode = 0;

    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list args;

        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    return fd >= 0 ? fd : real(path, flags, mode);
}

int close(int fd)
{
    static int (*real)(int);

    if (!real) {
        real = dlsym(RTLD_NEXT, "close");
    }
    if (fd >= 0 && fd < MAX_FDS) {
        is_ours[fd] = false;
        is_vdpa[fd] = 0;
    }
    return real(fd);
}

/* vDPA: the IOTLB, one message at a time */
ssize_t write(int fd, const void *buf, size_t count)
{
    static ssize_t (*real)(int, const void *, size_t);
    const struct vhost_msg_v2 *msg = buf;

    if (!real) {
        real = dlsym(RTLD_NEXT, "write");
    }
    if (fd < 0 || fd >= MAX_FDS || !is_vdpa[fd] || count != sizeof(*msg)) {
        return real(fd, buf, count);
    }
    if (msg->iotlb.type == VHOST_IOTLB_UPDATE) {
        add_region("map", msg->iotlb.iova, msg->iotlb.size, msg->iotlb.uaddr);
    } else if (msg->iotlb.type == VHOST_IOTLB_INVALIDATE) {
        remove_region(msg->iotlb.iova, msg->iotlb.size);
    }
    return count;
}

/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a BAR's memory and a pool's are asked alike
 */

#include "qemu/osdep.h"
#include <sys/resource.h>
#include "hw/virtio/swiotlb.h"

HostMemoryBackend *swiotlb_memdev_find(const char *id)
{
    Object *memdev = object_resolve_path_component(object_get_objects_root(),
                                                   id);

    return (HostMemoryBackend *)object_dynamic_cast(memdev,
                                                    TYPE_MEMORY_BACKEND);
}

bool swiotlb_file_fits(uint64_t size, uint64_t *most)
{
    struct rlimit limit;

    *most = getrlimit(RLIMIT_FSIZE, &limit) ? UINT64_MAX : limit.rlim_cur;
    return size <= *most;
}

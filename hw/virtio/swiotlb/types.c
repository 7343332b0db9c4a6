/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Device types that cannot work with a window
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/virtio/swiotlb.h"

/* Object types whose job the window would take away, and what to say */
static const struct {
    const char *type_prefix;
    const char *reason;
    const char *instead;
} unsupported[] = {
    { "virtio-balloon", "its job is guest memory itself",
      "set swiotlb=off, or size the guest with pc-dimm" },
    { "virtio-iommu", "its job is guest memory itself",
      "set swiotlb=off, or use intel-iommu" },
    { "virtio-mem", "its job is guest memory itself",
      "set swiotlb=off, or size the guest with pc-dimm" },
    { "virtio-pmem", "its job is guest memory itself",
      "set swiotlb=off, or use virtio-blk-pci" },
    { "virtio-gpu-gl", "its 3D renderer is not held to the window",
      "use virtio-gpu-pci or virtio-vga" },
    { "virtio-gpu-rutabaga", "its 3D renderer is not held to the window",
      "use virtio-gpu-pci or virtio-vga" },
};

/* Properties, on when not zero, of types that work without them */
static const struct {
    const char *property;
    const char *reason;
} unsupported_properties[] = {
    { "blob", "blob resources are shared with the display by other ways than "
      "the window" },
    { "hostmem", "it shows the guest memory that is not in the window" },
    { "venus", "its 3D renderer is not held to the window" },
};

const char *swiotlb_refused_type(Object *vdev, const char **instead)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(unsupported); i++) {
        if (g_str_has_prefix(object_get_typename(vdev),
                             unsupported[i].type_prefix)) {
            *instead = unsupported[i].instead;
            return unsupported[i].reason;
        }
    }
    return NULL;
}

/* A boolean or a size */
static bool swiotlb_has_property(Object *obj, const char *name)
{
    ObjectProperty *property = object_property_find(obj, name);

    if (!property) {
        return false;
    }
    return g_str_equal(property->type, "bool") ?
           object_property_get_bool(obj, name, &error_abort) :
           object_property_get_uint(obj, name, &error_abort);
}

const char *swiotlb_refused_property(Object *vdev, const char **name)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(unsupported_properties); i++) {
        *name = unsupported_properties[i].property;
        if (swiotlb_has_property(vdev, *name)) {
            return unsupported_properties[i].reason;
        }
    }
    return NULL;
}

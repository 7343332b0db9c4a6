/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu_swiotlb.c: which devices of QEMU can have a window
 */

#include <config.h>

#include "qemu_swiotlb.h"
#include "virerror.h"

#define VIR_FROM_THIS VIR_FROM_QEMU

/* What QEMU accepts */
#define SWIOTLB_SIZE_MIN (1ULL << 20)


static bool
qemuSwiotlbControllerIsVirtio(const virDomainControllerDef *controller)
{
    if (controller->type == VIR_DOMAIN_CONTROLLER_TYPE_VIRTIO_SERIAL) {
        return true;
    }

    if (controller->type != VIR_DOMAIN_CONTROLLER_TYPE_SCSI) {
        return false;
    }

    switch (controller->model) {
    case VIR_DOMAIN_CONTROLLER_MODEL_SCSI_VIRTIO_SCSI:
    case VIR_DOMAIN_CONTROLLER_MODEL_SCSI_VIRTIO_TRANSITIONAL:
    case VIR_DOMAIN_CONTROLLER_MODEL_SCSI_VIRTIO_NON_TRANSITIONAL:
        return true;

    default:
        return false;
    }
}


/*
 * libvirt reads <driver> of these devices whether or not they are virtio, and
 * ignores it if they are not. A window must not be ignored.
 */
static const virDomainVirtioOptions *
qemuSwiotlbGetOptions(const virDomainDeviceDef *dev,
                      bool *isVirtio)
{
    const virDomainNetDef *net = dev->data.net;
    const virDomainMemballoonDef *balloon = dev->data.memballoon;

    *isVirtio = true;

    switch (dev->type) {
    case VIR_DOMAIN_DEVICE_DISK:
        *isVirtio = dev->data.disk->bus == VIR_DOMAIN_DISK_BUS_VIRTIO;
        return dev->data.disk->virtio;

    case VIR_DOMAIN_DEVICE_NET:
        *isVirtio = virDomainNetIsVirtioModel(net) &&
                    net->type != VIR_DOMAIN_NET_TYPE_HOSTDEV;
        return net->virtio;

    case VIR_DOMAIN_DEVICE_CONTROLLER:
        *isVirtio = qemuSwiotlbControllerIsVirtio(dev->data.controller);
        return dev->data.controller->virtio;

    case VIR_DOMAIN_DEVICE_INPUT:
        *isVirtio = dev->data.input->bus == VIR_DOMAIN_INPUT_BUS_VIRTIO;
        return dev->data.input->virtio;

    case VIR_DOMAIN_DEVICE_VIDEO:
        *isVirtio = dev->data.video->type == VIR_DOMAIN_VIDEO_TYPE_VIRTIO;
        return dev->data.video->virtio;

    case VIR_DOMAIN_DEVICE_MEMBALLOON:
        *isVirtio = balloon->model != VIR_DOMAIN_MEMBALLOON_MODEL_NONE;
        return balloon->virtio;

    case VIR_DOMAIN_DEVICE_FS:
        return dev->data.fs->virtio;

    case VIR_DOMAIN_DEVICE_RNG:
        return dev->data.rng->virtio;

    case VIR_DOMAIN_DEVICE_VSOCK:
        return dev->data.vsock->virtio;

    default:
        return NULL;
    }
}


/* An address that is still to be chosen will be one that is supported. */
static bool
qemuSwiotlbAddressIsPCI(const virDomainDeviceDef *dev)
{
    const virDomainDeviceInfo *info = virDomainDeviceGetInfo(dev);

    return info->type == VIR_DOMAIN_DEVICE_ADDRESS_TYPE_NONE ||
           info->type == VIR_DOMAIN_DEVICE_ADDRESS_TYPE_UNASSIGNED ||
           info->type == VIR_DOMAIN_DEVICE_ADDRESS_TYPE_PCI;
}


int
qemuValidateSwiotlb(const virDomainDeviceDef *dev,
                    virQEMUCaps *qemuCaps)
{
    bool isVirtio = false;
    const virDomainVirtioOptions *options;
    const virDomainSwiotlb *swiotlb;

    options = qemuSwiotlbGetOptions(dev, &isVirtio);
    if (!options) {
        return 0;
    }
    swiotlb = &options->swiotlb;

    if (!isVirtio || !qemuSwiotlbAddressIsPCI(dev)) {
        return virDomainSwiotlbCheckAbsent(swiotlb);
    }

    if (swiotlb->enabled != VIR_TRISTATE_SWITCH_ON &&
        (swiotlb->size != 0 ||
         swiotlb->required != VIR_TRISTATE_SWITCH_ABSENT)) {
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                       _("%s driver option needs swiotlb='on' beside it"),
                       swiotlb->size != 0 ? "swiotlbSize" : "swiotlbRequired");
        return -1;
    }

    if (swiotlb->size != 0 &&
        (swiotlb->size < SWIOTLB_SIZE_MIN || !VIR_IS_POW2(swiotlb->size))) {
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                       _("swiotlbSize driver option '%llu' is not a power of "
                         "two of 1048576 bytes or more; use for example "
                         "swiotlbSize='67108864', which is 64 MiB"),
                       swiotlb->size);
        return -1;
    }

    if (swiotlb->enabled != VIR_TRISTATE_SWITCH_ABSENT &&
        !virQEMUCapsGet(qemuCaps, QEMU_CAPS_VIRTIO_SWIOTLB)) {
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                       _("swiotlb driver option is not supported with the "
                         "QEMU binary %s; name one of virtio-swiotlb in "
                         "<emulator>"),
                       virQEMUCapsGetBinary(qemuCaps));
        return -1;
    }

    return 0;
}


bool
qemuSwiotlbDiskChangeSupported(const virDomainDiskDef *disk,
                               const virDomainDiskDef *orig_disk)
{
    static const virDomainVirtioOptions none;
    const virDomainVirtioOptions *new = disk->virtio;
    const virDomainVirtioOptions *old = orig_disk->virtio;

    /* What is not said stays, as with other fields of a disk. */
    if (!new || virDomainSwiotlbIsEqual(&new->swiotlb, &none.swiotlb)) {
        return true;
    }

    if (!virDomainSwiotlbIsEqual(&new->swiotlb,
                                 old ? &old->swiotlb : &none.swiotlb)) {
        virReportError(VIR_ERR_OPERATION_UNSUPPORTED,
                       _("cannot modify field '%s' of the disk"),
                       "driver swiotlb");
        return false;
    }

    return true;
}

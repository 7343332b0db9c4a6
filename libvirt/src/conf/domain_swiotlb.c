/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain_swiotlb.c: the window of a virtio device, as attributes of <driver>
 */

#include <config.h>

#include "domain_swiotlb.h"
#include "virerror.h"

#define VIR_FROM_THIS VIR_FROM_DOMAIN


int
virDomainSwiotlbParseXML(xmlNodePtr driver,
                         virDomainSwiotlb *swiotlb)
{
    if (virXMLPropTristateSwitch(driver, "swiotlb", VIR_XML_PROP_NONE,
                                 &swiotlb->enabled) < 0) {
        return -1;
    }

    if (virXMLPropULongLong(driver, "swiotlbSize", 10, VIR_XML_PROP_NONZERO,
                            &swiotlb->size) < 0) {
        return -1;
    }

    if (virXMLPropTristateSwitch(driver, "swiotlbRequired", VIR_XML_PROP_NONE,
                                 &swiotlb->required) < 0) {
        return -1;
    }

    return 0;
}


void
virDomainSwiotlbFormat(virBuffer *buf,
                       const virDomainSwiotlb *swiotlb)
{
    if (swiotlb->enabled != VIR_TRISTATE_SWITCH_ABSENT) {
        virBufferAsprintf(buf, " swiotlb='%s'",
                          virTristateSwitchTypeToString(swiotlb->enabled));
    }
    if (swiotlb->size != 0) {
        virBufferAsprintf(buf, " swiotlbSize='%llu'", swiotlb->size);
    }
    if (swiotlb->required != VIR_TRISTATE_SWITCH_ABSENT) {
        virBufferAsprintf(buf, " swiotlbRequired='%s'",
                          virTristateSwitchTypeToString(swiotlb->required));
    }
}


int
virDomainSwiotlbCheckAbsent(const virDomainSwiotlb *swiotlb)
{
    const char *name = NULL;

    if (swiotlb->enabled != VIR_TRISTATE_SWITCH_ABSENT) {
        name = "swiotlb";
    } else if (swiotlb->size != 0) {
        name = "swiotlbSize";
    } else if (swiotlb->required != VIR_TRISTATE_SWITCH_ABSENT) {
        name = "swiotlbRequired";
    }

    if (name) {
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                       _("%s driver option is only supported for virtio "
                         "devices on PCI; drop it"),
                       name);
        return -1;
    }

    return 0;
}


static bool
virDomainSwiotlbCheckSwitch(const char *name,
                            virTristateSwitch src,
                            virTristateSwitch dst)
{
    if (src != dst) {
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                       _("Target device %s option '%s' does not match "
                         "source '%s'"),
                       name, virTristateSwitchTypeToString(dst),
                       virTristateSwitchTypeToString(src));
        return false;
    }

    return true;
}


bool
virDomainSwiotlbCheckABIStability(const virDomainSwiotlb *src,
                                  const virDomainSwiotlb *dst)
{
    if (src->size != dst->size) {
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                       _("Target device swiotlbSize option '%llu' does not "
                         "match source '%llu'"),
                       dst->size, src->size);
        return false;
    }

    return virDomainSwiotlbCheckSwitch("swiotlb", src->enabled,
                                       dst->enabled) &&
           virDomainSwiotlbCheckSwitch("swiotlbRequired", src->required,
                                       dst->required);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain_swiotlb.h: the window of a virtio device, as attributes of <driver>
 *
 * A virtio device with a window reaches nothing else of the guest's memory.
 * The guest sees the window as a BAR, so all of it is part of its ABI.
 */

#ifndef DOMAIN_SWIOTLB_H
#define DOMAIN_SWIOTLB_H

#include "virbuffer.h"
#include "virenum.h"
#include "virxml.h"

typedef struct _virDomainSwiotlb virDomainSwiotlb;
struct _virDomainSwiotlb {
    virTristateSwitch enabled;  /* swiotlb */
    unsigned long long size;    /* swiotlbSize in bytes, 0 for QEMU's default */
    virTristateSwitch required; /* swiotlbRequired */
};

static inline bool
virDomainSwiotlbIsEqual(const virDomainSwiotlb *a,
                        const virDomainSwiotlb *b)
{
    return a->enabled == b->enabled &&
           a->size == b->size &&
           a->required == b->required;
}

int virDomainSwiotlbParseXML(xmlNodePtr driver,
                             virDomainSwiotlb *swiotlb);

void virDomainSwiotlbFormat(virBuffer *buf,
                            const virDomainSwiotlb *swiotlb);

/* Returns 0 if none of the attributes is there, else -1 with an error. */
int virDomainSwiotlbCheckAbsent(const virDomainSwiotlb *swiotlb);

bool virDomainSwiotlbCheckABIStability(const virDomainSwiotlb *src,
                                       const virDomainSwiotlb *dst);

#endif /* DOMAIN_SWIOTLB_H */

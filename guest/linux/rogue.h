/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attacks for tests, which an ordinary build of the module does not contain
 * (see rogue.c). Each function says whether it took the matter over.
 */
#ifndef VIRTIO_SWIOTLB_ROGUE_H
#define VIRTIO_SWIOTLB_ROGUE_H

#include <linux/pci.h>

#include "virtio_swiotlb.h"

#ifdef CONFIG_VIRTIO_SWIOTLB_ROGUE
/* Takes nothing over, but puts other bytes into what was read. */
void vsw_rogue_config(struct pci_dev *pdev, u8 *config);
bool vsw_rogue_map(struct vsw_device *vd, phys_addr_t buffer, size_t size,
		   enum dma_data_direction dir);
bool vsw_rogue_unmap(struct vsw_device *vd, dma_addr_t addr);
void *vsw_rogue_alloc(struct vsw_device *vd, size_t size, dma_addr_t *addr,
		      gfp_t gfp);
bool vsw_rogue_free(struct vsw_device *vd, size_t size, void *mem,
		    dma_addr_t addr);
#else
static inline void vsw_rogue_config(struct pci_dev *pdev, u8 *config)
{
}

static inline bool vsw_rogue_map(struct vsw_device *vd, phys_addr_t buffer,
				 size_t size, enum dma_data_direction dir)
{
	return false;
}

static inline bool vsw_rogue_unmap(struct vsw_device *vd, dma_addr_t addr)
{
	return false;
}

static inline void *vsw_rogue_alloc(struct vsw_device *vd, size_t size,
				    dma_addr_t *addr, gfp_t gfp)
{
	return NULL;
}

static inline bool vsw_rogue_free(struct vsw_device *vd, size_t size, void *mem,
				  dma_addr_t addr)
{
	return false;
}
#endif

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Trace events of the DMA operations. Off, they cost a nop each. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM virtio_swiotlb

#if !defined(VIRTIO_SWIOTLB_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VIRTIO_SWIOTLB_TRACE_H

#include <linux/tracepoint.h>

#include "virtio_swiotlb.h"

#define show_direction(dir)					\
	__print_symbolic(dir,					\
			 { DMA_BIDIRECTIONAL, "both ways" },	\
			 { DMA_TO_DEVICE, "to device" },	\
			 { DMA_FROM_DEVICE, "from device" },	\
			 { DMA_NONE, "ring" })

/* @addr is the device's, in the window; @buffer the guest's. */
DECLARE_EVENT_CLASS(vsw_slot,
	TP_PROTO(const struct vsw_device *vd, dma_addr_t addr,
		 phys_addr_t buffer, size_t size, enum dma_data_direction dir),
	TP_ARGS(vd, addr, buffer, size, dir),
	TP_STRUCT__entry(
		__field(u64, addr)
		__field(u64, buffer)
		__field(size_t, size)
		__field(int, device)
		__field(int, dir)
	),
	TP_fast_assign(
		__entry->addr = addr;
		__entry->buffer = buffer;
		__entry->size = size;
		__entry->device = vd->vdev->index;
		__entry->dir = dir;
	),
	TP_printk("virtio%d addr=%#llx buffer=%#llx size=%zu %s",
		  __entry->device, __entry->addr, __entry->buffer,
		  __entry->size, show_direction(__entry->dir))
);

#define DEFINE_SLOT_EVENT(name)						\
DEFINE_EVENT(vsw_slot, name,						\
	TP_PROTO(const struct vsw_device *vd, dma_addr_t addr,		\
		 phys_addr_t buffer, size_t size,			\
		 enum dma_data_direction dir),				\
	TP_ARGS(vd, addr, buffer, size, dir))

DEFINE_SLOT_EVENT(vsw_map);
DEFINE_SLOT_EVENT(vsw_unmap);
DEFINE_SLOT_EVENT(vsw_sync_for_cpu);
DEFINE_SLOT_EVENT(vsw_sync_for_device);

/* There was no room for so much. */
TRACE_EVENT(vsw_full,
	TP_PROTO(const struct vsw_device *vd, size_t size,
		 enum dma_data_direction dir),
	TP_ARGS(vd, size, dir),
	TP_STRUCT__entry(
		__field(size_t, size)
		__field(int, device)
		__field(int, dir)
	),
	TP_fast_assign(
		__entry->size = size;
		__entry->device = vd->vdev->index;
		__entry->dir = dir;
	),
	TP_printk("virtio%d size=%zu %s", __entry->device, __entry->size,
		  show_direction(__entry->dir))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

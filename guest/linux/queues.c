// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shortens the queues of an attached device to what its window can hold.
 *
 * A driver that finds its ring full waits for the device, as it should. Not
 * every driver does so when the window is full: virtio_console gives the port
 * up, 9p reports an I/O error, and the first receive queue of a network device
 * leaves nothing to the others. So the ring has to be full first.
 *
 * With a packed ring it is worse: virtio_ring takes a failed mapping for an I/O
 * error, and leaves descriptors behind that the device will take for new ones.
 * A packed ring is accepted only where a full ring of the largest requests is
 * sure to fit the window.
 */
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/pipe_fs_i.h>
#include <linux/sizes.h>
#include <linux/skbuff.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <uapi/linux/virtio_net.h>

#include "virtio_swiotlb.h"

#define RING_ENTRY	32

/*
 * virtio_net fills a receive ring again when more than 32 entries are empty, or
 * half of them. A device that has a packet of 64 KiB waits until it fits into
 * the others, 1.5 KiB each: for ever, if the ring is shorter than this.
 */
#define NET_RECEIVE_LARGE	128

/*
 * What an entry holds of the window, at all times or (packed) at worst, and the
 * entries that a queue cannot do without. Network and console queues come in
 * pairs; the cost is the mean of both. Without indirect tables a request takes
 * an entry for each of its segments: the most of them, or 0 where that depends
 * on the length of the ring.
 */
static const struct need {
	u32 id;
	size_t cost;
	size_t packed_cost;
	unsigned int least;
	unsigned int segments;
} needs[] = {
	/* Receive: a packet. Send: 64 KiB in 18 pieces of whole blocks each. */
	{ VIRTIO_ID_NET, SZ_1K, SZ_64K + SZ_8K, 32, MAX_SKB_FRAGS + 2 },
	/* Receive: a page. Send: 32 KiB, or what a pipe holds. */
	{ VIRTIO_ID_CONSOLE, SZ_2K, SZ_16K + SZ_4K, 4, PIPE_DEF_BUFFERS },
	/* A message of up to 1 MiB, as chosen at mount time */
	{ VIRTIO_ID_9P, SZ_1M, SZ_1M, 4 },
	{ VIRTIO_ID_BLOCK, SZ_4K, 2 * VSW_PACKED_REQUEST, 4 },
	{ VIRTIO_ID_SCSI, SZ_4K, 2 * VSW_PACKED_REQUEST, 4 },
	{ VIRTIO_ID_RNG, SZ_4K, SZ_4K, 4, 1 },
	{ 0, SZ_4K, SZ_64K, 4 },
};

/* Messages for all ports come at once, and those without a buffer are lost. */
#define CONSOLE_CONTROL	64

static const struct need *need_of(struct virtio_device *vdev)
{
	const struct need *need = needs;

	while (need->id && need->id != vdev->id.device)
		need++;
	return need;
}

static size_t packed_cost(struct virtio_device *vdev, const struct need *need)
{
	/* Else each entry that receives has room for the largest packet. */
	if (vdev->id.device == VIRTIO_ID_NET &&
	    __virtio_test_bit(vdev, VIRTIO_NET_F_MRG_RXBUF))
		return (PAGE_SIZE + need->packed_cost) / 2;
	return need->packed_cost;
}

/* The entries of each of so many queues for which the window has room */
static size_t room(struct vsw_device *vd, unsigned int queues)
{
	const struct need *need = need_of(vd->vdev);
	size_t size = vd->share / queues;

	if (__virtio_test_bit(vd->vdev, VIRTIO_F_RING_PACKED))
		return size / 2 / packed_cost(vd->vdev, need);
	return min(size / 4 * 3 / need->cost, size / 8 / RING_ENTRY);
}

unsigned int vsw_queue_limit(struct vsw_device *vd, unsigned int queues,
			     unsigned int index)
{
	const struct need *need = need_of(vd->vdev);
	size_t least = need->least;

	if (!__virtio_test_bit(vd->vdev, VIRTIO_RING_F_INDIRECT_DESC))
		least = max_t(size_t, least,
			      roundup_pow_of_two(need->segments));
	if (vd->vdev->id.device == VIRTIO_ID_CONSOLE &&
	    (index == 2 || index == 3))
		least = CONSOLE_CONTROL;
	return rounddown_pow_of_two(max(room(vd, queues), least));
}

/*
 * QEMU gives a network device more than one pair of queues when the feature is
 * accepted. 0: unknown
 */
static unsigned int count_queues(struct vsw_device *vd)
{
	unsigned int queues = vd->source->count_queues(vd);
	struct virtio_device *vdev = vd->vdev;
	__le16 pairs = 0;

	if (vdev->id.device == VIRTIO_ID_NET &&
	    (__virtio_test_bit(vdev, VIRTIO_NET_F_MQ) ||
	     __virtio_test_bit(vdev, VIRTIO_NET_F_RSS)))
		vd->stock_config->get(vdev,
				      offsetof(struct virtio_net_config,
					       max_virtqueue_pairs),
				      &pairs, sizeof(pairs));
	return queues ? max(queues, 2 * le16_to_cpu(pairs) + 1U) : 0;
}

static void negotiate_packed(struct vsw_device *vd)
{
	struct virtio_device *vdev = vd->vdev;
	unsigned int queues;

	if (!__virtio_test_bit(vdev, VIRTIO_F_RING_PACKED))
		return;
	if (!vd->source->shortens_packed) {
		__virtio_clear_bit(vdev, VIRTIO_F_RING_PACKED);
		dev_info(&vdev->dev,
			 "split rings in place of packed ones, whose length this transport cannot change\n");
		return;
	}
	queues = count_queues(vd);
	if (!queues || !__virtio_test_bit(vdev, VIRTIO_RING_F_INDIRECT_DESC) ||
	    room(vd, queues) < need_of(vdev)->least) {
		__virtio_clear_bit(vdev, VIRTIO_F_RING_PACKED);
		dev_info(&vdev->dev,
			 "split rings in place of packed ones, which take a window larger than %zu KiB (%s) and indirect tables\n",
			 vd->window.size >> 10, vd->source->size_option);
	}
}

static void negotiate_large_packets(struct vsw_device *vd)
{
	static const unsigned int large[] = {
		VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_TSO6,
		VIRTIO_NET_F_GUEST_ECN, VIRTIO_NET_F_GUEST_UFO,
		VIRTIO_NET_F_GUEST_USO4, VIRTIO_NET_F_GUEST_USO6,
#ifdef VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO
		VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO,
		VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_CSUM,
#endif
	};
	struct virtio_device *vdev = vd->vdev;
	unsigned int i, queues;
	bool any = false;

	if (vdev->id.device != VIRTIO_ID_NET ||
	    !__virtio_test_bit(vdev, VIRTIO_NET_F_MRG_RXBUF))
		return;
	queues = count_queues(vd);
	if (!queues || vsw_queue_limit(vd, queues, 0) >= NET_RECEIVE_LARGE)
		return;
	for (i = 0; i < ARRAY_SIZE(large); i++) {
		any |= __virtio_test_bit(vdev, large[i]);
		__virtio_clear_bit(vdev, large[i]);
	}
	if (any)
		dev_info(&vdev->dev,
			 "no packets larger than the MTU are received, which take a window larger than %zu KiB (%s)\n",
			 vd->window.size >> 10, vd->source->size_option);
}

/* Decides, before the features are written, on what takes much of the window. */
void vsw_queues_negotiate(struct vsw_device *vd)
{
	negotiate_packed(vd);
	negotiate_large_packets(vd);
}

void vsw_queues_fit(struct vsw_device *vd)
{
	unsigned int queues, shortened;

	if (!__virtio_test_bit(vd->vdev, VIRTIO_RING_F_INDIRECT_DESC) &&
	    !need_of(vd->vdev)->segments)
		return;
	queues = count_queues(vd);
	if (!queues)
		return;
	shortened = vd->source->shorten_queues(vd, queues);
	if (shortened)
		dev_info(&vd->vdev->dev,
			 "%u of %u queues shortened to fit the window of %zu KiB\n",
			 shortened, queues, vd->window.size >> 10);
}

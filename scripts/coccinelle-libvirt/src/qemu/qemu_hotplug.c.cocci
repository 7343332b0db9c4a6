// SPDX-License-Identifier: GPL-2.0-or-later
//
// The window of a network device that runs cannot change.

// hunks: 1
@change@
expression X, Y;
@@
- X->virtio->page_per_vq != Y->virtio->page_per_vq
+ X->virtio->page_per_vq != Y->virtio->page_per_vq ||
+ !virDomainSwiotlbIsEqual(&X->virtio->swiotlb, &Y->virtio->swiotlb)

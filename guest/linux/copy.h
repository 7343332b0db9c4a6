/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies between a window and buffers of the guest, which do not overlap. */
#ifndef VIRTIO_SWIOTLB_COPY_H
#define VIRTIO_SWIOTLB_COPY_H

#include <linux/types.h>

#include "compat.h"

/* Up to here loops are faster: string instructions take longer to start. */
#define VSW_SHORT	256

#define VSW_WORD	((ptrdiff_t)sizeof(u64))

static __always_inline void vsw_copy_word(u8 *to, const u8 *from)
{
	put_unaligned(get_unaligned((const u64 *)from), (u64 *)to);
}

static __always_inline void vsw_copy_words(u8 *to, const u8 *from, size_t size)
{
	const u8 *last = from + size - VSW_WORD;

	while (last - from >= 3 * VSW_WORD) {
		vsw_copy_word(to, from);
		vsw_copy_word(to + VSW_WORD, from + VSW_WORD);
		vsw_copy_word(to + 2 * VSW_WORD, from + 2 * VSW_WORD);
		vsw_copy_word(to + 3 * VSW_WORD, from + 3 * VSW_WORD);
		from += 4 * VSW_WORD;
		to += 4 * VSW_WORD;
	}
	for (; from < last; from += VSW_WORD, to += VSW_WORD)
		vsw_copy_word(to, from);
	/* It may begin inside the one before. */
	vsw_copy_word(to + (last - from), last);
}

void vsw_copy_long(u8 *to, const u8 *from, size_t size);

static __always_inline void vsw_copy(u8 *to, const u8 *from, size_t size)
{
	if (size > VSW_SHORT)
		vsw_copy_long(to, from, size);
	else if (size >= VSW_WORD)
		vsw_copy_words(to, from, size);
	else
		while (size--)
			WRITE_ONCE(*to++, *from++);
}

#endif

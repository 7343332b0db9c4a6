// SPDX-License-Identifier: GPL-2.0-only
#include <linux/string.h>

#include "copy.h"

void vsw_copy_long(u8 *to, const u8 *from, size_t size)
{
	if (vsw_memcpy_is_fast())
		memcpy(to, from, size);
	else
		vsw_copy_words(to, from, size);
}

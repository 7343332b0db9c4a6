// SPDX-License-Identifier: GPL-2.0-or-later
//
// A pool may be made of a memory backend, which has to be there before it.

// hunks: 1
@late_pools@
identifier T;
@@
object_create_early(const char *T)
{
<...
- g_str_has_prefix(T, "memory-backend-")
+ g_str_has_prefix(T, "memory-backend-") || g_str_equal(T, "virtio-dma-pool")
...>
}

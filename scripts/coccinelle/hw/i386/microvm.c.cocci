// SPDX-License-Identifier: GPL-2.0-or-later
//
// Pools have a place in the machine, which the table of memory reserves.

// Transports look for their pools as soon as they are made. Kernel and initrd
// lie at the two ends of low memory.
// hunks: 1
@place_pools@
identifier M;
@@
microvm_devices_init(...)
{
<...
  M->virtio_num_transports = 8;
+ swiotlb_place_pools(0, x86ms->below_4g_mem_size / 2);
...>
}

// hunks: 1
@reserve_pools@
expression F;
@@
microvm_machine_done(...)
{
<...
+ swiotlb_reserve_pools(e820_add_entry, E820_RESERVED);
  fw_cfg_add_e820(F);
...>
}

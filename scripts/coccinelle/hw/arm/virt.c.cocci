// SPDX-License-Identifier: GPL-2.0-or-later
//
// Pools have a place in the machine, and its devicetree says where.

// Transports look for their pools as soon as they are made.
// hunks: 1
@place_pools@
identifier M;
@@
create_virtio_devices(...)
{
...
MachineState *M = MACHINE(vms);
+ swiotlb_place_pools(vms->memmap[VIRT_MEM].base, M->ram_size);
...
}

// hunks: 1
@describe_pools@
expression T, I, L, A, M, C;
statement S;
@@
virt_machine_done(...)
{
<...
+ swiotlb_describe_pools(M->fdt);
  if (arm_load_dtb(T, I, L, A, M, C) < 0) S
...>
}

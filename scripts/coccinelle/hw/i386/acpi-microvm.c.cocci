// SPDX-License-Identifier: GPL-2.0-or-later
//
// ACPI says where pools are, and which transport has which.

// hunks: 1
@describe_pools@
expression M;
@@
build_dsdt_microvm(...)
{
<...
+ swiotlb_acpi_describe_pools(sb_scope);
  acpi_dsdt_add_virtio(sb_scope, M);
...>
}

// A transport without a pool is what it always was.
// hunks: 1
@describe_transport@
expression S, B, Z, I, N;
@@
acpi_dsdt_add_virtio(...)
{
<...
+ if (swiotlb_acpi_describe_transport(S, mmio, B, Z, I, N)) {
+     continue;
+ }
  virtio_acpi_dsdt_add(S, B, Z, I, N, 1);
...>
}

// SPDX-License-Identifier: GPL-2.0-or-later
//
// The attributes of the window are read, written and compared where those of
// all virtio devices are.

// hunks: 1
@parse@
identifier D, V;
statement S;
@@
virDomainVirtioOptionsParseXML(...)
{
<...
  if (virXMLPropTristateSwitch(D, "page_per_vq", VIR_XML_PROP_NONE,
                               &(*V)->page_per_vq) < 0) S
+ if (virDomainSwiotlbParseXML(D, &(*V)->swiotlb) < 0)
+     return -1;
...>
}

// hunks: 1
@format@
identifier V;
statement S;
@@
virDomainVirtioOptionsFormat(...)
{
<...
  if (V->page_per_vq != VIR_TRISTATE_SWITCH_ABSENT) S
+ virDomainSwiotlbFormat(buf, &V->swiotlb);
...>
}

// A guest that is restored or migrated keeps its windows as they are.
// hunks: 1
@compare@
identifier X, Y;
statement S;
@@
virDomainVirtioOptionsCheckABIStability(...)
{
<...
  if (X->page_per_vq != Y->page_per_vq) S
+ if (!virDomainSwiotlbCheckABIStability(&X->swiotlb, &Y->swiotlb))
+     return false;
...>
}

/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Macros of libvirt that spatch cannot parse. Without them it silently skips
 * the functions that use them.
 */

#define g_autofree
#define g_auto(type) type
#define g_autoptr(type) type *

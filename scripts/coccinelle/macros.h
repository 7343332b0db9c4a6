/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Macros of QEMU that spatch cannot parse, besides scripts/cocci-macro-file.h.
 * Without them it silently skips the functions that use them.
 */

#define QEMU_UNINITIALIZED
#define RCU_READ_LOCK_GUARD()
#define WITH_RCU_READ_LOCK_GUARD()
#define QEMU_LOCK_GUARD(x)
#define WITH_QEMU_LOCK_GUARD(x)
#define G_GNUC_PRINTF(a, b)
#define coroutine_mixed_fn
#define g_autofree

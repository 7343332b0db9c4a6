/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What capability.c uses of the Linux kernel and programs do not have
 */

#ifndef TESTS_CAPABILITY_KERNEL_H
#define TESTS_CAPABILITY_KERNEL_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define SZ_4K 0x1000
#define SZ_1M 0x100000
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))

#endif

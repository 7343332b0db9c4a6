/*
 * What a program under test holds of its heap
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_SWIOTLB_HEAP_SHIM_H
#define TESTS_QTEST_SWIOTLB_HEAP_SHIM_H

/*
 * The environment variable with the number of a socket that the program has
 * inherited: for each byte that is written to its other end, the bytes in use
 * come back as a uint64_t.
 */
#define HEAP_SOCKET     "SWIOTLB_HEAP_SOCKET"

#endif

/*
 * What a program under test holds of its heap
 *
 * Loaded in front of the C library: how much of the memory that is resident is
 * in use, only the allocator knows.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include "swiotlb-heap-shim.h"

static int heap_socket;

static void *answer(void *opaque)
{
    char asked;

    while (read(heap_socket, &asked, 1) == 1) {
        struct mallinfo2 info = mallinfo2();
        uint64_t in_use = info.uordblks + info.hblkhd;

        if (write(heap_socket, &in_use, sizeof(in_use)) != sizeof(in_use)) {
            abort();
        }
    }
    return NULL;
}

__attribute__((constructor))
static void start(void)
{
    const char *number = getenv(HEAP_SOCKET);
    sigset_t all, before;
    pthread_t thread;

    if (!number) {
        return;
    }
    heap_socket = atoi(number);
    /* Signals are for the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, answer, NULL)) {
        abort();
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

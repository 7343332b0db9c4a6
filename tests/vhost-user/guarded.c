/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reads a disk into the middle of memory that nothing else may touch
 *
 *   guarded DISK SIZE COUNT
 *
 * COUNT reads of SIZE bytes each, past the page cache. Around the buffer is a
 * huge page that has to stay as it is: 1 MiB before it, nearly as much behind,
 * next to it in the machine's memory as well. What was read goes to standard
 * output. The status is 0; 1 if a byte around the buffer has changed; 2 for
 * other errors; 3 if a read has not ended after two seconds, and no byte
 * anywhere has changed.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HUGE_PAGE (2u << 20)
#define START (HUGE_PAGE / 2 + 512)
#define GUARD 0xa5
#define WAIT_MS 2000

static unsigned char *memory;
static int disk;
static size_t size;
static ssize_t got;
static off_t from;

static unsigned char guard(size_t i)
{
    return GUARD ^ i ^ i >> 8;
}

static bool unchanged(size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        if (memory[i] != guard(i)) {
            fprintf(stderr, "byte %zu is 0x%02x, not 0x%02x\n", i, memory[i],
                    guard(i));
            return false;
        }
    }
    return true;
}

static void *huge_page(void)
{
    char *p = mmap(NULL, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    p += -(size_t)p % HUGE_PAGE;
    return madvise(p, HUGE_PAGE, MADV_HUGEPAGE) ? NULL : p;
}

static bool is_huge(void)
{
    char line[256];
    FILE *smaps = fopen("/proc/self/smaps", "r");
    long kib = 0, sum = 0;

    while (smaps && fgets(line, sizeof(line), smaps)) {
        if (sscanf(line, "AnonHugePages: %ld", &kib) == 1) {
            sum += kib;
        }
    }
    return sum >= HUGE_PAGE >> 10;
}

static int read_once(void *unused)
{
    got = pread(disk, memory + START, size, from);
    _exit(0);
}

/* By another process with this memory, so that this one can give up waiting */
static bool ended(void)
{
    static char stack[1 << 16] __attribute__((aligned(16)));
    pid_t pid = clone(read_once, stack + sizeof(stack), CLONE_VM | CLONE_FILES,
                      NULL);

    for (int ms = 0; ms < WAIT_MS; ms++) {
        if (waitpid(pid, NULL, __WCLONE | WNOHANG) == pid) {
            return true;
        }
        usleep(1000);
    }
    return false;
}

int main(int argc, char **argv)
{
    long count;

    if (argc != 4 || sscanf(argv[2], "%zu", &size) != 1 ||
        sscanf(argv[3], "%ld", &count) != 1) {
        return 2;
    }
    disk = open(argv[1], O_RDONLY | O_DIRECT);
    memory = huge_page();
    if (disk < 0 || !memory || size > HUGE_PAGE - START) {
        return 2;
    }
    for (long n = 0; n < count; n++, from += size) {
        for (size_t i = 0; i < HUGE_PAGE; i++) {
            memory[i] = guard(i);
        }
        if (!is_huge()) {
            fprintf(stderr, "no huge page\n");
            return 2;
        }
        if (!ended()) {
            return unchanged(0, HUGE_PAGE) ? 3 : 1;
        }
        if (got != (ssize_t)size) {
            return 2;
        }
        if (!unchanged(0, START) || !unchanged(START + size, HUGE_PAGE)) {
            return 1;
        }
        fwrite(memory + START, 1, size, stdout);
    }
    return 0;
}

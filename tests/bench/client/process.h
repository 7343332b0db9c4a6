/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Programs that run beside the client, and the processor time of their threads
 */

#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <sys/types.h>
#include "common.h"

/*
 * Start @argv, with all file descriptors that are not close-on-exec. It ends
 * when the client does.
 */
pid_t process_start(char *const *argv);
/* End it in good order. */
void process_end(pid_t pid, const char *name);

/* The thread of @pid that is called @name; 0 if there is none */
pid_t process_thread(pid_t pid, const char *name);
/* Keep @tid, or with 0 the calling thread, on one processor. */
void process_pin(pid_t tid, int cpu);

/* A file that tells how long a thread has run */
int cputime_open(pid_t pid, pid_t tid);
/* Nanoseconds, once the thread has nothing to do and sleeps */
uint64_t cputime_asleep(int fd);

#endif

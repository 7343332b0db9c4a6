/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Let machines work, alone or in turns
 */

#include <limits.h>
#include <stdio.h>
#include <time.h>
#include "measure.h"

/* Longer than anybody waits, under valgrind and on a busy host too */
#define STUCK_NS (120 * (uint64_t)1000000000)

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (uint64_t)1000000000 + now.tv_nsec;
}

/* One turn of each queue */
static int turn(Machine *machine, bool again)
{
    int i, done = 0;

    for (i = 0; i < machine->options->queues; i++) {
        done += queue_turn(&machine->queues[i], again);
    }
    return done;
}

static int busy(Machine *machine)
{
    int i, n = 0;

    for (i = 0; i < machine->options->queues; i++) {
        n += machine->queues[i].busy;
    }
    return n;
}

static void give_up(Machine *machine)
{
    die("%s: the device %s, with %d requests under way", machine->label,
        virtio_pci_needs_reset(&machine->dev) ? "wants to be reset" :
        "does nothing", busy(machine));
}

/*
 * Make at most @requests, then those that are done again until @end, and leave
 * nothing under way.
 *
 * Returns: requests that were made at first
 */
static int run(Machine *machine, int requests, uint64_t end)
{
    uint64_t progress = now_ns();
    bool again = true;
    int i, made = 0;

    for (i = 0; i < machine->options->queues && made < requests; i++) {
        int n = MIN(machine->options->depth, requests - made);

        queue_fill(&machine->queues[i], n);
        made += n;
    }
    while (busy(machine)) {
        uint64_t now = now_ns();

        again = again && now < end;
        if (turn(machine, again)) {
            progress = now;
        } else if (now - progress > STUCK_NS) {
            give_up(machine);
        }
    }
    qtest_settle(&machine->qtest);
    return made;
}

typedef struct Counters {
    uint64_t ns;
    uint64_t requests;
    uint64_t kicks;
} Counters;

static Counters count(Machine *machine)
{
    Counters sum = { 0 };
    int i;

    for (i = 0; i < machine->n_threads; i++) {
        sum.ns += cputime_asleep(machine->cputime[i]);
    }
    for (i = 0; i < machine->options->queues; i++) {
        sum.requests += machine->queues[i].done;
        sum.kicks += machine->queues[i].kicks;
    }
    return sum;
}

static void slice(Machine *machine, int round)
{
    Counters before = count(machine), after;
    uint64_t start = now_ns();
    uint64_t end = start + machine->options->slice_ms * (uint64_t)1000000;

    run(machine, INT_MAX, end);
    end = now_ns();
    after = count(machine);
    if (round >= 0) {
        printf("{\"label\": \"%s\", \"round\": %d, \"cpu_ns\": %" PRIu64 ", "
               "\"requests\": %" PRIu64 ", \"kicks\": %" PRIu64 ", "
               "\"wall_ns\": %" PRIu64 "}\n", machine->label, round,
               after.ns - before.ns, after.requests - before.requests,
               after.kicks - before.kicks, end - start);
    }
}

/* Nobody always comes first, or after the same one. */
static void shuffle(Machine **machines, int n)
{
    static GRand *random;
    int i;

    if (!random) {
        random = g_rand_new_with_seed(1);
    }
    for (i = n - 1; i > 0; i--) {
        int j = g_rand_int_range(random, 0, i + 1);
        Machine *other = machines[j];

        machines[j] = machines[i];
        machines[i] = other;
    }
}

void measure(Machine **machines, int n, const Options *options)
{
    int round, i;

    for (round = -options->warmup; round < options->rounds; round++) {
        shuffle(machines, n);
        for (i = 0; i < n; i++) {
            slice(machines[i], round);
        }
        fflush(stdout);
    }
}

void work(Machine *machine, int requests)
{
    while (requests) {
        requests -= run(machine, requests, 0);
    }
}

/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Let machines work, alone or in turns
 */

#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "machine.h"

/* Take turns, and print a line of JSON for each slice. */
void measure(Machine **machines, int n, const Options *options);

/*
 * Let one machine do just so many requests: as many as are under way at once,
 * and no more until all of them are done. So all runs are alike.
 */
void work(Machine *machine, int requests);

#endif

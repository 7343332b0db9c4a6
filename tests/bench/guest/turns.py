# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests take turns, and their figures are compared round by round.

Whatever else the host does meets all guests alike, if turns are short. Two
guests that are the same show what is left of it: the A/A pair.
"""

import statistics

import common

# So often the rounds are taken again, and added, while the pair is too wide.
MORE = 2


def quartiles(figures):
    if len(figures) < 2:
        return list(figures) * 3
    return statistics.quantiles(figures, n=4)


class Ratio:
    """How many times as much the one costs as the other: median, quartiles."""

    def __init__(self, one, other):
        self.rounds = [a / b for a, b in zip(one, other)]
        self.median = statistics.median(self.rounds)
        self.low, _, self.high = quartiles(self.rounds)

    def as_json(self):
        return {'median': self.median, 'quartiles': [self.low, self.high],
                'rounds': len(self.rounds)}


class Result:
    """What each round of one load took: {variant: seconds an operation}."""

    def __init__(self, load):
        self.load = load
        self.rounds = []

    def names(self):
        return list(dict.fromkeys(n for costs in self.rounds for n in costs))

    def figures(self, *names):
        """Of the rounds in which all of these took part, a list for each."""
        shared = [costs for costs in self.rounds
                  if all(name in costs for name in names)]
        return [[costs[name] for costs in shared] for name in names]

    def faster(self, than, name='window'):
        """The rounds' ratios, above 1 if `name` is faster; None without."""
        others, own = self.figures(than, name)
        return Ratio(others, own) if own else None

    def pair(self):
        return self.faster('again', 'plain')

    def valid(self):
        pair = self.pair()
        return bool(pair) and common.is_alike(pair.median)

    def as_json(self):
        pair = self.pair()
        return {
            'title': self.load.title, 'unit': self.load.unit,
            'valid': self.valid(), 'a_a': pair and pair.as_json(),
            'microseconds': {
                name: {'quartiles': quartiles([1e6 * x for x in got]),
                       'rounds': [1e6 * x for x in got]}
                for name in self.names() for got in self.figures(name)},
            'window_is_faster': {
                name: self.faster(name).as_json() for name in self.names()
                if name != 'window' and self.faster(name)}}


def up(guests):
    return [guest for guest in guests if guest.is_up]


def take(guests, result, rounds, run):
    """Rounds are added to the result; the first only warms up."""
    load = result.load
    for guest in up(guests):
        with run.risk(f'{load.title}: {guest.variant.title}', guest):
            load.begin(guest)
            load.turn(guest)
    for _ in range(1 + MORE):
        take_rounds(guests, result, rounds, run)
        if result.valid() or not run.in_time():
            break
    for guest in up(guests):
        with run.risk(f'{load.title}: {guest.variant.title}', guest):
            load.end(guest)


def take_rounds(guests, result, rounds, run):
    load = result.load
    for done in range(rounds):
        costs = {}
        # Nobody always follows the same one.
        first = done % len(guests)
        for guest in up(guests[first:] + guests[:first]):
            with run.risk(f'{load.title}: {guest.variant.title}', guest):
                costs[guest.variant.name] = load.turn(guest)
        result.rounds.append(costs)
        run.say(f'{load.title}: round {done + 1} of {rounds}', fleeting=True)

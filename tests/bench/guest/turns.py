# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests take turns, and their figures are compared round by round.

Whatever else the host does meets all guests alike, if turns are short. Two
guests that are the same show what is left of it: the A/A pair.
"""

import statistics

VALID = (0.95, 1.05)


class Ratio:
    """How many times as much the one costs as the other: median, quartiles."""

    def __init__(self, one, other):
        self.rounds = [a / b for a, b in zip(one, other)]
        self.median = statistics.median(self.rounds)
        low, _, high = (statistics.quantiles(self.rounds, n=4)
                        if len(self.rounds) > 1 else [self.median] * 3)
        self.low, self.high = low, high

    def as_json(self):
        return {'median': self.median, 'quartiles': [self.low, self.high],
                'rounds': len(self.rounds)}


class Result:
    """The figures of one load: {variant: [seconds an operation]}."""

    def __init__(self, load, figures):
        self.load = load
        self.figures = figures

    def faster(self, than, name='window'):
        """The median of the rounds' ratios: above 1, `name` is faster."""
        return Ratio(self.figures[than], self.figures[name])

    def pair(self):
        return self.faster('again', 'plain')

    def valid(self):
        return VALID[0] <= self.pair().median <= VALID[1]

    def as_json(self):
        return {
            'title': self.load.title, 'unit': self.load.unit,
            'valid': self.valid(), 'a_a': self.pair().as_json(),
            'microseconds': {
                name: {'median': 1e6 * statistics.median(got),
                       'rounds': [1e6 * x for x in got]}
                for name, got in self.figures.items()},
            'window_against': {
                name: self.faster(name).as_json()
                for name in self.figures
                if 'window' in self.figures and name != 'window'}}


def take(guests, load, rounds, say):
    """One result; the first round only warms up."""
    for guest in guests:
        load.begin(guest)
        load.turn(guest)
    figures = {guest.variant.name: [] for guest in guests}
    for done in range(rounds):
        # Nobody always follows the same one.
        first = done % len(guests)
        for guest in guests[first:] + guests[:first]:
            figures[guest.variant.name].append(load.turn(guest))
        say(f'{load.title}: round {done + 1} of {rounds}', fleeting=True)
    for guest in guests:
        load.end(guest)
    return Result(load, figures)

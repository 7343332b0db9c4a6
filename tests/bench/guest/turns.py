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
    """The figures of one load: {variant: [seconds an operation]}.

    All variants have as many; one that failed has none.
    """

    def __init__(self, load, figures):
        self.load = load
        self.figures = figures

    def faster(self, than, name='window'):
        """The rounds' ratios, above 1 if `name` is faster; None without."""
        if not self.figures.get(than) or not self.figures.get(name):
            return None
        return Ratio(self.figures[than], self.figures[name])

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
                for name, got in self.figures.items()},
            'window_is_faster': {
                name: self.faster(name).as_json()
                for name in self.figures
                if name != 'window' and self.faster(name)}}


def up(guests):
    return [guest for guest in guests if guest.is_up]


def take(guests, load, rounds, run):
    """One result; the first round only warms up."""
    for guest in up(guests):
        with run.risk(f'{load.title}: {guest.variant.title}', guest):
            load.begin(guest)
            load.turn(guest)
    result = Result(load, {guest.variant.name: [] for guest in up(guests)})
    for _ in range(1 + MORE):
        take_rounds(guests, result, rounds, run)
        if result.valid() or not run.in_time():
            break
    for guest in up(guests):
        with run.risk(f'{load.title}: {guest.variant.title}', guest):
            load.end(guest)
    return result


def take_rounds(guests, result, rounds, run):
    load = result.load
    for done in range(rounds):
        # Nobody always follows the same one.
        first = done % len(guests)
        for guest in up(guests[first:] + guests[:first]):
            with run.risk(f'{load.title}: {guest.variant.title}', guest):
                figure = load.turn(guest)
                result.figures[guest.variant.name].append(figure)
        for guest in guests:
            if not guest.is_up:
                result.figures.pop(guest.variant.name, None)
        run.say(f'{load.title}: round {done + 1} of {rounds}', fleeting=True)

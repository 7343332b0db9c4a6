# SPDX-License-Identifier: GPL-2.0-or-later
"""All that is measured, in order."""

import contextlib

import cases
import common
import guests
import loads
import targets
import turns
import variants
from harness import devices
from host_side import blank
from journal import Journal
from peer import Peer

WINDOWS = (1, 2, 4)


class Effort:
    """How much is done."""

    def __init__(self, ways, boots, rounds, disks=loads.DISKS, counted=None,
                 mib=0, net_rounds=0, requests=0, windows=(), busy=0):
        self.ways = ways
        self.boots = boots
        self.counted = counted or ways
        self.rounds = rounds
        self.disks = disks
        self.mib = mib
        self.net_rounds = net_rounds
        self.requests = requests
        self.windows = windows
        self.busy = busy


FULL = Effort(variants.USUAL, 3, 12, mib=64, net_rounds=12, requests=16000,
              windows=WINDOWS, busy=40000)
QUICK = Effort(variants.USUAL, 1, 12, mib=32, net_rounds=4, requests=4000)
SMOKE = Effort(variants.SMOKE, 1, 1, disks=loads.DISKS[:1],
               counted=(variants.PLAIN, variants.WINDOW), requests=500)


class Run(Journal):
    """All that is measured, and with what."""

    def __init__(self, options, context, effort):
        super().__init__(options.minutes)
        self.context = context
        self.effort = effort
        self.plugin = options.plugin
        self.results = {}
        self.counts = {}
        self.windows = {}
        self.held = None
        self.counters = {}
        self.verified = []
        self.lines = []
        ways = ([w for w in variants.ALL if w.name in options.only]
                if options.only else effort.ways)
        self.ways, self.absent = variants.usable(ways, context.kernel)
        self.setting = setting(options, context)

    def measure(self):
        """Everything; an interrupted run keeps what it has."""
        try:
            with contextlib.ExitStack() as stack:
                self.measure_all(stack)
        except (KeyboardInterrupt, SystemExit):
            self.note_failure('the run', 'it was interrupted')
        self.lines = targets.judge(self)

    def measure_all(self, stack):
        sizes = [variants.Window(f'window-{mib}', f'a window of {mib} MiB',
                                 f'{mib}M') for mib in self.effort.windows]
        peer = self.start_peer(stack, sizes) if self.effort.mib else None
        for boot in range(self.effort.boots):
            self.take_turns(peer, last=boot == self.effort.boots - 1)
        self.count()
        if peer and peer.is_up:
            self.try_sizes(peer, sizes)

    def start_peer(self, stack, sizes):
        peer = Peer(self.context, [
            *(way for way in self.ways if not way.no_card), *sizes])
        stack.callback(peer.__exit__)
        self.say('booting: the peer')
        with self.risk('booting: the peer', peer):
            peer.launch()
            peer.meet()
            peer.settle()
        return peer if peer.is_up else None

    def take_turns(self, peer, last):
        images = {}
        crew = []
        for way in self.ways:
            image = blank(self.context.folder / f'{way.name}.raw', 16)
            images[way.name] = image
            args = [*guests.disk(way), *guests.data_disk(way, image.path)]
            if peer and not way.no_card:
                args += guests.card(way, peer.wire(way.name))
            crew.append(guests.Guest(self.context, way, args))
        with guests.all_up(crew, self):
            for guest in turns.up(crew):
                what = f'comparing data: {guest.variant.title}'
                with self.risk(what, guest):
                    cases.compare_data(guest, images[guest.variant.name])
                    self.verified.append(guest.variant.name)
            self.say('data compared')
            for load in self.effort.disks:
                self.take(crew, load, self.effort.rounds)
            if last:
                self.ask_driver(crew, self.take_held)
            if peer:
                talking = [g for g in crew if not g.variant.no_card]
                for load in loads.streams(peer, self.effort.mib):
                    self.take(talking, load, self.effort.net_rounds)
            self.ask_driver(crew, self.take_counters)

    def take(self, crew, load, rounds):
        if not self.may_begin(load.title):
            return
        result = self.results.setdefault(load.name, turns.Result(load))
        turns.take(crew, result, rounds, self)
        pair = result.pair()
        self.say(f'{load.title}: A/A '
                 + (f'{pair.median:.3f}' if pair else 'missing')
                 + ('' if result.valid() else ', VOID'))

    def ask_driver(self, crew, question):
        for guest in turns.up(crew):
            if guest.variant is variants.WINDOW:
                with self.risk(question.__doc__, guest):
                    question(guest)

    def take_held(self, guest):
        """window held by reads"""
        self.held = cases.held_by_reads(guest)

    def take_counters(self, guest):
        """the driver's counters"""
        guest.go_on()
        self.counters = devices.numbers(guest, 'disk')

    def try_sizes(self, peer, sizes):
        for mib, variant in zip(self.effort.windows, sizes):
            what = f'a busy disk and a busy network: {variant.title}'
            if self.may_begin(what):
                self.say(what)
                with self.risk(what):
                    self.windows[mib] = cases.busy_window(
                        self.context, peer, variant, self.effort.busy,
                        self.effort.mib)

    def count(self):
        for way in self.ways:
            if way not in self.effort.counted or way is variants.AGAIN:
                continue
            what = f'counting instructions: {way.title}'
            if self.may_begin(what):
                self.say(what)
                with self.risk(what):
                    self.counts[way.name] = cases.count_instructions(
                        self.context, self.plugin, way, self.effort.requests)

    def valid(self):
        return all(result.valid() for result in self.results.values())


class Context:
    """Where things are."""

    def __init__(self, build, kernel, folder):
        self.build = build
        self.kernel = kernel
        self.folder = folder


def setting(options, context):
    host = common.host()
    return {
        'qemu': common.version(context.build.qemu()),
        'guest_kernel': context.kernel.version,
        'guest_cpu': 'qemu64, 1 CPU, TCG', 'guest_memory': '512 MiB',
        'host_cpu': f"{host['cpu']}, {host['cpus']} CPUs",
        'host_kernel': host['kernel'],
        'fio': common.version('fio'),
        'iperf3': common.version('iperf3'),
        'effort': options.effort,
    }

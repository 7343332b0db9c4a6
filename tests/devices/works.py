# SPDX-License-Identifier: GPL-2.0-or-later
"""Device types at work in a guest: data through the window, seen by both sides.

Each class below is one way to prove it. All of them share one guest.
"""

import base64
import os
import socket
import struct
import subprocess
from pathlib import Path

from common import HERE, MachineError, compat, devices, host, initramfs
from tap_network import NoNetwork, TapNetwork

MIB = 1 << 20
LOAD = '. /devices.sh; '
EVENT = struct.Struct('<qqHHi')
EV_SYN, EV_KEY, EV_REL, EV_ABS = range(4)
KEY_A, REL_X, REL_Y, ABS_X, ABS_Y = 30, 0, 1, 0, 1
ABS_MT_POSITION_X, ABS_MT_TRACKING_ID = 0x35, 0x39

TOOLS = ('aplay', 'kcapi-enc')


def more(modules, files):
    """What the guest needs: modules, tools and the files it works with."""
    alsa = '/usr/share/alsa/alsa.conf'
    return initramfs.More(
        'devices', modules, TOOLS,
        {'devices.sh': HERE / 'guest' / 'devices.sh',
         alsa.lstrip('/'): Path(alsa), **files})


class Record:
    """The points of one device type."""

    def __init__(self, tap, name):
        self.tap = tap
        self.name = name
        self.count = self.failed = 0
        # Formats of those that its driver has, as compat.ring() says them
        self.rings = set()

    def ok(self, good, name, detail=''):
        self.count += 1
        self.failed += not good
        return self.tap.ok(good, f'{self.name}: {name}', detail)

    def equal(self, got, want, name):
        return self.ok(got == want, name, f'got {got!r}, want {want!r}')

    def skip(self, name, reason):
        self.tap.skip(f'{self.name}: {name}', reason)

    def works(self):
        return bool(self.count) and not self.failed


class Proof:
    """One device; `name` is its id."""

    size = '4M'
    # Packed rings take room for the worst case.
    packed_size = '64M'
    packed = False
    indirect = True
    modules = ()

    def __init__(self, folder, name, qtype):
        self.folder = folder
        self.name = name
        self.qtype = qtype
        self.fds = []

    def missing(self, tree):
        """What this guest or this host lacks for it, or ''."""
        lacks = [name for name in self.modules
                 if name not in tree.builtin | set(tree.files)]
        return f"the kernel has no {' '.join(lacks)}" if lacks else ''

    def before(self):
        """Arguments of QEMU that the device needs."""
        return []

    def after(self):
        """Arguments for what is plugged into the device."""
        return []

    def options(self):
        return ''

    def rings_packed(self):
        """The module has no packed rings without indirect descriptors."""
        return self.packed and self.indirect

    def arguments(self):
        before = self.before()
        size = self.packed_size if self.rings_packed() else self.size
        parts = [self.qtype, f'id={self.name}', self.options(), 'swiotlb=on',
                 f'swiotlb-size={size}',
                 f'packed={"on" if self.packed else "off"}',
                 f'indirect_desc={"on" if self.indirect else "off"}']
        return [*before, '-device', ','.join(p for p in parts if p),
                *self.after()]

    def run(self, machine, record):
        """Do the work, while the guest runs."""

    def finish(self, record):
        """Look at what the host has got, when the guest has ended."""

    def command(self, machine, record, line, steps):
        """A scenario whose every step must be good; its output."""
        status, lines = machine.run(LOAD + line, 60)
        record.equal(status, 0, f'the guest does `{line.split()[0]}`')
        record.equal(devices.results(record, lines, 'guest'), steps,
                     'each step of the work is reported')
        return lines

    def check_confined(self, machine, record):
        state = devices.State(machine, self.name)
        record.ok(state.driver and devices.SWIOTLB in state.features,
                  'its driver uses the window',
                  f'{state.driver} {sorted(state.features)}')
        ring = compat.ring(devices.RING_PACKED in state.features,
                           devices.INDIRECT_DESC in state.features)
        record.rings.add(ring)
        want = compat.ring(self.rings_packed(), self.indirect)
        record.equal(ring, want, f'rings: {want}')
        record.equal(machine.property(self.name, 'swiotlb-rejected'), 0,
                     'the device had nothing to reject')


def listening(machine):
    """Wait until a scenario says that it listens."""
    def look():
        line = machine.socket['command'].line()
        while line is not None:
            if line == 'LISTENING':
                return True
            if line.startswith(('END', 'RESULT')):
                machine.fail(f'the guest does not listen: {line}')
            line = machine.socket['command'].line()
        return None
    machine.wait_for(look, 40, 'the guest to listen')


class Disk(Proof):
    modules = ('virtio_blk',)

    def before(self):
        self.raw = host.Raw(self.folder, self.name, 2)
        return host.drive(self.name, self.raw.path)

    def options(self):
        return f'drive={self.name}-image'

    def run(self, machine, record):
        at = machine.address(self.name)
        self.lines = self.command(
            machine, record, f'raw {at} 2 {host.md5(self.raw.data)}', 3)

    def finish(self, record):
        self.raw.check(record, devices.sums(self.lines, 'raw'), 'host')


class Scsi(Disk):
    modules = ('virtio_scsi', 'sd_mod', 'sr_mod')

    def before(self):
        self.cd = self.folder / f'{self.name}.iso'
        self.cd_data = host.pattern(MIB, self.name + 'cd')
        self.cd.write_bytes(self.cd_data)
        return [*super().before(), *host.drive(f'{self.name}-cd', self.cd)]

    def options(self):
        return ''

    def after(self):
        return ['-device', f'scsi-hd,bus={self.name}.0,scsi-id=0,'
                f'drive={self.name}-image',
                '-device', f'scsi-cd,bus={self.name}.0,scsi-id=1,'
                f'drive={self.name}-cd-image']

    def run(self, machine, record):
        super().run(machine, record)
        self.command(machine, record,
                     f'cdrom {machine.address(self.name)} {len(self.cd_data)} '
                     f'{host.md5(self.cd_data)}', 1)


class Net(Proof):
    """As QEMU makes it."""

    modules = ('virtio_net',)
    MRG_RXBUF, CTRL_VQ, MQ = 15, 17, 22
    want, without = {MRG_RXBUF, CTRL_VQ}, {MQ}
    switches = ''

    def before(self):
        self.server = host.Server(2)
        return ['-netdev', f'user,id={self.name}-user']

    def netdev(self):
        return f'{self.name}-user'

    def options(self):
        return f'netdev={self.netdev()},romfile={self.switches}'

    def run(self, machine, record):
        with self.server:
            self.traffic(machine, record)
        features = devices.State(machine, self.name).features
        record.ok(self.want <= features and not self.without & features,
                  'features are those of the case', sorted(features))
        record.equal([size for size, _ in self.server.posts], [2 * MIB],
                     'the host got one whole upload')
        copied = devices.numbers(machine, self.name)
        record.ok(copied['copied_in'] < 3 * MIB and
                  copied['copied_out'] >= 2 * MIB,
                  'of what buffers for packets held, the device sees nothing',
                  copied)

    def traffic(self, machine, record):
        at = machine.address(self.name)
        self.command(machine, record, f'net {at} {self.server.port} 2 '
                     f'{host.md5(self.server.data)}', 3)


class PlainNet(Net):
    """No merged receive buffers, no control queue."""

    want, without = set(), {Net.MRG_RXBUF, Net.CTRL_VQ, Net.MQ}
    switches = ''.join(f',{name}=off' for name in (
        'mrg_rxbuf', 'ctrl_vq', 'ctrl_rx', 'ctrl_rx_extra', 'ctrl_vlan',
        'ctrl_mac_addr', 'ctrl_guest_offloads', 'guest_announce'))


class QueuesNet(Net):
    """Some queue pairs, on a tap device in a network of its own."""

    want, without = {Net.MQ, Net.CTRL_VQ, Net.MRG_RXBUF}, set()
    pairs = 2
    size = '16M'

    def __init__(self, *args):
        super().__init__(*args)
        self.switches = f',mq=on,vectors={2 * self.pairs + 2}'

    def missing(self, tree):
        try:
            self.network = TapNetwork(self.pairs)
        except NoNetwork as error:
            return f'no tap device: {error}'
        return super().missing(tree)

    def before(self):
        self.server = host.Server(2, self.network.listener)
        self.fds = self.network.taps
        fds = ':'.join(map(str, self.fds))
        return ['-netdev', f'tap,id={self.name}-tap,fds={fds}']

    def netdev(self):
        return f'{self.name}-tap'

    def traffic(self, machine, record):
        def used():
            return [machine.qmp('x-query-virtio-queue-status',
                                path=f'/machine/peripheral/{self.name}/'
                                'virtio-backend', queue=i)['used-idx']
                    for i in range(4)]

        super().traffic(machine, record)
        before = used()
        at = machine.address(self.name)
        self.command(machine, record, f'spread {at} {self.server.port}', 1)
        after = used()
        # A packed ring's index comes back to 0.
        record.ok(all(map(any, zip(before, after))),
                  'data went through both queue pairs', (before, after))


class ShortNet(QueuesNet):
    """Queues that the window makes too short for a packet of 64 KiB, which the
    host's end would send.
    """

    GUEST_TSO4, GUEST_TSO6, GUEST_UFO = 7, 8, 10
    without = {GUEST_TSO4, GUEST_TSO6, GUEST_UFO}
    pairs = 4
    size = '1M'


class Serial(Proof):
    """A port, and a console if `console`."""

    modules = ('virtio_console',)

    def __init__(self, folder, name, qtype, console=False):
        super().__init__(folder, name, qtype)
        self.console = console
        self.port = host.Port(1)
        self.port_end, there = socket.socketpair()
        self.console_end, console_there = socket.socketpair()
        self.there = [there, console_there]
        self.fds = [there.fileno(), console_there.fileno()]

    def before(self):
        return [word for name, fd in zip(('port', 'console'), self.fds)
                for word in ('-chardev',
                             f'socket,id={self.name}-{name},fd={fd}')]

    def after(self):
        args = ['-device', f'virtserialport,bus={self.name}.0,'
                f'chardev={self.name}-port,name={self.name}']
        if self.console:
            args += ['-device', f'virtconsole,bus={self.name}.0,'
                     f'chardev={self.name}-console']
        return args

    def run(self, machine, record):
        self.port.start(self.port_end)
        self.command(machine, record, f'serial {self.name} '
                     f'{len(self.port.data)} {host.md5(self.port.data)}', 3)
        self.port.check(record, 'port')
        if self.console:
            self.run_console(machine, record)

    def run_console(self, machine, record):
        data = host.pattern(2048, self.name)
        machine.start(f'{LOAD} console hvc0 {len(data)} {host.md5(data)}')
        listening(machine)
        self.console_end.sendall(data)
        _, lines = machine.finish(40, 'the console')
        record.equal(devices.results(record, lines, 'guest'), 2,
                     'each step of the work is reported')
        self.console_end.settimeout(30)
        got = b''
        while len(got) < len(data):
            got += self.console_end.recv(len(data)) or b'\0' * len(data)
        record.ok(got == data, 'the host gets back what it sent',
                  f'{len(got)} bytes')


class Rng(Proof):
    modules = ('virtio_rng',)
    BYTES = 32 * 64

    def __init__(self, folder, name, qtype, number):
        super().__init__(folder, name, qtype)
        self.number = number

    def before(self):
        source = self.folder / f'{self.name}.entropy'
        self.letter = 'ab'[self.number]
        source.write_bytes(b''.join(b'%s%014d\n' % (self.letter.encode(), i)
                                    for i in range(1 << 16)))
        return ['-object', f'rng-random,id={self.name}-source,'
                f'filename={source}']

    def options(self):
        return f'rng={self.name}-source'

    def run(self, machine, record):
        lines = self.command(machine, record, f'random {self.number}', 1)
        data = base64.b64decode(''.join(
            devices.fact(lines, f'RNG{self.number}')))
        record.equal(len(data), self.BYTES, 'the guest got all of it')
        # What the kernel had in store comes first.
        tail = data[self.BYTES // 2:].split(b'\n')[1:-1]
        numbers = [int(line[1:]) for line in tail if len(line) == 15
                   and line[:1] == self.letter.encode()]
        record.ok(len(numbers) == len(tail) > 10
                  and numbers == sorted(set(numbers)),
                  'what it got is this source\'s', tail[:4])


class P9(Proof):
    modules = ('9p', '9pnet_virtio')

    def before(self):
        self.share = host.Share(self.folder, self.name, 1)
        return ['-fsdev', f'local,id={self.name}-share,security_model=none,'
                f'path={self.share.path}']

    def options(self):
        return f'fsdev={self.name}-share,mount_tag={self.name}'

    def run(self, machine, record):
        self.lines = self.command(machine, record, f'p9 {self.name} 1', 4)

    def finish(self, record):
        self.share.check(record, devices.sums(self.lines, 'from-guest'),
                         'host')


class Input(Proof):
    """`send` events, as QMP names them, and expect these in the guest."""

    modules = ('virtio_input', 'evdev')
    size = '1M'

    def __init__(self, folder, name, qtype, send, expect):
        super().__init__(folder, name, qtype)
        self.send = send
        self.expect = [*expect, (EV_SYN, 0, 0)]

    def inject(self, machine):
        machine.qmp('input-send-event', events=self.send)

    def run(self, machine, record):
        machine.start(f'{LOAD} events {machine.address(self.name)} '
                      f'{len(self.expect)}')
        listening(machine)
        self.inject(machine)
        _, lines = machine.finish(40, 'the events')
        data = base64.b64decode(''.join(devices.fact(lines, 'EVENTS')))
        got = [event[2:] for event in EVENT.iter_unpack(data)]
        record.equal(got, self.expect, 'the guest gets what was injected')


def key(down):
    return {'type': 'key', 'data': {
        'down': down, 'key': {'type': 'qcode', 'data': 'a'}}}


def axis(kind, name, value):
    return {'type': kind, 'data': {'axis': name, 'value': value}}


def touch(kind, **more_data):
    return {'type': 'mtt', 'data': {
        'type': kind, 'slot': 0, 'tracking-id': 7, 'axis': 'x', 'value': 0,
        **more_data}}


class HostInput(Input):
    """A device of the host, which fake-evdev.c makes of a pipe."""

    def before(self):
        self.pipe = self.folder / f'{self.name}.evdev'
        os.mkfifo(self.pipe)
        return []

    def options(self):
        return f'evdev={self.pipe}'

    def inject(self, machine):
        with open(self.pipe, 'wb', buffering=0) as pipe:
            for event in self.expect:
                pipe.write(EVENT.pack(0, 0, *event))


def preload(folder):
    """Environment in which QEMU takes pipes for input devices."""
    library = folder / 'fake-evdev.so'
    subprocess.run(['gcc', '-Wall', '-Werror', '-shared', '-fPIC', '-o',
                    str(library), str(HERE / 'fake-evdev.c'), '-ldl'],
                   check=True)
    return {'LD_PRELOAD': str(library),
            # Instrumented builds insist on being first.
            'ASAN_OPTIONS': 'verify_asan_link_order=0:'
            + os.environ.get('ASAN_OPTIONS', '')}


class Crypto(Proof):
    """AES-128 in CBC mode, with the example of NIST SP 800-38A, F.2.1."""

    modules = ('virtio_crypto', 'algif_skcipher', 'crypto_user')
    KEY = '2b7e151628aed2a6abf7158809cf4f3c'
    IV = '000102030405060708090a0b0c0d0e0f'
    PLAIN = ('6bc1bee22e409f96e93d7e117393172a'
             'ae2d8a571e03ac9c9eb76fac45af8e51')
    CIPHER = ('7649abac8119b246cee98e9b12e9197d'
              '5086cb9b507219ee95db113a917678b2')

    def before(self):
        return ['-object', f'cryptodev-backend-builtin,id={self.name}-back']

    def options(self):
        return f'cryptodev={self.name}-back'

    def run(self, machine, record):
        status, lines = machine.run(
            f'{LOAD} encrypt virtio_crypto_aes_cbc {self.KEY} {self.IV} '
            f'{self.PLAIN}')
        record.equal(status, 0, 'the guest does `encrypt`')
        hidden = 'HIDDEN' in lines
        record.equal(devices.results(record, lines, 'guest'),
                     2 if hidden else 3, 'each step of the work is reported')
        if hidden:
            # The kernel's own test has compared what the device did.
            record.ok(devices.numbers(machine, self.name)['copied_out'],
                      'what the kernel tested went through the window')
            record.skip('the cipher text',
                        'this kernel gives programs no such ciphers')
            return
        got = ''.join(devices.fact(lines, 'CIPHER'))
        record.equal(got, self.CIPHER,
                     'the cipher text is that of the standard')


class Screen(Proof):
    """The guest paints a picture that the host knows."""

    modules = ('virtio_gpu',)
    size = '16M'
    WIDTH, HEIGHT, STRIDE = 640, 480, 2560

    def __init__(self, folder, name, qtype, more_options=''):
        super().__init__(folder, name, qtype)
        self.more_options = more_options
        self.pixels = host.pattern(self.STRIDE * self.HEIGHT, name)
        self.picture = folder / f'{name}.pixels'
        self.picture.write_bytes(self.pixels)

    def options(self):
        return f'xres={self.WIDTH},yres={self.HEIGHT}{self.more_options}'

    def run(self, machine, record):
        lines = self.command(
            machine, record,
            f'paint {machine.address(self.name)} /{self.name}.pixels', 1)
        record.equal(devices.fact(lines, 'SCREEN'),
                     [f'{self.WIDTH},{self.HEIGHT}', str(self.STRIDE), '32'],
                     'the screen is as large as asked')

        def shown():
            return True if self.dump(machine) == self.wanted() else None
        try:
            good = machine.wait_for(shown, 30, 'the picture')
            detail = ''
        except MachineError as error:
            good, detail = False, str(error)
        record.ok(good, 'the host\'s screen shows every pixel', detail)

    def wanted(self):
        """B, G, R, X becomes R, G, B."""
        rgb = bytearray(self.WIDTH * self.HEIGHT * 3)
        for i, channel in enumerate((2, 1, 0)):
            rgb[i::3] = self.pixels[channel::4]
        return bytes(rgb)

    def dump(self, machine):
        path = self.folder / f'{self.name}.ppm'
        machine.qmp('screendump', filename=str(path), device=self.name)
        header, data = path.read_bytes().split(b'\n255\n', 1)
        return data if header.split()[-2:] == [b'640', b'480'] else b''


class Sound(Proof):
    """A second of samples that are never silent."""

    modules = ('virtio_snd',)
    size = '16M'
    RATE = 48000

    def __init__(self, folder, name, qtype):
        super().__init__(folder, name, qtype)
        noise = host.pattern(self.RATE * 4, name)
        # No byte of them is 0.
        self.samples = bytes(byte or 1 for byte in noise)
        self.source = folder / f'{name}.samples'
        self.source.write_bytes(self.samples)
        self.wav = folder / f'{name}.wav'

    def before(self):
        return ['-audiodev', f'wav,id={self.name}-wav,path={self.wav},'
                f'out.frequency={self.RATE}']

    def options(self):
        return f'audiodev={self.name}-wav'

    def run(self, machine, record):
        self.command(machine, record, f'play {machine.address(self.name)} '
                     f'/{self.name}.samples', 1)

    def finish(self, record):
        frames = struct.iter_unpack('<I', self.wav.read_bytes()[44:])
        heard = b''.join(struct.pack('<I', f) for f, in frames if f)
        record.ok(heard == self.samples, 'the host hears every sample',
                  f'{len(heard)} of {len(self.samples)} bytes, the first '
                  f'{len(os.path.commonprefix([heard, self.samples]))} right')

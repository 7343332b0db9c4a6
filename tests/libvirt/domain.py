# SPDX-License-Identifier: GPL-2.0-or-later
"""The user guide's domains, as they can be run here, and their guests.

What is changed in a domain of the user guide is what this machine has not: the
path of QEMU, those of images and sockets, KVM. A kernel is added, and two serial
ports, by which the harness drives the guest.
"""

import os
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'guest'))

# pylint: disable=wrong-import-position
from harness import host, machine  # noqa: E402
from harness.machine import PATIENCE, MachineError  # noqa: E402
from session import alive, until  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / 'docs/user-guide/libvirt'
QEMU = 'http://libvirt.org/schemas/domain/qemu/1.0'
PORTS = ('console', 'command')

ET.register_namespace('qemu', QEMU)


def example(name):
    """An XML file of the user guide."""
    return (EXAMPLES / name).read_text(encoding='utf-8')


class Stage:
    """What domains need here: QEMU, a kernel, images.

    Each file of an example is one of this stage's with the same name.
    """

    def __init__(self, context, place):
        self.context = context
        self.place = place
        self.qemu = place.reachable(context.build.qemu())
        self.kernel = place.reachable(context.kernel.image)
        self.initramfs = place.reachable(context.initramfs())
        self.files = place.folder('files')
        self.data = host.Raw(self.files, 'data', mib=4)
        subprocess.run([context.build.folder / 'qemu/qemu-img', 'create', '-q',
                        '-f', 'qcow2', self.files / 'guest.qcow2', '16M'],
                       check=True)
        for path in self.files.iterdir():
            place.give(path)

    def adapt(self, text, guest=True):
        """An example's XML for this machine; without a `guest` none boots."""
        top = ET.fromstring(text)
        for source in top.iter('source'):
            for name in ('file', 'path'):
                if name in source.attrib:
                    source.set(name, str(self.files /
                                         Path(source.get(name)).name))
        for arg in top.iter(f'{{{QEMU}}}arg'):
            arg.set('value', arg.get('value').replace('/run', str(self.files)))
        if top.tag == 'domain':
            self.adapt_domain(top)
            if guest:
                self.add_guest(top)
        return ET.tostring(top, encoding='unicode')

    def adapt_domain(self, top):
        top.set('type', os.environ.get('ACCEL', 'tcg').replace('tcg', 'qemu'))
        top.find('devices/emulator').text = str(self.qemu)

    def add_guest(self, top):
        line = machine.boot(self.context.build, self.context.kernel,
                            self.initramfs)[-1]
        for name, text in (('kernel', self.kernel),
                           ('initrd', self.initramfs), ('cmdline', line)):
            ET.SubElement(top.find('os'), name).text = str(text)
        for number, name in enumerate(PORTS):
            serial = ET.SubElement(top.find('devices'), 'serial', type='unix')
            ET.SubElement(serial, 'source', mode='connect',
                          path=str(self.socket_path(name)))
            ET.SubElement(serial, 'target', type='isa-serial',
                          port=str(number))

    def socket_path(self, name):
        return self.files / f'{name}.sock'

    def example(self, name):
        return self.adapt(example(name))


class Connection(machine.Channel):
    """A serial port of the guest: QEMU has connected to a socket here."""

    def __init__(self, here):  # pylint: disable=super-init-not-called
        self.here = here
        self.here.setblocking(False)
        self.buffer = bytearray()
        self.open = True


class Process:
    """A QEMU that is not this program's child."""

    returncode = 'unknown'

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        return None if alive(self.pid) else self.returncode


class Guest(machine.Machine):
    """The guest of a domain, once that is started. Use it as a context.

    Its serial ports are the harness's channels, its monitor is virsh.
    """

    # pylint: disable=super-init-not-called
    def __init__(self, stage, session, name, deadline=240):
        self.stage = stage
        self.session = session
        self.name = name
        self.folder = stage.files
        self.end = time.monotonic() + deadline * PATIENCE
        self.console_text = ''
        self.expected = None
        self.process = None
        self.socket = {}
        self.listeners = {}

    def __enter__(self):
        for name in PORTS:
            path = self.stage.socket_path(name)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            listener.listen()
            self.stage.place.give(path)
            self.listeners[name] = listener
        return self

    def __exit__(self, *_):
        for channel in self.socket.values():
            channel.here.close()
        for name, listener in self.listeners.items():
            listener.close()
            self.stage.socket_path(name).unlink()

    @property
    def log(self):
        return self.session.log_path(self.name)

    def attach(self, session=None):
        """Talk to the QEMU that has just been started."""
        self.session = session or self.session
        self.process = Process(self.session.pid(self.name))
        if self.socket:
            self.poll()
        for name, listener in self.listeners.items():
            listener.settimeout(20 * PATIENCE)
            if name in self.socket:
                self.socket[name].here.close()
            self.socket[name] = Connection(listener.accept()[0])

    def boot(self):
        self.attach()
        self.wait_for(self.ready, 90, 'the guest to boot')

    def ask(self, command, arguments):
        return self.session.ask(self.name, command, arguments)

    def plug(self, xml, alias):
        path = self.stage.place.write(self.stage.files / 'device.xml', xml)
        self.session.must('attach-device', self.name, path)
        self.device(alias)

    def unplug(self, alias):
        """Until libvirt knows no such device any more."""
        self.session.must('detach-device-alias', self.name, alias)
        element = f"<alias name='{alias}'/>"
        until(lambda: element not in self.session.must('dumpxml', self.name),
              40, f'{alias} to go')

    def save_and_restore(self):
        """The QEMU that goes on is another one."""
        before = self.process.pid
        self.session.must('managedsave', self.name)
        if alive(before):
            raise MachineError('the QEMU that was saved is still there')
        self.session.must('start', self.name)
        self.attach()

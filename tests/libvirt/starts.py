# SPDX-License-Identifier: GPL-2.0-or-later
"""Domains that are started and do not run: their devices are all there."""

import contextlib
import re
from pathlib import Path

from domain import Stage, example
from session import Place, Session, cli, need_libvirt, need_native_libvirt

MIB = 1 << 20
BALLOON = "<memballoon model='none'/>"


def element(name):
    """A device, as it could be within a domain."""
    return example(name).partition('-->')[2]


class Starts:
    """Tries of the user guide's examples, with something replaced in each."""

    def __init__(self, context, stage, session):
        self.tap = context.tap
        self.stage = stage
        self.session = session

    @contextlib.contextmanager
    def start(self, name, *changes):
        """The domain's name, and what virsh says when it is to start."""
        text = example(name)
        for old, new in changes:
            if text.count(old) != 1:
                raise ValueError(f'{old} is not once in {name}')
            text = text.replace(old, new)
        xml = self.stage.adapt(text, guest=False)
        domain = re.search('<name>(.*)</name>', xml)[1]
        try:
            path = self.write(name, xml)
            answer = self.session.virsh('define', path)
            if answer[0] == 0:
                answer = self.session.virsh('start', domain, '--paused')
            yield domain, answer
        finally:
            if domain in self.session.must('list', '--all', '--name').split():
                self.session.forget(domain)

    def write(self, name, text):
        """A file for virsh."""
        return self.stage.place.write(self.stage.files / Path(name).name, text)

    def plug(self, domain, xml):
        path = self.write('device.xml', self.stage.adapt(xml))
        self.session.must('attach-device', domain, path)

    def save_and_start(self, domain):
        self.session.must('managedsave', domain)
        return self.session.virsh('start', domain, '--paused')

    def check(self, domain, alias, **wanted):
        for name, value in wanted.items():
            name = name.replace('_', '-')
            self.tap.equal(self.session.property(domain, alias, name), value,
                           f'{domain}: {alias} has {name}={value}')

    def refused(self, what, words, answer, log=''):
        """In libvirt's answer or, where it keeps that to itself, in a log."""
        status, output = answer
        output += log
        self.tap.ok(status != 0, f'{what}: does not start', output)
        self.tap.ok(re.search(words, output), f'{what}: {words}', output)


def run(cases, description, native=False):
    """What all programs of this kind do; `native`: with our own libvirt."""
    def test(context):
        libvirt = need_native_libvirt(context.build) if native \
            else need_libvirt()
        context.kernel = context.build.any_kernel()
        with Place() as place:
            stage = Stage(context, place)
            with Session(place, libvirt=libvirt) as session:
                for case in cases:
                    case(Starts(context, stage, session))
    options = cli.parser(description, kernel=False).parse_args()
    return cli.run(test, options)

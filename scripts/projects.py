# SPDX-License-Identifier: GPL-2.0-or-later
"""The projects that our files and semantic patches are for."""

import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


class Failure(Exception):
    """A problem the user must see, told in one message."""


class Project:
    """What tells a source tree of one project from another's.

    `landmark` is a file that every version has. `version` is where it says its
    version, and how; `macros` is a file of its own for spatch, if there is one.
    """

    def __init__(self, name, rules, landmark, version, macros=None):
        self.name = name
        self.rules = os.path.join(HERE, rules)
        self.landmark = landmark
        self.version_file, self.version_pattern = version
        self.macros = macros

    def version(self, source):
        path = os.path.join(source, self.version_file)
        try:
            with open(path, encoding='utf-8') as f:
                return re.search(self.version_pattern, f.read())[1]
        except (OSError, TypeError):
            raise Failure(f'{source} is not a {self.name} source tree: {path} '
                          'names no version') from None


PROJECTS = [
    Project('QEMU', 'coccinelle', 'hw/virtio/virtio.c', ('VERSION', r'(\S+)'),
            'scripts/cocci-macro-file.h'),
    Project('libvirt', 'coccinelle-libvirt', 'src/conf/domain_conf.c',
            ('meson.build', r"version: '([\d.]+)'")),
]


def project_of(source):
    for project in PROJECTS:
        if os.path.exists(os.path.join(source, project.landmark)):
            return project
    names = ' or '.join(project.name for project in PROJECTS)
    raise Failure(f'{source} is not a source tree of {names}')

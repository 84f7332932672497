# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The labels of containers in containerd's metadata database, meta.db (core/metadata/buckets.go).

A sandbox has the labels of its pod there. The API needs gRPC; the database is a BoltDB file, which a running
containerd has locked.
"""

from __future__ import annotations

import typing as t

from .. import model
from . import boltdb

_VERSION = b"v1"
_CONTAINERS = b"containers"
_LABELS = b"labels"

Labels = t.Dict[str, str]
# Namespace and ID of a container.
Key = t.Tuple[str, str]


def path(root: str) -> str:
    """The path of the database below containerd's root directory."""
    return f"{root}/io.containerd.metadata.v1.bolt/meta.db"


def read(
    database_path: str, keys: t.Collection[Key], deadline: float
) -> dict[Key, Labels | model.EngineError]:
    """The labels of each of these containers that the database has, or why they could not be read.

    Raises EngineError.
    """

    def find(database: boltdb.Database) -> dict[Key, Labels | model.EngineError]:
        found: dict[Key, Labels | model.EngineError] = {}
        for namespace, bucket in _buckets(database, database.root().get(_VERSION)):
            if not any(namespace == key[0] for key in keys):
                continue
            containers = dict(_buckets(database, bucket)).get(_CONTAINERS.decode())
            for identity, container in _buckets(database, containers):
                key = namespace, identity
                if key not in keys:
                    continue
                try:
                    found[key] = _labels(database, container)
                except (model.EngineError, *boltdb.TRUNCATED) as error:
                    database.check_deadline()
                    found[key] = model.EngineError(f"its labels in {database_path}: {error}")
        return found

    return boltdb.read_live(database_path, find, deadline)


def _buckets(
    database: boltdb.Database, parent: boltdb.Item | None
) -> t.Iterator[tuple[str, boltdb.Item]]:
    if parent is not None and parent.is_bucket:
        for key, item in database.items(parent):
            if item.is_bucket:
                yield key.decode(errors="replace"), item


def _labels(database: boltdb.Database, container: boltdb.Item) -> Labels:
    labels = dict(_buckets(database, container)).get(_LABELS.decode())
    if labels is None:
        return {}
    return {
        key.decode(errors="replace"): value.decode(errors="replace")
        for key, value in database.values(labels).items()
    }

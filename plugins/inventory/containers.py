# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin, which makes a host of each container and pod in facts that were gathered."""

from __future__ import annotations

DOCUMENTATION = r"""
name: containers
short_description: Containers and pods as hosts whose tasks run in their network namespaces
version_added: 1.1.0
description:
  - Makes a host of each container and pod in the facts of M(linuxnet.netns.netns_facts). A task on such a host runs on
    the host of the container, in the network namespace of the container.
  - Reads facts that were gathered before, and connects to no host.
  - Each of these hosts refers to the connection variables of the container's host, and enters the namespace by the
    become plugin P(linuxnet.netns.netns#become). If the container has restarted since the facts were gathered, tasks on
    it fail, and do not run in another namespace.
  - The file must have a name that ends with C(netns.yml) or C(netns.yaml).
author:
  - The linuxnet.netns developers (@linuxnet)
extends_documentation_fragment:
  - ansible.builtin.constructed
options:
  plugin:
    description:
      - The name of this plugin.
    type: str
    required: true
    choices: [linuxnet.netns.containers]
  source:
    description:
      - Where the facts are.
      - V(cache) is the fact cache, as C(fact_caching) configures it. The cache plugin must keep facts from run to run,
        as C(jsonfile) does.
      - Otherwise the path of a file in which the playbook C(linuxnet.netns.facts) wrote the facts as JSON. A relative
        path is relative to the directory of this inventory file.
    type: str
    default: cache
  kinds:
    description:
      - Which namespaces become hosts. A namespace that several containers share is a host for each of them.
      - V(named) are namespaces without containers that have a name or another pin, and V(process) are those that only
        processes keep.
    type: list
    elements: str
    choices: [container, pod, named, process]
    default: [container, pod]
  hostnames:
    description:
      - Templates for the names of the hosts. The plugin uses the first one whose placeholders all have values, and
        whose result no other host or group has.
      - The placeholders are C({name}), C({host}), C({engine}), C({short_id}), C({pod}), C({pod_namespace}) and
        C({inode}). C({host}) is the name of the container's host in the inventory. The C({name}) of a pod is
        C(NAMESPACE_POD), or C(POD) where pods have no namespace.
      - Letters, digits, and the characters C(_), C(.) and C(-) remain, and others become C(_).
      - A name that several containers would have goes to none of them. Their names then also contain the engine, the
        inode or the id, and the plugin warns.
    type: list
    elements: str
    default: ["{name}.{host}"]
notes:
  - Give this file after the inventory that contains the hosts of the containers, for example with C(-i hosts.ini -i
    netns.yml). The plugin leaves out the facts of hosts that the inventory does not contain. If the inventory contains
    no hosts, a file is read in full, and the cache for C(localhost).
  - The plugin refers to the connection variables that a host has in the inventory, in C(host_vars) and in C(group_vars)
    beside the inventory. It cannot see C(group_vars) beside a playbook.
  - "The hosts are in the group C(netns_ENGINE), for example C(netns_docker). They have the variables C(netns_host),
    C(netns_engine), C(netns_pod) and C(netns_containers), with values as in the facts. The first item of
    C(netns_containers) is the container that the host stands for, and the others share its namespace."
  - Values from the facts, such as labels, are never templates.
  - The variable C(ansible_become) has precedence over the keyword C(become). To run a task on the container's host
    outside the namespace, set C(ansible_become) to V(false) in C(vars) of the task, or delegate it to C(netns_host).
seealso:
  - plugin: linuxnet.netns.netns
    plugin_type: become
  - plugin: linuxnet.netns.netns_target
    plugin_type: filter
  - module: linuxnet.netns.netns_facts
"""

EXAMPLES = r"""
# netns.yml, used as: ansible -i hosts.ini -i netns.yml netns_docker -m ansible.builtin.setup -a gather_subset=network
plugin: linuxnet.netns.containers
# With `source: cache`, the plugin reads the cache of facts. This file is the result of
# ansible-playbook linuxnet.netns.facts -i hosts.ini -e netns_dest=fleet.json
source: fleet.json
# The other lines are not required.
kinds: [pod]
keyed_groups:
  # The pods of the Kubernetes namespace shop are in the group namespace_shop.
  - prefix: namespace
    key: netns_pod.namespace
groups:
  # All containers with this label are in the group front.
  front: netns_containers | selectattr('labels.tier', 'defined') | selectattr('labels.tier', 'eq', 'front')
compose:
  image: netns_containers[0].image
"""

import json
import os
import re
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleParserError
from ansible.inventory.helpers import get_group_vars
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible.plugins.loader import cache_loader
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources

from ..plugin_utils import _fleet_inventory
from ..plugin_utils._fleet_schema import FleetError, facts_by_host

try:
    from ansible.template import trust_as_template as _template
except ImportError:
    # Before ansible-core 2.19, each text that a plugin sets is a template, unless it is marked as data.
    from ansible.utils.unsafe_proxy import wrap_var as _data

    def _template(text: str) -> str:
        return text

else:

    def _data(value: t.Any) -> t.Any:
        # Without the marks of templates that the value may have.
        return json.loads(json.dumps(value))


BECOME_METHOD = "linuxnet.netns.netns"
_CACHE = "cache"
_FILES = ("netns.yml", "netns.yaml")
# How to become root on the container's host is the become plugin's, as it is there for the host itself; the rest
# of these variables would choose another plugin, or another user in the namespace.
_CONNECTION = re.compile(
    r"ansible_(?!become$|become_method$|become_user$|netns$|netns_user$|host$)\w+"
)
# What Ansible sets for a localhost that the inventory does not contain.
_IMPLICIT = {
    "ansible_connection": "local",
    "ansible_python_interpreter": _template("{{ ansible_playbook_python }}"),
}


class InventoryModule(BaseInventoryPlugin, Constructable):  # type: ignore[misc]
    """The plugin as Ansible loads it."""

    NAME = "linuxnet.netns.containers"

    def verify_file(self, path: str) -> bool:
        """Whether a source may be one of this plugin."""
        return bool(super().verify_file(path)) and path.endswith(_FILES)

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Add the hosts of a source to the inventory."""
        super().parse(inventory, loader, path, cache=cache)
        self._read_config_data(path)
        # Another source of this plugin may have been read before.
        parents = [name for name, host in inventory.hosts.items() if "netns_host" not in host.vars]
        source = self.get_option("source")
        facts = self._cached(parents) if source == _CACHE else self._read(source, path)
        if parents:
            facts = {host: facts[host] for host in parents if host in facts}
        taken = {*inventory.hosts, *inventory.groups, *C.LOCALHOST}
        try:
            fleet = facts_by_host({host: facts[host] for host in sorted(facts)})
            result = _fleet_inventory.build(
                fleet, self.get_option("hostnames"), self.get_option("kinds"), taken
            )
        except FleetError as error:
            raise AnsibleParserError(str(error)) from error
        self._warn(source, fleet, result)
        connections: dict[str, dict[str, t.Any]] = {}
        for host in result.hosts:
            if host.host not in connections:
                connections[host.host] = self._connection(host.host)
            self._add(host, connections[host.host])

    def _warn(self, source: str, fleet: t.Mapping[str, t.Any], hosts: t.Any) -> None:
        if not any(fleet.values()):
            place = "fact cache" if source == _CACHE else source
            self.display.warning(
                f"there are no facts of network namespaces in the {place} for hosts of the inventory: gather "
                "them by the playbook linuxnet.netns.facts"
            )
        if hosts.renamed:
            names = ", ".join(hosts.renamed)
            self.display.warning(
                f"these hosts would have the names of others, and have longer names: {names}"
            )
        for problem in hosts.problems:
            self.display.warning(problem)

    def _cached(self, hosts: t.Sequence[str]) -> dict[str, t.Any]:
        cache = cache_loader.get(C.CACHE_PLUGIN)
        # Without an inventory, Ansible has one host.
        return {host: cache.get(host) for host in hosts or ["localhost"] if cache.contains(host)}

    def _read(self, source: str, path: str) -> dict[str, t.Any]:
        file = os.path.join(os.path.dirname(path), os.path.expanduser(source))
        try:
            with open(file, encoding="utf-8") as stream:
                facts = json.load(stream)
        except (OSError, ValueError) as error:
            raise AnsibleParserError(f"{file} could not be read: {error}") from error
        if not isinstance(facts, dict) or "namespaces" in facts:
            raise AnsibleParserError(
                f"{file} does not contain the facts of hosts by name: write it by the playbook linuxnet.netns.facts, "
                "with netns_dest"
            )
        return facts

    def _connection(self, host: str) -> dict[str, t.Any]:
        """The variables of a host that say how to connect to it, as references to them."""
        if host not in self.inventory.hosts:
            return _IMPLICIT if host in C.LOCALHOST else {"ansible_host": _data(host)}
        references = {
            name: _template(f"{{{{ hostvars[netns_host].{name} }}}}")
            for name in self._variables(host)
            if _CONNECTION.fullmatch(name)
        }
        address = _template("{{ hostvars[netns_host].ansible_host | default(netns_host) }}")
        return {**references, "ansible_host": address}

    def _variables(self, name: str) -> dict[str, t.Any]:
        """What the inventory has of a host: its variables, those of its groups, and those of vars plugins."""
        host = self.inventory.hosts[name]
        groups = {group.name: group for group in host.get_groups()}
        # Ansible adds all hosts to this group after it has read all sources.
        groups.setdefault("all", self.inventory.groups["all"])
        entities = [*groups.values(), host]
        sources = getattr(self.inventory, "processed_sources", [])
        plugins = get_vars_from_inventory_sources(self.loader, sources, entities, "all")
        variables = combine_vars(get_group_vars(groups.values()), host.vars)
        return dict(combine_vars(variables, plugins))

    def _add(self, host: t.Any, connection: t.Mapping[str, t.Any]) -> None:
        name = self.inventory.add_host(host.name)
        if host.engine:
            group = self.inventory.add_group(self._sanitize_group_name(f"netns_{host.engine}"))
            self.inventory.add_child(group, name)
        variables = {
            **connection,
            "ansible_become": True,
            "ansible_become_method": BECOME_METHOD,
            "ansible_netns": _data(host.target),
            "netns_host": _data(host.host),
            "netns_engine": _data(host.engine),
            "netns_pod": _data(host.pod),
            "netns_containers": _data(host.containers),
        }
        for variable, value in variables.items():
            self.inventory.set_variable(name, variable, value)
        options = {
            option: self.get_option(option) for option in ("compose", "groups", "keyed_groups")
        }
        if not any(options.values()):
            return
        strict = self.get_option("strict")
        self._set_composite_vars(options["compose"], self._vars_of(name), name, strict=strict)
        self._add_host_to_composed_groups(
            options["groups"], self._vars_of(name), name, strict=strict
        )
        self._add_host_to_keyed_groups(
            options["keyed_groups"], self._vars_of(name), name, strict=strict
        )

    def _vars_of(self, name: str) -> t.Any:
        return self.inventory.get_host(name).get_vars()

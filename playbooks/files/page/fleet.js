// Copyright: (c) 2026, The linuxnet.netns developers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Reads the facts of all hosts from the columns that plugins/plugin_utils/_fleet_columns.py describes, and searches
// in them. The columns stay as they are: a search compares each distinct text once, and only the hosts that are asked
// for become objects.
"use strict";

/* exported openFleet */
const openFleet = (json) => {
  // ---- Columns ----

  // The numbers of a column, -1 for null.
  const unpack = (column, length) => {
    const numbers = new Int32Array(length);
    let appeared = 0;
    for (let index = 0; index < length; index++) {
      const number = Array.isArray(column) ? column[index] : column;
      numbers[index] = number === 0 ? appeared++ : number < 0 ? -1 : number - 1;
    }
    return numbers;
  };

  // Scalars have values, lists have starts and an item, and records have fields. The numbers of a field are the rows of its shape.
  const readField = ([column, shape], length) => ({ numbers: unpack(column, length), shape: readShape(shape) });
  const readShape = (shape) => {
    if (Array.isArray(shape)) return { rows: shape.length, values: shape, texts: new Map() };
    if (shape.fields) {
      const fields = new Map(Object.entries(shape.fields).map(([name, field]) => [name, readField(field, shape.rows)]));
      return { rows: shape.rows, fields, texts: new Map() };
    }
    const starts = new Int32Array(shape.lengths.length + 1);
    shape.lengths.forEach((length, row) => { starts[row + 1] = starts[row] + length; });
    const rows = shape.lengths.length;
    return { rows, starts, item: readField(shape.items, starts[rows]), texts: new Map() };
  };

  const valueAt = (shape, row) => {
    if (row < 0) return null;
    if (shape.values) return shape.values[row];
    if (shape.fields) {
      const value = {};
      for (const [name, field] of shape.fields) value[name] = valueAt(field.shape, field.numbers[row]);
      return value;
    }
    const { numbers, shape: item } = shape.item;
    return Array.from(numbers.subarray(shape.starts[row], shape.starts[row + 1]), (number) => valueAt(item, number));
  };

  const data = JSON.parse(json);
  const hosts = data.hosts;
  const { numbers: factsRows, shape: factsShape } = readField(data.facts, hosts.length);
  const namespaceLists = factsShape.fields.get("namespaces");
  const namespaceItem = namespaceLists.shape.item;
  const namespaces = namespaceItem.shape;
  // Reads one field of the namespace in a row.
  const reader = (name) => {
    const { numbers, shape } = namespaces.fields.get(name);
    return (row) => valueAt(shape, numbers[row]);
  };
  const [inodeAt, namesAt, staleAt, isHostAt] = ["inode", "names", "stale", "is_host"].map(reader);

  // A namespace is known by its position among those of all hosts: equal facts of two hosts are stored once.
  const firstOfHost = new Int32Array(hosts.length + 1);
  const listOf = (host) => (factsRows[host] < 0 ? -1 : namespaceLists.numbers[factsRows[host]]);
  const rangeOf = (host) => {
    const list = listOf(host);
    return list < 0 ? [0, 0] : [namespaceLists.shape.starts[list], namespaceLists.shape.starts[list + 1]];
  };
  hosts.forEach((_name, host) => {
    const [start, end] = rangeOf(host);
    firstOfHost[host + 1] = firstOfHost[host] + end - start;
  });
  const count = firstOfHost[hosts.length];
  const rowOf = new Int32Array(count);
  hosts.forEach((_name, host) => rowOf.set(namespaceItem.numbers.subarray(...rangeOf(host)), firstOfHost[host]));

  // One part of the facts of a host, as the facts contain it.
  const partOf = (host, name) => {
    if (factsRows[host] < 0) return null;
    const field = factsShape.fields.get(name);
    return valueAt(field.shape, field.numbers[factsRows[host]]);
  };
  const namespacesOf = (host) => {
    const list = partOf(host, "namespaces") || [];
    for (const namespace of list) {
      for (const { peer } of namespace.interfaces || []) {
        if (!peer) continue;
        // A peer refers to the position of its namespace in the facts. It has its own names only if they are others.
        const other = list[peer.inode];
        if (other && !peer.names) peer.names = other.names;
        peer.inode = other ? other.inode : -1 - peer.inode;
      }
    }
    return list;
  };

  const isStale = (position) => staleAt(rowOf[position]) === true;

  // ---- Findings of the doctor, and published ports ----

  // The positions that a finding is about. On the host's own namespace also what is about an interface alone.
  const subjectsOf = (host, { inode, names, interface: iface }) => {
    const subjects = [];
    for (let position = firstOfHost[host]; position < firstOfHost[host + 1]; position++) {
      const row = rowOf[position];
      if (inode !== null ? inodeAt(row) === inode
        : (iface && isHostAt(row)) || (names || []).some((name) => (namesAt(row) || []).includes(name))) subjects.push(position);
    }
    return subjects;
  };
  // For each host with findings: the findings, each with the positions that it is about.
  const findings = new Map();
  hosts.forEach((_name, host) => {
    const found = partOf(host, "findings");
    if (found && found.length) findings.set(host, found.map((finding) => ({ finding, subjects: subjectsOf(host, finding.subject || {}) })));
  });
  const findingsAt = (host, position) => (findings.get(host) || [])
    .filter(({ subjects }) => subjects.includes(position)).map(({ finding }) => finding);

  // ---- Search ----

  // What a word is compared with: a part of a text, or the beginning, or one line of it.
  const ANYWHERE = { matches: (text, word) => text.includes(word) };
  const BEGINNING = { matches: (text, word) => text.startsWith(word) };
  const LINE_BEGINNING = { matches: (text, word) => text.includes(`\n${word}`) };
  const LINE = { matches: (text, word) => text.includes(`\n${word}\n`) };
  const podName = (pod) => [pod.namespace, pod.name].filter(Boolean).join("/");
  const ANY_ADDRESS = ["0.0.0.0", "::"];
  const endpoint = (address, port) => (ANY_ADDRESS.includes(address) ? `:${port}`
    : address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`);
  // The whole number of a port, with or without its address and protocol.
  const PORT = { ...LINE, text: ({ protocol, address, port }) => {
    const ends = [`:${port}`, endpoint(address, port)];
    return ["", `${port}/${protocol}`, ...ends, ...ends.map((end) => `${end}/${protocol}`), ""].join("\n");
  } };
  const POD = { ...ANYWHERE, text: podName };
  const LABEL = { ...ANYWHERE, text: ({ key, value }) => `${key}=${value}` };
  const PIN = { ...LINE_BEGINNING, text: (pin) => `\n${pin}\n${pin.split("/").pop()}` };
  const STALE = { ...ANYWHERE, text: (stale) => (stale ? "stale" : "") };
  const FINDING = { check: ANYWHERE, severity: ANYWHERE, message: ANYWHERE };
  const SEARCHED = {
    kind: ANYWHERE, engine: ANYWHERE, user: ANYWHERE, machine: ANYWHERE, unit: ANYWHERE, stale: STALE, names: ANYWHERE,
    inode: BEGINNING, pins: PIN, pod: [POD, { uid: BEGINNING }],
    containers: { name: ANYWHERE, image: ANYWHERE, labels: LABEL, id: BEGINNING },
    interfaces: { name: ANYWHERE, altnames: ANYWHERE, addresses: ANYWHERE, mac: BEGINNING },
    listeners: [PORT, { processes: { name: ANYWHERE } }],
  };
  const PEERS = { interfaces: { peer: { interface: ANYWHERE, master: ANYWHERE } } };

  // The texts of the rows of a shape, in lower case. Most of them are already, so that this takes no memory.
  const textsOf = (shape, test) => {
    const key = test.text || null;
    if (!shape.texts.has(key)) {
      shape.texts.set(key, Array.from({ length: shape.rows }, (_none, row) => {
        const value = valueAt(shape, row);
        return value === null ? "" : String(test.text ? test.text(value) : value).toLowerCase();
      }));
    }
    return shape.texts.get(key);
  };

  // 1 for each row of a shape in which a word is found.
  const rowsWith = (shape, searched, word) => {
    const found = new Uint8Array(shape.rows);
    for (const one of [searched].flat()) {
      if (shape.starts) {
        const items = rowsWith(shape.item.shape, one, word);
        const { numbers } = shape.item;
        for (let row = 0; row < shape.rows; row++) {
          for (let index = shape.starts[row]; index < shape.starts[row + 1]; index++) found[row] |= items[numbers[index]];
        }
      } else if (one.matches) {
        textsOf(shape, one).forEach((text, row) => { if (one.matches(text, word)) found[row] = 1; });
      } else {
        for (const [name, within] of Object.entries(one)) {
          const { numbers, shape: inner } = shape.fields.get(name);
          const rows = rowsWith(inner, within, word);
          for (let row = 0; row < shape.rows; row++) if (numbers[row] >= 0) found[row] |= rows[numbers[row]];
        }
      }
    }
    return found;
  };

  // The positions with a word: all of a host with it in its name, and those that a finding or a published port is of.
  const positionsWith = (word) => {
    const rows = rowsWith(namespaces, SEARCHED, word);
    const peers = rowsWith(namespaces, PEERS, word);
    const found = new Uint8Array(count);
    for (let position = 0; position < count; position++) {
      const row = rowOf[position];
      // Not for the host's own namespace, which has peers in every other one.
      found[position] = rows[row] | (peers[row] && !isHostAt(row));
    }
    const forwards = factsShape.fields.get("forwards");
    const published = rowsWith(forwards.shape.item.shape, PORT, word);
    const findingRows = rowsWith(factsShape.fields.get("findings").shape.item.shape, FINDING, word);
    const rowsIn = (name, host) => {
      const { numbers, shape } = factsShape.fields.get(name);
      const list = factsRows[host] < 0 ? -1 : numbers[factsRows[host]];
      return list < 0 ? [] : shape.item.numbers.subarray(shape.starts[list], shape.starts[list + 1]);
    };
    hosts.forEach((name, host) => {
      if (name.toLowerCase().includes(word)) found.fill(1, firstOfHost[host], firstOfHost[host + 1]);
      rowsIn("findings", host).forEach((row, index) => {
        if (findingRows[row]) for (const position of findings.get(host)[index].subjects) found[position] = 1;
      });
      for (const row of rowsIn("forwards", host)) {
        if (!published[row]) continue;
        const { inode } = valueAt(forwards.shape.item.shape, row);
        for (let position = firstOfHost[host]; position < firstOfHost[host + 1]; position++) {
          if (inode !== null && inodeAt(rowOf[position]) === inode) found[position] = 1;
        }
      }
    });
    return found;
  };

  return {
    hosts,
    count,
    firstOfHost,
    // Where there are no facts, there can be findings.
    has: (host) => listOf(host) >= 0,
    partOf,
    namespacesOf,
    findingsOf: (host) => findings.get(host) || [],
    findingsAt,
    podName,
    endpoint,
    staleCount: Array.from(rowOf.keys()).filter(isStale).length,
    // 1 for each position with all of these words; all of them, where there are none.
    search: (words, onlyStale) => {
      const found = new Uint8Array(count).fill(1);
      for (const word of words) {
        const having = positionsWith(word);
        for (let position = 0; position < count; position++) found[position] &= having[position];
      }
      if (onlyStale) for (let position = 0; position < count; position++) if (found[position] && !isStale(position)) found[position] = 0;
      return found;
    },
  };
};

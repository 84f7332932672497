// Copyright: (c) 2026, The linuxnet.netns developers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Renders the facts of netns_facts as a list, a graph and details. Cytoscape draws the graph, dagre lays it out. Of many
// hosts, only those are drawn that can be seen: rows near the visible part of the list, and some hosts in the picture.
// Texts from the facts reach the page through textContent or as labels on the canvas, never as markup.
"use strict";

(() => {
  const fleet = openFleet(document.getElementById("facts").textContent);
  const { podName, endpoint } = fleet;
  const byId = (id) => document.getElementById(id);

  // The columns of the graph, from left to right. A node stays in its column even if nothing leads to it.
  const COLUMN = { nic: 1, bridge: 2, port: 3, inner: 4, namespace: 5 };
  const IN_EVERY_NAMESPACE = /^(127\.|::1\/|fe80:)/;
  // Devices that the kernel creates in every namespace as soon as their module is loaded.
  const FALLBACK_DEVICES = /^(tunl|gre|gretap|erspan|ip_vti|ip6_vti|sit|ip6tnl|ip6gre)0$/;
  const MAX_LABEL_WIDTH = 260;
  // The picture shows as many hosts as have this number of nodes together, and at least one.
  const MAX_NODES = 400;
  const NODES_PER_STEP = 150;
  const HOSTS_PER_STEP = 4;
  // A list with more rows or blocks of rows than this only contains those near its visible part.
  const MAX_ROWS = 500;
  const ROWS_PER_BLOCK = 100;
  const MAX_BLOCKS = 50;
  const ROW_HEIGHT = 46;
  const MAX_HOSTS_KEPT = 32;
  // On a bridge with more ports than this, the last ones are far from it, so the label of each repeats its name.
  const MAX_PLAIN_PORTS = 12;
  const LEGEND = {
    nic: "interface of the host", bridge: "bridge", port: "host's end of a veth pair", inner: "interface in a namespace",
    container: "container", pod: "pod", named: "named", process: "process", stale: "stale",
  };

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const naturalOrder = new Intl.Collator(undefined, { numeric: true });
  const byTitle = (a, b) => naturalOrder.compare(a.title, b.title);

  // ---- The namespaces ----

  const addressesOf = (iface) => (iface.addresses || []).filter((address) => !IN_EVERY_NAMESPACE.test(address));
  const containerNames = (ns) => (ns.containers || []).map((container) => container.name);

  const titleOf = (ns) => {
    if (ns.is_host) return "the host itself";
    if (ns.pod) return podName(ns.pod);
    const process = ns.processes && ns.processes.first && ns.processes.first[0];
    return containerNames(ns).join(", ") || ns.machine || ns.unit || (ns.network && `network ${ns.network.name || ns.network.id}`)
      || (ns.names || [])[0] || (process && process.command) || `net:[${ns.inode}]`;
  };

  const processNames = (listener) => (listener.processes || [])
    .map(({ pid, name, container }) => `${name} (${pid})${container ? ` of ${container}` : ""}`);
  const SEVERITIES = ["error", "warning", "note"];
  const worstOf = (findings) => SEVERITIES.find((severity) => findings.some((finding) => finding.severity === severity));

  const hostNumbers = new Map(fleet.hosts.map((host, number) => [host, number]));
  // Keeps the last few things that were asked for.
  const memoize = (size, compute) => {
    const kept = new Map();
    return (key) => {
      const value = kept.has(key) ? kept.get(key) : compute(key);
      kept.delete(key);
      kept.set(key, value);
      if (kept.size > size) kept.delete(kept.keys().next().value);
      return value;
    };
  };

  // The namespaces of a host as the list shows them, the host's own first.
  const entriesOf = memoize(MAX_HOSTS_KEPT, (number) => {
    const host = fleet.hosts[number];
    const published = new Map();
    for (const forward of fleet.partOf(number, "forwards") || []) {
      if (!published.has(forward.inode)) published.set(forward.inode, []);
      published.get(forward.inode).push(forward);
    }
    return fleet.namespacesOf(number).map((ns, index) => {
      const position = fleet.firstOfHost[number] + index;
      return {
        host, ns, position, id: `${host}\n${ns.inode}`, title: titleOf(ns), findings: fleet.findingsAt(number, position),
        published: published.get(ns.inode) || [],
      };
    }).sort((a, b) => b.ns.is_host - a.ns.is_host || byTitle(a, b));
  });
  const hostOfId = (id) => id.slice(0, id.lastIndexOf("\n"));
  const entryOf = (id) => {
    const number = hostNumbers.get(hostOfId(id));
    return number === undefined ? undefined : entriesOf(number).find((entry) => entry.id === id);
  };

  // ---- The nodes and edges of one host ----

  const isShown = (iface) => iface.name !== "lo" && !(FALLBACK_DEVICES.test(iface.name) && !addressesOf(iface).length);

  // How many peers lead from the host's own namespace to each other one.
  const distances = (namespaces) => {
    const neighbors = new Map(namespaces.map((ns) => [ns.inode, new Set()]));
    for (const ns of namespaces) {
      for (const iface of ns.interfaces || []) {
        // Both directions: the parent of a macvlan has no peer in the facts.
        if (!iface.peer || !neighbors.has(iface.peer.inode)) continue;
        neighbors.get(ns.inode).add(iface.peer.inode);
        neighbors.get(iface.peer.inode).add(ns.inode);
      }
    }
    const distance = new Map();
    const hostFirst = [...namespaces].sort((a, b) => b.is_host - a.is_host);
    for (const start of hostFirst.map((ns) => ns.inode)) {
      if (distance.has(start)) continue;
      distance.set(start, 0);
      const queue = [start];
      for (const inode of queue) {
        for (const neighbor of neighbors.get(inode)) {
          if (distance.has(neighbor)) continue;
          distance.set(neighbor, distance.get(inode) + 1);
          queue.push(neighbor);
        }
      }
    }
    return distance;
  };

  const neighborsOf = (edges, from, to) => {
    const neighbors = new Map();
    for (const edge of edges) {
      if (!neighbors.has(edge[from])) neighbors.set(edge[from], []);
      neighbors.get(edge[from]).push(edge[to]);
    }
    return neighbors;
  };

  const graphOf = memoize(MAX_HOSTS_KEPT, (number) => {
    const host = fleet.hosts[number];
    const nodes = new Map();
    const edges = new Map();
    const inOrder = [...entriesOf(number)].sort((a, b) => a.position - b.position);
    const namespaces = inOrder.map(({ ns }) => ns);
    const distance = distances(namespaces);
    const titles = new Map(inOrder.map(({ ns, title }) => [ns.inode, title]));
    const addNode = (id, data) => {
      if (!nodes.has(id)) nodes.set(id, { id, host, order: data.label, ...data });
      return id;
    };
    const addEdge = (source, target) => {
      if (source !== target) edges.set(`${source}\n${target}`, { id: `${source}\n>\n${target}`, source, target });
    };
    const idOf = (inode, name) => `${host}\n${inode}\n${name}`;
    const nsId = (ns) => `${host}\n${ns.inode}`;
    const interfaceIds = new Set(namespaces.flatMap((ns) => (
      (ns.interfaces || []).filter(isShown).map((iface) => idOf(ns.inode, iface.name)))));
    const labelOf = (iface) => {
      const [first, ...more] = addressesOf(iface);
      return [iface.name, first, more.length ? `+${more.length}` : ""].filter(Boolean).join("  ");
    };

    // Adds a peer whose own namespace is not in the facts.
    const addPeer = (peer) => {
      const id = idOf(peer.inode, peer.interface);
      addNode(id, { type: "port", label: peer.interface });
      if (peer.master) addEdge(addNode(idOf(peer.inode, peer.master), { type: "bridge", label: peer.master }), id);
      return id;
    };

    for (const ns of namespaces) {
      const interfaces = (ns.interfaces || []).filter(isShown);
      const masters = new Set(interfaces.map((iface) => iface.master).filter(Boolean));
      if (!ns.is_host) {
        const stale = ns.stale ? "  (stale)" : "";
        const data = { kind: ns.kind || "named", stale: Boolean(ns.stale), label: titleOf(ns) + stale };
        addNode(nsId(ns), { type: "namespace", ...data });
      }
      const portCounts = new Map();
      for (const { master } of interfaces) portCounts.set(master, (portCounts.get(master) || 0) + 1);
      for (const iface of interfaces) {
        const id = idOf(ns.inode, iface.name);
        const peer = iface.peer;
        const leadsOut = peer && peer.inode !== ns.inode && titles.has(peer.inode);
        const leadsAway = leadsOut && distance.get(peer.inode) > distance.get(ns.inode);
        const isBridge = masters.has(iface.name) || iface.kind === "bridge";
        const data = {
          label: labelOf(iface) + (iface.master && portCounts.get(iface.master) > MAX_PLAIN_PORTS ? `  in ${iface.master}` : ""),
          entry: nsId(ns),
          order: leadsOut ? titles.get(peer.inode) : iface.name,
        };
        if (ns.is_host) addNode(id, { type: isBridge ? "bridge" : leadsAway ? "port" : "nic", ...data });
        else {
          addNode(id, { type: isBridge ? "bridge" : "inner", ...data, order: titleOf(ns) });
          if (leadsAway || isBridge) {
            if (!iface.master) addEdge(nsId(ns), id);
          } else if (!iface.master) addEdge(id, nsId(ns));
        }
        if (iface.master) {
          const master = idOf(ns.inode, iface.master);
          if (leadsAway || !(ns.is_host || leadsOut)) addEdge(master, id);
          else addEdge(id, master);
        }
        if (!peer) continue;
        const peerId = idOf(peer.inode, peer.interface);
        if (!interfaceIds.has(peerId)) {
          if (!ns.is_host) addEdge(addPeer(peer), id);
        } else if (peer.inode === ns.inode || distance.get(peer.inode) < distance.get(ns.inode)) addEdge(peerId, id);
      }
    }
    // Not every interface is shown, so an end of an edge may be missing.
    const shown = [...edges.values()].filter((edge) => nodes.has(edge.source) && nodes.has(edge.target));
    return { nodes, edges: shown, next: { source: neighborsOf(shown, "source", "target"), target: neighborsOf(shown, "target", "source") } };
  });

  // All nodes on the paths from some nodes, along the edges and against them.
  const BOTH_WAYS = ["source", "target"];
  const BACKWARD = ["target"];
  const pathOf = (graph, starts, ways = BOTH_WAYS) => {
    const path = new Set(starts);
    for (const way of ways) {
      const queue = [...starts];
      const queued = new Set(queue);
      for (const id of queue) {
        path.add(id);
        for (const nextId of graph.next[way].get(id) || []) {
          if (!queued.has(nextId)) {
            queued.add(nextId);
            queue.push(nextId);
          }
        }
      }
    }
    return path;
  };

  // ---- The graph ----

  let printing = false;
  const color = (name) => {
    const value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    return printing && PRINT_COLORS[name] ? PRINT_COLORS[name] : value;
  };
  // The colors of the print style sheet, which does not apply to a canvas.
  const PRINT_COLORS = {
    text: "#000", border: "#bbb", accent: "#000", box: "#fff", edge: "#777", nic: "#e3e7eb",
    bridge: "#cfe3fb", port: "#edf0f3", inner: "#d3efe9", container: "#d8f0cf", pod: "#e7dbf8", named: "#fbeac1",
    process: "#e6e6e6", stale: "#b00",
  };
  const styles = () => [
    { selector: "node", style: {
      shape: "round-rectangle", height: 24, "font-size": 12,
      "font-family": "system-ui, sans-serif", "text-valign": "center", "text-wrap": "ellipsis",
      "text-max-width": MAX_LABEL_WIDTH, color: color("text"), "border-width": 1, "border-color": color("edge"),
      "background-color": color("port"), "min-zoomed-font-size": 4,
    } },
    { selector: "node[width]", style: { width: "data(width)" } },
    { selector: "node[label]", style: { label: "data(label)" } },
    ...["nic", "bridge", "port", "inner"].map((type) => (
      { selector: `node[type="${type}"]`, style: { "background-color": color(type) } })),
    ...["container", "pod", "named", "process"].map((kind) => (
      { selector: `node[kind="${kind}"]`, style: { "background-color": color(kind) } })),
    { selector: "node[type='namespace']", style: { "font-weight": "bold" } },
    { selector: "node[?stale]", style: { "border-width": 2, "border-style": "dashed", "border-color": color("stale"), color: color("stale") } },
    { selector: "node[type='anchor']", style: { height: 1, opacity: 0, events: "no" } },
    { selector: "node[type='host']", style: {
      "text-valign": "top", "text-halign": "center", "font-size": 16,
      "font-weight": "bold", "text-margin-y": -4, "background-color": color("box"), "border-color": color("border"),
      padding: 16, events: "no", color: color("text"),
    } },
    { selector: "edge", style: { width: 1.5, "line-color": color("edge"), "curve-style": "round-taxi", "taxi-direction": "rightward", "taxi-turn": 18, "taxi-turn-min-distance": 5 } },
    { selector: "edge[?anchor]", style: { opacity: 0, events: "no" } },
    { selector: "node.path", style: { "border-width": 2.5, "border-color": color("accent"), "z-index": 10 } },
    { selector: "edge.path", style: { width: 3, "line-color": color("accent"), "z-index": 10 } },
    { selector: "node.selected", style: { "border-width": 4 } },
    { selector: "node.hovered", style: { "border-color": color("accent") } },
  ];

  const cy = cytoscape({
    container: byId("graph"), elements: [], style: styles(), layout: { name: "preset" }, minZoom: 0.05, maxZoom: 3,
    boxSelectionEnabled: false, autoungrabify: true, autounselectify: true,
  });

  const canvas = document.createElement("canvas").getContext("2d");
  const nodeWidth = (text, bold) => {
    canvas.font = `${bold ? "bold " : ""}12px system-ui, sans-serif`;
    return Math.min(MAX_LABEL_WIDTH, Math.ceil(canvas.measureText(text).width)) + 18;
  };

  let drawTimer = 0;
  const byOrder = (a, b) => naturalOrder.compare(a.order, b.order);

  // Dagre orders equal nodes arbitrarily. So each connected component is flipped if it is upside down, and the
  // components are sorted: interfaces of the host, then bridges, then the others.
  const arrangeComponents = (components, graph) => {
    const byColumn = (a, b) => COLUMN[a.type] - COLUMN[b.type] || byOrder(a, b);
    const sorted = components.map((component) => {
      const data = component.nodes().map((node) => graph.nodes.get(node.id()));
      const first = data.reduce((a, b) => (byColumn(a, b) <= 0 ? a : b));
      const namespaces = data.filter(({ type }) => type === "namespace").sort(byOrder);
      return { nodes: component.nodes(), namespaces, first };
    }).sort((a, b) => byColumn(a.first, b.first));
    let bottom = 0;
    sorted.forEach(({ nodes, namespaces }, index) => {
      const heights = namespaces.map(({ id }) => cy.getElementById(id).position("y"));
      const reversals = heights.filter((y, position) => position && y < heights[position - 1]).length;
      if (reversals * 2 >= namespaces.length) {
        nodes.positions((node) => ({ x: node.position("x"), y: -node.position("y") }));
      }
      const box = nodes.boundingBox({ includeLabels: false });
      const hasGap = nodes.length > 1 || (index && sorted[index - 1].nodes.length > 1);
      nodes.shift("y", bottom + (hasGap ? 12 : 0) - box.y1);
      bottom += box.h + (hasGap ? 18 : 6);
    });
  };

  // Lays out one host. All nodes of a column have one width, so that it reads as a table.
  const layOutHost = (number, ids) => {
    const host = fleet.hosts[number];
    const graph = graphOf(number);
    const nodes = [...graph.nodes.values()].filter((node) => ids.has(node.id)).sort(byOrder);
    // Dagre visits the nodes along the edges, in this order.
    const edges = graph.edges.filter((edge) => ids.has(edge.source) && ids.has(edge.target))
      .sort((a, b) => byOrder(graph.nodes.get(a.target), graph.nodes.get(b.target)));
    const widths = {};
    for (const { type, label } of nodes) {
      widths[type] = Math.max(widths[type] || 60, nodeWidth(label, type === "namespace"));
    }
    const anchor = `${host}\n`;
    const targets = new Set(edges.map((edge) => edge.target));
    const sources = new Set(edges.map((edge) => edge.source));
    // A namespace that only leads to others belongs at the left.
    const column = new Map(nodes.map(({ id, type }) => [id,
      type === "namespace" && sources.has(id) && !targets.has(id) ? COLUMN.bridge : COLUMN[type]]));
    const elements = [
      { data: { id: anchor, host, type: "anchor", width: 1 } },
      ...nodes.map((node) => ({ data: { ...node, width: widths[node.type] } })),
      // Invisible edges hold the nodes without incoming edges in their columns.
      ...nodes.filter(({ id }) => !targets.has(id))
        .map(({ id }) => ({ data: { id: `${anchor}>${id}`, source: anchor, target: id, anchor: 1 } })),
      ...edges.map((edge) => ({ data: edge })),
    ];
    const added = cy.add(elements);
    added.layout({
      name: "dagre", rankDir: "LR", ranker: "tight-tree", nodeSep: 6, rankSep: 44, edgeSep: 4, fit: false, animate: false,
      minLen: (edge) => Math.max(1, column.get(edge.target().id()) - (column.get(edge.source().id()) || 0)),
    }).run();
    arrangeComponents(added.not("[type='anchor']").not("[?anchor]").components(), graph);
    // Move each bridge and interface beside the first node that it leads to, as in an outline.
    for (const type of ["bridge", "nic"]) {
      added.nodes(`[type="${type}"]`).forEach((node) => {
        const next = node.outgoers("node");
        if (next.nonempty()) node.position("y", Math.min(...next.map((nextNode) => nextNode.position("y"))));
      });
    }
    const box = added.nodes().boundingBox({ includeLabels: false });
    const id = `${host}\nhost`;
    cy.add({ data: { id, host, type: "host", label: host } });
    return { added: added.nodes().move({ parent: id }), box, size: nodes.length };
  };

  // The hosts that the search has found, and those among them that are in the picture, from `first` up to `end`. The
  // end is not known while the picture is being drawn.
  const picture = { hosts: [], first: 0, end: null };

  // The nodes of a host that the search has found, with everything on their paths.
  const foundNodesOf = (number) => {
    const graph = graphOf(number);
    if (result.all) return new Set(graph.nodes.keys());
    const found = foundEntriesOf(number);
    const starts = found.filter((entry) => !entry.ns.is_host).map((entry) => entry.id);
    const host = found.find((entry) => entry.ns.is_host);
    const ends = [];
    // Of the host's own interfaces, only those that match, without everything that they lead to.
    for (const [id, data] of host && result.words.length ? graph.nodes : []) {
      if (data.entry === host.id && result.words.every((word) => `${host.host}\n${data.label}`.toLowerCase().includes(word))) {
        (data.type === "port" ? starts : ends).push(id);
      }
    }
    return new Set([...pathOf(graph, ends, BACKWARD), ...pathOf(graph, starts)]);
  };

  // Draws hosts, as many as MAX_NODES allows, in several steps, so that keys and clicks are handled between them.
  const draw = (first) => {
    clearTimeout(drawTimer);
    byId("drawing").setAttribute("aria-busy", "true");
    Object.assign(picture, { first, end: null });
    drawTimer = setTimeout(() => {
      cy.elements().remove();
      drawStep([], first);
    });
  };

  const drawStep = (layouts, next) => {
    const before = layouts.reduce((sum, { size }) => sum + size, 0);
    let nodes = before;
    for (let place = next; place < picture.hosts.length && place - picture.first < MAX_HOSTS_KEPT; place++) {
      const number = picture.hosts[place];
      const ids = foundNodesOf(number);
      if (layouts.length && nodes + ids.size > MAX_NODES) return placeHosts(layouts, place);
      if (place > next && (nodes + ids.size > before + NODES_PER_STEP || place >= next + HOSTS_PER_STEP)) {
        byId("graph").classList.add("unfinished");
        drawTimer = setTimeout(() => drawStep(layouts, place));
        return undefined;
      }
      if (!ids.size) continue;
      layouts.push(layOutHost(number, ids));
      nodes += ids.size;
    }
    return placeHosts(layouts, Math.min(picture.hosts.length, picture.first + MAX_HOSTS_KEPT));
  };

  // Places the hosts below each other, in as many columns as fit into the window.
  const placeHosts = (layouts, end) => {
    const columnWidth = Math.max(1, ...layouts.map(({ box }) => box.w)) + 70;
    const count = Math.max(1, Math.min(layouts.length, Math.floor(cy.width() / columnWidth)));
    const bottoms = new Array(count).fill(0);
    for (const { added, box } of layouts) {
      const column = bottoms.indexOf(Math.min(...bottoms));
      added.shift({ x: column * columnWidth - box.x1, y: bottoms[column] - box.y1 });
      bottoms[column] += box.h + 90;
    }
    picture.end = end;
    const total = picture.hosts.length;
    byId("part").hidden = picture.first === 0 && end === total;
    byId("range").textContent = `Hosts ${picture.first + 1}–${end} of ${total}`;
    byId("previous").disabled = picture.first === 0;
    byId("next").disabled = end === total;
    byId("graph").classList.remove("unfinished");
    byId("drawing").setAttribute("aria-busy", "false");
    resetView();
    markSelection();
    const { whenDrawn } = picture;
    picture.whenDrawn = null;
    if (whenDrawn) whenDrawn();
  };

  // Shows the whole graph if it is legible then, else the top of it.
  const resetView = () => {
    const box = cy.elements().boundingBox();
    if (!box.w) return;
    const fitWidth = (cy.width() - 40) / box.w;
    const zoom = Math.min(1.1, Math.max(0.55, fitWidth));
    const fitAll = Math.min(fitWidth, (cy.height() - 80) / box.h);
    if (fitAll >= zoom * 0.8) {
      cy.zoom(Math.min(1.1, fitAll));
      cy.center();
    } else {
      cy.zoom(zoom);
      cy.pan({ x: Math.max(20, (cy.width() - box.w * zoom) / 2) - box.x1 * zoom, y: 20 - box.y1 * zoom });
    }
  };

  const zoomBy = (factor) => cy.zoom({
    level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 },
  });
  byId("in").onclick = () => zoomBy(1.3);
  byId("out").onclick = () => zoomBy(1 / 1.3);
  byId("whole").onclick = () => cy.fit(undefined, 20);
  byId("print").onclick = () => window.print();
  byId("previous").onclick = () => {
    if (picture.end) draw(Math.max(0, picture.first - (picture.end - picture.first)));
  };
  byId("next").onclick = () => {
    if (picture.end) draw(picture.end);
  };

  // The wheel scrolls the graph, as it does the list. With Ctrl, and on pinching, Cytoscape gets the event and zooms.
  byId("drawing").addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const step = event.deltaMode ? 30 : 1;
    const [x, y] = event.shiftKey ? [event.deltaY, event.deltaX] : [event.deltaX, event.deltaY];
    cy.panBy({ x: -x * step, y: -y * step });
  }, { capture: true, passive: false });

  // ---- The list ----

  const problemsOf = (number) => [
    ...(fleet.has(number) ? [] : ["no facts: the host did not answer, or the cache has none"]),
    ...(fleet.partOf(number, "incomplete") || []).map(({ source, reason }) => `incomplete: ${source}: ${reason}`),
    ...fleet.findingsOf(number).filter(({ subjects }) => !subjects.length)
      .map(({ finding: { severity, message } }) => `${severity}: ${message}`),
  ];

  const sections = fleet.hosts.map((host, number) => {
    const engines = (fleet.partOf(number, "engines") || []).map(({ name, version }) => [name, version].filter(Boolean).join(" "));
    const total = fleet.firstOfHost[number + 1] - fleet.firstOfHost[number];
    let name = host;
    if (fleet.count > MAX_ROWS && fleet.hosts.length > 1) {
      name = make("button", { type: "button", title: "Show this host in the picture" }, host);
      name.onclick = () => showHost(number, () => {
        const node = cy.getElementById(`${host}\nhost`);
        if (node.nonempty()) cy.pan({ x: cy.pan().x, y: 20 - node.boundingBox().y1 * cy.zoom() });
      });
    }
    const heading = make("h2", {}, name, " ", make("small", {}, fleet.has(number) ? `${total} · ${engines.join(", ")}` : ""));
    const rows = make("div");
    const section = make("section", {}, heading, ...problemsOf(number).map((text) => make("p", { className: "problem" }, text)), rows);
    return { section, rows };
  });
  byId("list").replaceChildren(...sections.map(({ section }) => section));

  const buttons = new Map();
  const makeRow = (entry) => {
    const { ns } = entry;
    const addresses = ns.is_host ? [] : (ns.interfaces || []).flatMap(addressesOf);
    const names = (ns.names || []).filter((name) => name !== entry.title);
    const worst = worstOf(entry.findings);
    const button = make("button", { type: "button", className: `color-${ns.kind || "named"}` },
      make("span", {}, entry.title), ns.stale ? make("span", { className: "stale" }, "  stale") : null,
      worst ? make("span", { className: "stale" }, `  ${worst}`) : null,
      make("small", {}, [addresses.join(", "), names.join(", ")].filter(Boolean).join(" · ")));
    button.onclick = () => select(entry.id);
    button.setAttribute("aria-current", String(Boolean(selected) && selected.id === entry.id));
    buttons.set(entry.id, button);
    return make("li", {}, button);
  };

  // Some rows of a host, which are in the list only while they are near its visible part.
  let blocks = [];
  const blockByElement = new Map();
  const foundEntriesOf = (number) => entriesOf(number).filter((entry) => result.found[entry.position]);
  const fill = (block) => {
    if (block.entries) return;
    block.entries = foundEntriesOf(block.number).slice(block.from, block.from + ROWS_PER_BLOCK);
    block.element.replaceChildren(...block.entries.map(makeRow));
    block.element.style.height = "";
  };
  const clear = (block) => {
    if (!block.entries || block.element.contains(document.activeElement)) return;
    block.element.style.height = `${block.element.offsetHeight}px`;
    for (const entry of block.entries) buttons.delete(entry.id);
    block.entries = null;
    block.element.replaceChildren();
  };
  const observer = new IntersectionObserver((changes) => {
    for (const { isIntersecting, target } of changes) {
      const block = blockByElement.get(target);
      if (block) (isIntersecting ? fill : clear)(block);
    }
  }, { root: byId("list"), rootMargin: "800px 0px" });

  const renderList = () => {
    observer.disconnect();
    buttons.clear();
    blocks = [];
    blockByElement.clear();
    sections.forEach(({ section, rows }, number) => {
      const count = result.counts[number];
      section.hidden = !count && !result.all;
      const own = [];
      for (let from = 0; from < count; from += ROWS_PER_BLOCK) {
        const element = make("ul");
        element.style.height = `${Math.min(ROWS_PER_BLOCK, count - from) * ROW_HEIGHT}px`;
        own.push({ number, from, element, entries: null });
      }
      rows.replaceChildren(...own.map(({ element }) => element));
      blocks.push(...own);
    });
    if (result.total <= MAX_ROWS && blocks.length <= MAX_BLOCKS) blocks.forEach(fill);
    else {
      blocks.slice(0, Math.ceil(MAX_ROWS / ROWS_PER_BLOCK)).forEach(fill);
      for (const block of blocks) {
        blockByElement.set(block.element, block);
        observer.observe(block.element);
      }
    }
  };

  // The row of an entry, also if it is not near the visible part of the list.
  const rowOf = ({ host, id }) => {
    const number = hostNumbers.get(host);
    const index = foundEntriesOf(number).findIndex((entry) => entry.id === id);
    const block = blocks.find((each) => each.number === number && index >= each.from && index < each.from + ROWS_PER_BLOCK);
    if (block) fill(block);
    return buttons.get(id);
  };
  // The row after another one, or before it.
  const rowBeside = (button, step) => {
    const item = button.parentElement;
    const beside = step > 0 ? item.nextElementSibling : item.previousElementSibling;
    if (beside) return beside.firstElementChild;
    const block = blocks[blocks.findIndex(({ element }) => element === item.parentElement) + step];
    if (!block) return null;
    fill(block);
    const { firstElementChild, lastElementChild } = block.element;
    return (step > 0 ? firstElementChild : lastElementChild).firstElementChild;
  };

  // ---- Search ----

  let timer = 0;
  // The words of the last search, and what it has found: 1 for each position, how many on each host, and in total.
  let result = null;
  const search = () => {
    clearTimeout(timer);
    const words = byId("query").value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = fleet.search(words, byId("stale").checked);
    const counts = fleet.hosts.map((_host, number) => (
      found.subarray(fleet.firstOfHost[number], fleet.firstOfHost[number + 1]).reduce((sum, one) => sum + one, 0)));
    const total = counts.reduce((sum, one) => sum + one, 0);
    result = { words, found, counts, total, all: !words.length && !byId("stale").checked };
    byId("found").textContent = result.all ? "" : `${total} of ${fleet.count}`;
    renderList();
    picture.hosts = [...counts.keys()].filter((number) => (result.all ? fleet.has(number) : counts[number]));
    picture.whenDrawn = null;
    draw(0);
  };
  const searchSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(search, 150);
  };
  byId("query").addEventListener("input", searchSoon);
  byId("stale").addEventListener("change", search);
  byId("query").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    search();
    if (blocks.length) select(foundEntriesOf(blocks[0].number)[0].id);
  });

  // ---- Selection and details ----

  let selected = null;
  const markSelection = () => {
    cy.batch(() => {
      cy.elements().removeClass("path selected");
      for (const [id, button] of buttons) button.setAttribute("aria-current", String(Boolean(selected) && id === selected.id));
      if (!selected) return;
      const start = cy.getElementById(selected.node);
      if (start.empty()) return;
      const path = pathOf(graphOf(hostNumbers.get(start.data("host"))), [selected.node]);
      const onPath = cy.elements().filter((element) => (element.isNode() ? path.has(element.id())
        : !element.data("anchor") && path.has(element.source().id()) && path.has(element.target().id())));
      onPath.addClass("path");
      start.addClass("selected");
    });
  };

  // Calls a function with a host in the picture, unless it is not among those that the search has found.
  const showHost = (number, then) => {
    const place = picture.hosts.indexOf(number);
    const { first, end } = picture;
    if (end !== null && (place < 0 || (place >= first && place < end))) {
      then();
      return;
    }
    if (place >= 0 && place !== first) draw(place);
    picture.whenDrawn = then;
  };

  const centerPath = (node) => {
    const path = cy.nodes(".path");
    if (path.empty()) return;
    const box = path.boundingBox();
    const zoom = cy.zoom();
    if (box.w * zoom > cy.width() || zoom < 0.6) cy.zoom(Math.max(0.6, Math.min(1.1, (cy.width() - 40) / box.w)));
    cy.center(cy.getElementById(node));
    if (box.w * cy.zoom() <= cy.width()) {
      cy.panBy({ x: (cy.width() - box.w * cy.zoom()) / 2 - (box.x1 * cy.zoom() + cy.pan().x), y: 0 });
    }
  };

  const select = (id, node = id) => {
    selected = { id, node };
    const entry = entryOf(id);
    renderDetails(entry);
    cy.resize();
    showHost(hostNumbers.get(entry.host), () => {
      markSelection();
      if (node === id) centerPath(node);
    });
    const button = rowOf(entry);
    if (button) button.scrollIntoView({ block: "nearest" });
  };

  const deselect = () => {
    const button = selected && rowOf(entryOf(selected.id));
    selected = null;
    markSelection();
    byId("details").hidden = true;
    cy.resize();
    if (button) button.focus();
  };

  cy.on("tap", (event) => {
    const { target } = event;
    if (target === cy || target.isEdge() || target.data("type") === "host") {
      if (selected) deselect();
      return;
    }
    const id = target.data("entry") || target.id();
    if (entryOf(id)) select(id, target.id());
  });
  cy.on("mouseover mouseout", "node", (event) => {
    event.target.toggleClass("hovered", event.type === "mouseover");
    byId("graph").title = event.type === "mouseover" ? event.target.data("label") : "";
  });

  const tableOf = (headings, rows) => make("table", {},
    make("thead", {}, make("tr", {}, ...headings.map((heading) => make("th", { scope: "col" }, heading)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, String(cell ?? "")))))));
  const termsOf = (pairs) => make("dl", {}, ...pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, String(value))]));
  const listOf = (items) => make("ul", {}, ...items.map((item) => make("li", {}, item)));
  const pathStep = (type, text) => make("li", { className: `color-${type}` }, text);
  const peerText = (peer) => {
    const names = (peer.names || []).join(", ");
    return [peer.interface, peer.master ? `in ${peer.master}` : "", names ? `of ${names}` : ""].filter(Boolean).join(" ");
  };

  // The owner of the peer's namespace, unless the peer is in a bridge, which is shown before it.
  const peerOwner = (host, peer) => {
    const peerEntry = entryOf(`${host}\n${peer.inode}`);
    return peerEntry && !peer.master ? ` of ${peerEntry.title}` : "";
  };

  const renderDetails = (entry) => {
    const { host, ns, findings, published } = entry;
    const panel = byId("details");
    const close = make("button", { type: "button", className: "close", title: "Close ( Esc )" }, "×");
    close.onclick = deselect;
    const parts = [close, make("h2", {}, entry.title), make("p", {}, `on ${host}`)];
    const section = (title, content) => parts.push(make("h3", {}, title), content);
    const interfaces = ns.interfaces || [];
    const lost = ns.stale ? interfaces.filter((iface) => iface.physical).map((iface) => iface.name) : [];
    const warn = (text) => parts.push(make("p", { className: "stale" }, text));
    if (ns.stale) warn("Stale: only a pin keeps this namespace, and its owner is gone.");
    if (lost.length) warn(`It holds physical interfaces that the host has lost: ${lost.join(", ")}.`);
    for (const { check, severity, message, remedy } of findings) {
      warn(`${severity}: ${message}`);
      parts.push(make("p", {}, `${check}: ${remedy}`));
    }
    if (ns.stale === null) parts.push(make("p", {}, "It is not known whether this namespace is stale."));

    const paths = ns.is_host ? [] : interfaces.filter((iface) => iface.name !== "lo" && (iface.peer || addressesOf(iface).length));
    if (paths.length) {
      parts.push(make("h3", {}, "Path from the host"));
      for (const iface of paths) {
        parts.push(make("ol", { className: "path" },
          iface.peer && iface.peer.master ? pathStep("bridge", iface.peer.master) : null,
          iface.peer ? pathStep("port", iface.peer.interface + peerOwner(host, iface.peer)) : null,
          pathStep("inner", iface.name),
          ...addressesOf(iface).map((address) => pathStep(ns.kind || "named", address))));
      }
    }
    section("Namespace", termsOf([
      ["inode", ns.inode], ["kind", ns.kind], ["engine", ns.engine], ["pod", ns.pod && podName(ns.pod)],
      ["network", ns.network && (ns.network.name || ns.network.id)], ["machine", ns.machine], ["unit", ns.unit], ["user", ns.user], ["nsid", ns.nsid],
    ]));
    if ((ns.names || []).length) section("Names in ip netns", listOf(ns.names));
    if ((ns.containers || []).length) {
      parts.push(make("h3", {}, "Containers"));
      for (const { name, id, image, pid, labels: byKey } of ns.containers) {
        const labels = (byKey || []).map(({ key, value }) => `${key}=${value}`).sort();
        parts.push(make("details", {}, make("summary", {}, name), termsOf([["id", id], ["image", image], ["pid", pid]]),
          labels.length ? listOf(labels) : null));
      }
    }
    if (published.length) {
      // Docker lists a port for IPv4 and for IPv6, which look the same here.
      const rows = new Map(published.map((forward) => {
        const side = `${endpoint(forward.address, forward.port)}/${forward.protocol}`;
        const by = [forward.by, forward.container].filter(Boolean).join(" ");
        const listens = { true: "yes", false: "nothing" }[forward.listening] || "not known";
        const row = [side, endpoint(forward.to_address || "::", forward.to_port), by, listens];
        return [row.join("\n"), row];
      }));
      section("Published ports", tableOf(["on the host", "to", "by", "listens"], [...rows.values()]));
    }
    if ((ns.listeners || []).length) {
      section("Listening sockets", tableOf(["port", "processes"], ns.listeners.map((listener) => [
        `${endpoint(listener.address, listener.port)}/${listener.protocol}`, processNames(listener).join("\n")])));
    }
    if (interfaces.length) {
      section("Interfaces", tableOf(["name", "state", "addresses", "peer or bridge"], interfaces.map((iface) => [
        [iface.name, ...(iface.altnames || [])].join("\n"), [iface.kind, iface.state, iface.mtu].filter(Boolean).join(" "), (iface.addresses || []).join("\n"),
        iface.peer ? peerText(iface.peer) : iface.master ? `in ${iface.master}` : ""])));
      section("MAC addresses", termsOf(interfaces.filter((iface) => iface.mac && iface.name !== "lo").map((iface) => [iface.name, iface.mac])));
    }
    if ((ns.routes || []).length) {
      section("Routes", tableOf(["destination", "type", "gateway", "interface", "metric"],
        ns.routes.map((route) => [route.dst, route.type, route.gateway, route.interface, route.metric])));
    }
    if (ns.dns) section("DNS", termsOf(Object.entries(ns.dns).map(([key, value]) => [key, Array.isArray(value) ? value.join(" ") : value])));
    if (ns.processes) {
      const processes = [...(ns.processes.first || []), ...(ns.processes.holders || [])];
      section(`Processes: ${ns.processes.count}`, listOf(processes.map(({ pid, command }) => `${pid} ${command}`)));
    }
    if ((ns.pins || []).length) section("Pins", listOf(ns.pins));
    panel.replaceChildren(...parts);
    panel.hidden = false;
    panel.scrollTop = 0;
  };

  // ---- Keys, colors and printing ----

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type='search']");
    if (event.key === "Escape") {
      if (typing && byId("query").value) {
        byId("query").value = "";
        search();
      } else if (selected) deselect();
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      "/": () => byId("query").focus(), "+": byId("in").onclick, "-": byId("out").onclick, 0: byId("whole").onclick,
    };
    const row = event.target.closest("#list li button");
    if (row && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const next = rowBeside(row, event.key === "ArrowDown" ? 1 : -1);
      if (next) next.focus();
      event.preventDefault();
      return;
    }
    const pan = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80] }[event.key];
    if (pan && event.target === byId("graph")) {
      cy.panBy({ x: pan[0], y: pan[1] });
      event.preventDefault();
    } else if (keys[event.key]) {
      keys[event.key]();
      event.preventDefault();
    }
  });

  const updateStyles = () => cy.style(styles());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", updateStyles);
  window.addEventListener("beforeprint", () => {
    printing = true;
    observer.disconnect();
    blocks.forEach(fill);
    updateStyles();
    const image = make("img", { id: "paper", alt: "" });
    image.src = cy.png({ full: true, scale: 1.5, maxHeight: 16000, maxWidth: 4000, bg: "#fff" });
    byId("drawing").prepend(image);
    for (const part of byId("details").querySelectorAll("details")) part.open = true;
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    updateStyles();
    const image = byId("paper");
    if (image) image.remove();
    renderList();
  });

  const count = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;
  byId("summary").textContent = [
    count(fleet.hosts.length, "host"), count(fleet.count, "namespace"), fleet.staleCount ? `${fleet.staleCount} stale` : "",
    `written ${document.lastModified}`,
  ].filter(Boolean).join(" · ");
  byId("legend").append(...Object.entries(LEGEND).map(([key, text]) => make("li", { className: `color-${key}` }, text)));
  search();
  // For tests, and for the browser's console.
  window.cy = cy;
})();

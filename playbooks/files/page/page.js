// Copyright: (c) 2026, The linuxnet.netns developers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Renders the facts of netns_facts as a list, a graph and details. Cytoscape draws the graph, dagre lays it out.
// Texts from the facts reach the page through textContent or as labels on the canvas, never as markup.
"use strict";

(() => {
  const fleet = JSON.parse(document.getElementById("facts").textContent);
  const byId = (id) => document.getElementById(id);

  // The columns of the graph, from left to right. A node stays in its column even if nothing leads to it.
  const COLUMN = { nic: 1, bridge: 2, port: 3, inner: 4, namespace: 5 };
  const IN_EVERY_NAMESPACE = /^(127\.|::1\/|fe80:)/;
  // Devices that the kernel creates in every namespace as soon as their module is loaded.
  const FALLBACK_DEVICES = /^(tunl|gre|gretap|erspan|ip_vti|ip6_vti|sit|ip6tnl|ip6gre)0$/;
  const MAX_LABEL_WIDTH = 260;
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

  const podName = (pod) => [pod.namespace, pod.name].filter(Boolean).join("/");
  const addressesOf = (iface) => (iface.addresses || []).filter((address) => !IN_EVERY_NAMESPACE.test(address));
  const containerNames = (ns) => (ns.containers || []).map((container) => container.name);

  const titleOf = (ns) => {
    if (ns.is_host) return "the host itself";
    if (ns.pod) return podName(ns.pod);
    const process = ns.processes && ns.processes.first && ns.processes.first[0];
    return containerNames(ns).join(", ") || ns.machine || ns.unit || (ns.network && `network ${ns.network.name || ns.network.id}`)
      || (ns.names || [])[0] || (process && process.command) || `net:[${ns.inode}]`;
  };

  const ANY_ADDRESS = ["0.0.0.0", "::"];
  const endpoint = (address, port) => (ANY_ADDRESS.includes(address) ? `:${port}`
    : address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`);
  const portsOf = (facts, ns) => (facts.forwards || []).filter((forward) => forward.inode === ns.inode);
  const processNames = (listener) => (listener.processes || [])
    .map(({ pid, name, container }) => `${name} (${pid})${container ? ` of ${container}` : ""}`);
  // What the doctor found on this host about a namespace; about the host's own also what is about an interface alone.
  const findingsOf = (facts, ns) => (facts.findings || []).filter(({ subject }) => (
    subject.inode === ns.inode || (subject.inode === null && ((subject.names || []).some((name) => (ns.names || []).includes(name))
      || (ns.is_host && Boolean(subject.interface))))));
  const SEVERITIES = ["error", "warning", "note"];
  const worstOf = (findings) => SEVERITIES.find((severity) => findings.some((finding) => finding.severity === severity));

  // The texts that a search compares with, in lower case: any part of a name matches, and the beginning of an id.
  const lower = (words) => words.filter(Boolean).map((word) => String(word).toLowerCase());
  const searchTermsOf = ({ host, ns, findings, published }) => {
    const names = [host, ns.kind, ns.engine, ns.user, ns.machine, ns.unit, ns.stale ? "stale" : "", ...(ns.names || [])];
    const ids = [ns.inode, ...(ns.pins || []).flatMap((pin) => [pin, pin.split("/").pop()])];
    for (const { check, severity, message } of findings) names.push(check, severity, message);
    if (ns.pod) {
      names.push(podName(ns.pod));
      ids.push(ns.pod.uid);
    }
    for (const container of ns.containers || []) {
      const labels = Object.entries(container.labels || {}).map((pair) => pair.join("="));
      names.push(container.name, container.image, ...labels);
      ids.push(container.id);
    }
    for (const iface of ns.interfaces || []) {
      names.push(iface.name, ...(iface.altnames || []), ...(iface.addresses || []));
      ids.push(iface.mac);
      // Not for the host's own namespace, which has peers in every other one.
      if (iface.peer && !ns.is_host) names.push(iface.peer.interface, iface.peer.master);
    }
    // The whole number of a port, with or without its address and protocol.
    const ports = [...(ns.listeners || []), ...published].flatMap(({ protocol, address, port }) => {
      const ends = [`:${port}`, endpoint(address, port)];
      return [`${port}/${protocol}`, ...ends, ...ends.map((end) => `${end}/${protocol}`)];
    });
    for (const { processes } of ns.listeners || []) names.push(...(processes || []).map((process) => process.name));
    return { names: lower(names).join("\n"), ids: lower(ids), ports: lower(ports) };
  };
  const matchesTerm = ({ names, ids, ports }, word) => (
    names.includes(word) || ports.includes(word) || ids.some((id) => id.startsWith(word)));

  const entries = [];
  for (const [host, facts] of Object.entries(fleet)) {
    for (const ns of (facts && facts.namespaces) || []) {
      const entry = { host, ns, findings: findingsOf(facts, ns), published: portsOf(facts, ns) };
      entries.push({ ...entry, id: `${host}\n${ns.inode}`, title: titleOf(ns), terms: searchTermsOf(entry) });
    }
  }
  entries.sort((a, b) => b.ns.is_host - a.ns.is_host || byTitle(a, b));
  const entryById = new Map(entries.map((entry) => [entry.id, entry]));

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

  const graphOf = (host, facts) => {
    const nodes = new Map();
    const edges = new Map();
    const namespaces = facts.namespaces;
    const distance = distances(namespaces);
    const inodes = new Set(namespaces.map((ns) => ns.inode));
    const titles = new Map(namespaces.map((ns) => [ns.inode, titleOf(ns)]));
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
      const bridgePortsOf = (master) => interfaces.filter((iface) => iface.master === master);
      const crowded = new Set([...masters].filter((master) => bridgePortsOf(master).length > MAX_PLAIN_PORTS));
      for (const iface of interfaces) {
        const id = idOf(ns.inode, iface.name);
        const peer = iface.peer;
        const leadsOut = peer && peer.inode !== ns.inode && inodes.has(peer.inode);
        const leadsAway = leadsOut && distance.get(peer.inode) > distance.get(ns.inode);
        const isBridge = masters.has(iface.name) || iface.kind === "bridge";
        const data = {
          label: labelOf(iface) + (crowded.has(iface.master) ? `  in ${iface.master}` : ""),
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
    return { nodes, edges: [...edges.values()].filter((edge) => nodes.has(edge.source) && nodes.has(edge.target)) };
  };

  const graphs = new Map();
  for (const [host, facts] of Object.entries(fleet)) if (facts) graphs.set(host, graphOf(host, facts));

  // All nodes on the paths to and from some nodes.
  const BACKWARD = ["target", "source"];
  const pathOf = (graph, starts, directions = [["source", "target"], BACKWARD]) => {
    const path = new Set(starts);
    for (const [from, to] of directions) {
      const next = new Map();
      for (const edge of graph.edges) next.set(edge[from], [...(next.get(edge[from]) || []), edge[to]]);
      const queue = [...starts];
      const queued = new Set(queue);
      for (const id of queue) {
        path.add(id);
        for (const nextId of next.get(id) || []) {
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
  const layOutHost = (host, ids) => {
    const graph = graphs.get(host);
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
    return added;
  };

  // Places the hosts below each other, in as many columns as fit into the window.
  const draw = (ids) => {
    cy.elements().remove();
    const hosts = [...graphs.keys()].filter((host) => [...graphs.get(host).nodes.keys()].some((id) => ids.has(id)));
    const layouts = hosts.map((host) => {
      const added = layOutHost(host, ids);
      return { host, added, box: added.nodes().boundingBox({ includeLabels: false }) };
    });
    const columnWidth = Math.max(1, ...layouts.map(({ box }) => box.w)) + 70;
    const count = Math.max(1, Math.min(layouts.length, Math.floor(cy.width() / columnWidth)));
    const bottoms = new Array(count).fill(0);
    for (const { host, added, box } of layouts) {
      const column = bottoms.indexOf(Math.min(...bottoms));
      added.nodes().shift({ x: column * columnWidth - box.x1, y: bottoms[column] - box.y1 });
      bottoms[column] += box.h + 90;
      const id = `${host}\nhost`;
      cy.add({ data: { id, host, type: "host", label: host } });
      added.nodes().move({ parent: id });
    }
    resetView();
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

  const buttons = new Map();
  const renderList = () => {
    const parts = [];
    for (const [host, facts] of Object.entries(fleet)) {
      const hostEntries = entries.filter((entry) => entry.host === host);
      const engines = ((facts && facts.engines) || [])
        .map(({ name, version }) => [name, version].filter(Boolean).join(" "));
      parts.push(make("h2", {}, host, " ", make("small", {}, facts ? `${hostEntries.length} · ${engines.join(", ")}` : "")));
      if (!facts) parts.push(make("p", { className: "problem" }, "no facts: the host did not answer, or the cache has none"));
      for (const { source, reason } of (facts && facts.incomplete) || []) {
        parts.push(make("p", { className: "problem" }, `incomplete: ${source}: ${reason}`));
      }
      const shown = new Set(hostEntries.flatMap((entry) => entry.findings));
      for (const finding of (facts && facts.findings) || []) {
        if (!shown.has(finding)) parts.push(make("p", { className: "problem" }, `${finding.severity}: ${finding.message}`));
      }
      const items = hostEntries.map((entry) => {
        const { ns } = entry;
        const addresses = ns.is_host ? [] : (ns.interfaces || []).flatMap(addressesOf);
        const names = (ns.names || []).filter((name) => name !== entry.title);
        const worst = worstOf(entry.findings);
        const button = make("button", { type: "button", className: `color-${ns.kind || "named"}` },
          make("span", {}, entry.title), ns.stale ? make("span", { className: "stale" }, "  stale") : null,
          worst ? make("span", { className: "stale" }, `  ${worst}`) : null,
          make("small", {}, [addresses.join(", "), names.join(", ")].filter(Boolean).join(" · ")));
        button.onclick = () => select(entry.id);
        buttons.set(entry.id, button);
        return make("li", {}, button);
      });
      parts.push(make("ul", {}, ...items));
    }
    byId("list").replaceChildren(...parts);
  };

  // ---- Search ----

  let timer = 0;
  const search = () => {
    const words = byId("query").value.toLowerCase().split(/\s+/).filter(Boolean);
    const all = !words.length && !byId("stale").checked;
    const matches = all ? entries : entries.filter((entry) =>
      words.every((word) => matchesTerm(entry.terms, word)) && (!byId("stale").checked || entry.ns.stale));
    const matchIds = new Set(matches.map((entry) => entry.id));
    for (const [id, button] of buttons) button.parentElement.hidden = !matchIds.has(id);
    byId("found").textContent = all ? "" : `${matches.length} of ${entries.length}`;
    const ids = new Set();
    for (const [host, graph] of graphs) {
      if (all) for (const id of graph.nodes.keys()) ids.add(id);
      else {
        const starts = matches.filter((entry) => entry.host === host && !entry.ns.is_host).map((entry) => entry.id);
        for (const [id, data] of graph.nodes) {
          const entry = entryById.get(data.entry);
          // Of the host's own interfaces, only those that match, without everything that they lead to.
          if (entry && entry.ns.is_host && matchIds.has(entry.id) && words.length
            && words.every((word) => `${host}\n${data.label}`.toLowerCase().includes(word))) {
            if (data.type === "port") starts.push(id);
            else for (const sourceId of pathOf(graph, [id], [BACKWARD])) ids.add(sourceId);
          }
        }
        for (const id of pathOf(graph, starts)) ids.add(id);
      }
    }
    draw(ids);
    markSelection();
    return matches;
  };
  const searchSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(search, 150);
  };
  byId("query").addEventListener("input", searchSoon);
  byId("stale").addEventListener("change", search);
  byId("query").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    clearTimeout(timer);
    const matches = search();
    if (matches.length) select(matches[0].id);
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
      const path = pathOf(graphs.get(start.data("host")), [selected.node]);
      const onPath = cy.elements().filter((element) => (element.isNode() ? path.has(element.id())
        : !element.data("anchor") && path.has(element.source().id()) && path.has(element.target().id())));
      onPath.addClass("path");
      start.addClass("selected");
    });
  };

  const select = (id, node = id) => {
    selected = { id, node };
    markSelection();
    renderDetails(entryById.get(id));
    cy.resize();
    const path = cy.nodes(".path");
    if (path.nonempty() && node === id) {
      const box = path.boundingBox();
      const zoom = cy.zoom();
      if (box.w * zoom > cy.width() || zoom < 0.6) cy.zoom(Math.max(0.6, Math.min(1.1, (cy.width() - 40) / box.w)));
      cy.center(cy.getElementById(node));
      if (box.w * cy.zoom() <= cy.width()) {
        cy.panBy({ x: (cy.width() - box.w * cy.zoom()) / 2 - (box.x1 * cy.zoom() + cy.pan().x), y: 0 });
      }
    }
    const button = buttons.get(id);
    if (button) button.scrollIntoView({ block: "nearest" });
  };

  const deselect = () => {
    const button = selected && buttons.get(selected.id);
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
    if (entryById.has(id)) select(id, target.id());
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
    const peerEntry = entryById.get(`${host}\n${peer.inode}`);
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
        const labels = Object.entries(byKey || {}).sort().map(([key, value]) => `${key}=${value}`);
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
    const row = event.target.closest("#list button");
    if (row && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const visible = [...byId("list").querySelectorAll("li:not([hidden]) button")];
      const next = visible[visible.indexOf(row) + (event.key === "ArrowDown" ? 1 : -1)];
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
  });

  const stale = entries.filter((entry) => entry.ns.stale).length;
  const count = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;
  byId("summary").textContent = [
    count(Object.keys(fleet).length, "host"), count(entries.length, "namespace"), stale ? `${stale} stale` : "",
    `written ${document.lastModified}`,
  ].filter(Boolean).join(" · ");
  byId("legend").append(...Object.entries(LEGEND).map(([key, text]) => make("li", { className: `color-${key}` }, text)));
  renderList();
  search();
  // For tests, and for the browser's console.
  window.cy = cy;
})();

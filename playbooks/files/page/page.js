// Copyright: (c) 2026, The linuxnet.netns developers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The facts of netns_facts -> a list, a picture and details. Cytoscape draws, dagre says where things are.
// Whatever stands in the facts reaches the page by textContent or as a label on the canvas, never as markup.
"use strict";

(() => {
  const fleet = JSON.parse(document.getElementById("facts").textContent);
  const at = (id) => document.getElementById(id);

  // Columns of the picture, from left to right. What has nothing before it is still kept in its own column.
  const COLUMN = { nic: 1, bridge: 2, port: 3, inner: 4, namespace: 5 };
  const EVERYWHERE = /^(127\.|::1\/|fe80:)/;
  // Made in every namespace by the kernel itself, as soon as the module is loaded.
  const FALLBACKS = /^(tunl|gre|gretap|erspan|ip_vti|ip6_vti|sit|ip6tnl|ip6gre)0$/;
  const WIDEST = 260;
  // With more than these on it, a bridge is out of sight of the last.
  const CROWD = 12;
  const LEGEND = {
    nic: "interface of the host", bridge: "bridge", port: "host's end", inner: "end in the namespace",
    container: "container", pod: "pod", named: "named", process: "process", stale: "stale",
  };

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const natural = new Intl.Collator(undefined, { numeric: true });
  const byName = (a, b) => natural.compare(a.title, b.title);

  // ---- What there is ----

  const podName = (pod) => [pod.namespace, pod.name].filter(Boolean).join("/");
  const addressesOf = (iface) => (iface.addresses || []).filter((address) => !EVERYWHERE.test(address));
  const containersOf = (ns) => (ns.containers || []).map((one) => one.name);

  const ownerOf = (ns) => {
    if (ns.is_host) return "the host itself";
    if (ns.pod) return podName(ns.pod);
    const first = ns.processes && ns.processes.first && ns.processes.first[0];
    return containersOf(ns).join(", ") || ns.unit || (ns.network && `network ${ns.network.name || ns.network.id}`)
      || (ns.names || [])[0] || (first && first.command) || `net:[${ns.inode}]`;
  };

  // Everything that one may look for, in lower case: any part of a name, and what an id begins with.
  const lower = (words) => words.filter(Boolean).map((word) => String(word).toLowerCase());
  const wordsOf = (host, ns) => {
    const names = [host, ns.kind, ns.engine, ns.user, ns.unit, ns.stale ? "stale" : "", ...(ns.names || [])];
    const ids = [ns.inode, ...(ns.pins || []).flatMap((pin) => [pin, pin.split("/").pop()])];
    if (ns.pod) {
      names.push(podName(ns.pod));
      ids.push(ns.pod.uid);
    }
    for (const one of ns.containers || []) {
      names.push(one.name, one.image, ...Object.entries(one.labels || {}).map((pair) => pair.join("=")));
      ids.push(one.id);
    }
    for (const iface of ns.interfaces || []) {
      names.push(iface.name, ...(iface.addresses || []));
      ids.push(iface.mac);
      // The host's own interfaces lead to everything on it.
      if (iface.peer && !ns.is_host) names.push(iface.peer.interface, iface.peer.master);
    }
    return { names: lower(names).join("\n"), ids: lower(ids) };
  };
  const mentions = ({ names, ids }, word) => names.includes(word) || ids.some((id) => id.startsWith(word));

  const entries = [];
  for (const [host, facts] of Object.entries(fleet)) {
    for (const ns of (facts && facts.namespaces) || []) {
      entries.push({ host, ns, id: `${host}\n${ns.inode}`, title: ownerOf(ns), words: wordsOf(host, ns) });
    }
  }
  entries.sort((a, b) => b.ns.is_host - a.ns.is_host || byName(a, b));
  const entryOf = new Map(entries.map((entry) => [entry.id, entry]));

  // ---- Nodes and edges of one host ----

  const shown = (iface) => iface.name !== "lo" && !(FALLBACKS.test(iface.name) && !addressesOf(iface).length);

  // How far each namespace is from the host's own, going from peer to peer.
  const depths = (namespaces) => {
    const next = new Map(namespaces.map((ns) => [ns.inode, new Set()]));
    for (const ns of namespaces) {
      for (const iface of ns.interfaces || []) {
        // What a macvlan is on top of knows nothing of it.
        if (!iface.peer || !next.has(iface.peer.inode)) continue;
        next.get(ns.inode).add(iface.peer.inode);
        next.get(iface.peer.inode).add(ns.inode);
      }
    }
    const depth = new Map();
    const hostFirst = [...namespaces].sort((a, b) => b.is_host - a.is_host);
    for (const start of hostFirst.map((ns) => ns.inode)) {
      if (depth.has(start)) continue;
      depth.set(start, 0);
      const queue = [start];
      for (const inode of queue) {
        for (const other of next.get(inode)) {
          if (depth.has(other)) continue;
          depth.set(other, depth.get(inode) + 1);
          queue.push(other);
        }
      }
    }
    return depth;
  };

  const elementsOf = (host, facts) => {
    const nodes = new Map();
    const edges = new Map();
    const namespaces = facts.namespaces;
    const depth = depths(namespaces);
    const known = new Set(namespaces.map((ns) => ns.inode));
    const titles = new Map(namespaces.map((ns) => [ns.inode, ownerOf(ns)]));
    const node = (id, data) => {
      if (!nodes.has(id)) nodes.set(id, { id, host, order: data.label, ...data });
      return id;
    };
    const edge = (source, target) => {
      if (source !== target) edges.set(`${source}\n${target}`, { id: `${source}\n>\n${target}`, source, target });
    };
    const idOf = (inode, name) => `${host}\n${inode}\n${name}`;
    const nsId = (ns) => `${host}\n${ns.inode}`;
    const all = new Set(namespaces.flatMap((ns) => (ns.interfaces || []).filter(shown).map((iface) => idOf(ns.inode, iface.name))));
    const label = (iface) => {
      const [first, ...more] = addressesOf(iface);
      return [iface.name, first, more.length ? `+${more.length}` : ""].filter(Boolean).join("  ");
    };

    // The far end of a pair that the facts themselves do not have: its peer told of it.
    const hinted = (peer) => {
      const id = idOf(peer.inode, peer.interface);
      node(id, { type: "port", label: peer.interface });
      if (peer.master) edge(node(idOf(peer.inode, peer.master), { type: "bridge", label: peer.master }), id);
      return id;
    };

    for (const ns of namespaces) {
      const interfaces = (ns.interfaces || []).filter(shown);
      const masters = new Set(interfaces.map((iface) => iface.master).filter(Boolean));
      if (!ns.is_host) {
        const stale = ns.stale ? "  (stale)" : "";
        node(nsId(ns), { type: "namespace", kind: ns.kind || "named", stale: Boolean(ns.stale), label: ownerOf(ns) + stale });
      }
      const crowded = new Set([...masters].filter((master) => interfaces.filter((one) => one.master === master).length > CROWD));
      for (const iface of interfaces) {
        const id = idOf(ns.inode, iface.name);
        const peer = iface.peer;
        const leads = peer && peer.inode !== ns.inode && known.has(peer.inode);
        const down = leads && depth.get(peer.inode) > depth.get(ns.inode);
        const bridge = masters.has(iface.name) || iface.kind === "bridge";
        // Sorted by what they lead to.
        const data = { label: label(iface) + (crowded.has(iface.master) ? `  in ${iface.master}` : ""), entry: nsId(ns), order: leads ? titles.get(peer.inode) : iface.name };
        if (ns.is_host) node(id, { type: bridge ? "bridge" : down ? "port" : "nic", ...data });
        else {
          node(id, { type: bridge ? "bridge" : "inner", ...data, order: ownerOf(ns) });
          if (down || bridge) {
            if (!iface.master) edge(nsId(ns), id);
          } else if (!iface.master) edge(id, nsId(ns));
        }
        if (iface.master) {
          const master = idOf(ns.inode, iface.master);
          if (down || !(ns.is_host || leads)) edge(master, id);
          else edge(id, master);
        }
        if (!peer) continue;
        const far = idOf(peer.inode, peer.interface);
        if (!all.has(far)) {
          if (!ns.is_host) edge(hinted(peer), id);
        } else if (peer.inode === ns.inode || depth.get(peer.inode) < depth.get(ns.inode)) edge(far, id);
      }
    }
    // Both ends of an edge may not be among what is shown.
    return { nodes, edges: [...edges.values()].filter((one) => nodes.has(one.source) && nodes.has(one.target)) };
  };

  const graphs = new Map();
  for (const [host, facts] of Object.entries(fleet)) if (facts) graphs.set(host, elementsOf(host, facts));

  // What leads to and from some nodes.
  const BACK = ["target", "source"];
  const pathOf = (graph, starts, ways = [["source", "target"], BACK]) => {
    const found = new Set(starts);
    for (const [from, to] of ways) {
      const next = new Map();
      for (const edge of graph.edges) next.set(edge[from], [...(next.get(edge[from]) || []), edge[to]]);
      const queue = [...starts];
      const seen = new Set(queue);
      for (const id of queue) {
        found.add(id);
        for (const other of next.get(id) || []) {
          if (!seen.has(other)) {
            seen.add(other);
            queue.push(other);
          }
        }
      }
    }
    return found;
  };

  // ---- The picture ----

  let light = false;
  const colour = (name) => {
    const value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    return light && PAPER[name] ? PAPER[name] : value;
  };
  // What the print style sheet says; a canvas has no such thing.
  const PAPER = {
    text: "#000", quiet: "#444", line: "#bbb", accent: "#000", box: "#fff", edge: "#777", nic: "#e3e7eb", back: "#fff",
    bridge: "#cfe3fb", port: "#edf0f3", inner: "#d3efe9", container: "#d8f0cf", pod: "#e7dbf8", named: "#fbeac1",
    process: "#e6e6e6", stale: "#b00",
  };
  const styles = () => [
    { selector: "node", style: {
      shape: "round-rectangle", height: 24, "font-size": 12,
      "font-family": "system-ui, sans-serif", "text-valign": "center", "text-wrap": "ellipsis",
      "text-max-width": WIDEST, color: colour("text"), "border-width": 1, "border-color": colour("edge"),
      "background-color": colour("port"), "min-zoomed-font-size": 4,
    } },
    { selector: "node[width]", style: { width: "data(width)" } },
    { selector: "node[label]", style: { label: "data(label)" } },
    ...["nic", "bridge", "port", "inner"].map((type) => (
      { selector: `node[type="${type}"]`, style: { "background-color": colour(type) } })),
    ...["container", "pod", "named", "process"].map((kind) => (
      { selector: `node[kind="${kind}"]`, style: { "background-color": colour(kind) } })),
    { selector: "node[type='namespace']", style: { "font-weight": "bold" } },
    { selector: "node[?stale]", style: { "border-width": 2, "border-style": "dashed", "border-color": colour("stale"), color: colour("stale") } },
    { selector: "node[type='anchor']", style: { height: 1, opacity: 0, events: "no" } },
    { selector: "node[type='host']", style: {
      "text-valign": "top", "text-halign": "center", "font-size": 16,
      "font-weight": "bold", "text-margin-y": -4, "background-color": colour("box"), "border-color": colour("line"),
      padding: 16, events: "no", color: colour("text"),
    } },
    { selector: "edge", style: { width: 1.5, "line-color": colour("edge"), "curve-style": "round-taxi", "taxi-direction": "rightward", "taxi-turn": 18, "taxi-turn-min-distance": 5 } },
    { selector: "edge[?anchor]", style: { opacity: 0, events: "no" } },
    { selector: "node.path", style: { "border-width": 2.5, "border-color": colour("accent"), "z-index": 10 } },
    { selector: "edge.path", style: { width: 3, "line-color": colour("accent"), "z-index": 10 } },
    { selector: "node.chosen", style: { "border-width": 4 } },
    { selector: "node.near", style: { "border-color": colour("accent") } },
  ];

  const cy = cytoscape({
    container: at("graph"), elements: [], style: styles(), layout: { name: "preset" }, minZoom: 0.05, maxZoom: 3,
    boxSelectionEnabled: false, autoungrabify: true, autounselectify: true,
  });

  const pen = document.createElement("canvas").getContext("2d");
  const measure = (text, bold) => {
    pen.font = `${bold ? "bold " : ""}12px system-ui, sans-serif`;
    return Math.min(WIDEST, Math.ceil(pen.measureText(text).width)) + 18;
  };

  // Dagre leaves it to chance which of two equals comes first. So what belongs together is turned over where it is
  // upside down, and all of it sorted: interfaces, then bridges with what hangs on them, then what hangs on nothing.
  const arrange = (parts, graph) => {
    const inOrder = (a, b) => natural.compare(a.order, b.order);
    const sorted = parts.map((part) => {
      const found = part.nodes().map((one) => graph.nodes.get(one.id()));
      const first = found.reduce((a, b) => ((COLUMN[a.type] - COLUMN[b.type] || inOrder(a, b)) <= 0 ? a : b));
      return { nodes: part.nodes(), ends: found.filter((one) => one.type === "namespace").sort(inOrder), first };
    }).sort((a, b) => COLUMN[a.first.type] - COLUMN[b.first.type] || inOrder(a.first, b.first));
    let bottom = 0;
    sorted.forEach(({ nodes, ends }, index) => {
      const heights = ends.map((one) => cy.getElementById(one.id).position("y"));
      const falls = heights.filter((y, place) => place && y < heights[place - 1]).length;
      if (falls * 2 >= ends.length) nodes.positions((one) => ({ x: one.position("x"), y: -one.position("y") }));
      const box = nodes.boundingBox({ includeLabels: false });
      const apart = nodes.length > 1 || (index && sorted[index - 1].nodes.length > 1);
      nodes.shift("y", bottom + (apart ? 12 : 0) - box.y1);
      bottom += box.h + (apart ? 18 : 6);
    });
  };

  // One width for each column of a host, so that it reads as a table.
  const lay = (host, ids) => {
    const graph = graphs.get(host);
    const nodes = [...graph.nodes.values()].filter((one) => ids.has(one.id));
    const inOrder = (a, b) => natural.compare(a.order, b.order);
    nodes.sort(inOrder);
    // Dagre goes from node to node by the edges, in their order.
    const edges = graph.edges.filter((one) => ids.has(one.source) && ids.has(one.target))
      .sort((a, b) => inOrder(graph.nodes.get(a.target), graph.nodes.get(b.target)));
    const widths = {};
    for (const one of nodes) widths[one.type] = Math.max(widths[one.type] || 60, measure(one.label, one.type === "namespace"));
    const anchor = `${host}\n`;
    const entered = new Set(edges.map((one) => one.target));
    const left = new Set(edges.map((one) => one.source));
    // A namespace from which others are reached is no end of a way.
    const column = new Map(nodes.map((one) => [one.id,
      one.type === "namespace" && left.has(one.id) && !entered.has(one.id) ? COLUMN.bridge : COLUMN[one.type]]));
    const elements = [
      { data: { id: anchor, host, type: "anchor", width: 1 } },
      ...nodes.map((one) => ({ data: { ...one, width: widths[one.type] } })),
      ...nodes.filter((one) => !entered.has(one.id))
        .map((one) => ({ data: { id: `${anchor}>${one.id}`, source: anchor, target: one.id, anchor: 1 } })),
      ...edges.map((one) => ({ data: one })),
    ];
    const added = cy.add(elements);
    added.layout({
      name: "dagre", rankDir: "LR", ranker: "tight-tree", nodeSep: 6, rankSep: 44, edgeSep: 4, fit: false, animate: false,
      minLen: (edge) => Math.max(1, column.get(edge.target().id()) - (column.get(edge.source().id()) || 0)),
    }).run();
    arrange(added.not("[type='anchor']").not("[?anchor]").components(), graph);
    // Beside the first of what hangs on it, as in an outline.
    for (const type of ["bridge", "nic"]) {
      added.nodes(`[type="${type}"]`).forEach((one) => {
        const next = one.outgoers("node");
        if (next.nonempty()) one.position("y", Math.min(...next.map((other) => other.position("y"))));
      });
    }
    return added;
  };

  // Hosts go below each other, in as many columns as the window has room for.
  const draw = (ids) => {
    cy.elements().remove();
    const hosts = [...graphs.keys()].filter((host) => [...graphs.get(host).nodes.keys()].some((id) => ids.has(id)));
    const parts = hosts.map((host) => {
      const added = lay(host, ids);
      return { host, added, box: added.nodes().boundingBox({ includeLabels: false }) };
    });
    const wide = Math.max(1, ...parts.map((part) => part.box.w)) + 70;
    const count = Math.max(1, Math.min(parts.length, Math.floor(cy.width() / wide)));
    const bottoms = new Array(count).fill(0);
    for (const part of parts) {
      const place = bottoms.indexOf(Math.min(...bottoms));
      part.added.nodes().shift({ x: place * wide - part.box.x1, y: bottoms[place] - part.box.y1 });
      bottoms[place] += part.box.h + 90;
      const id = `${part.host}\nhost`;
      cy.add({ data: { id, host: part.host, type: "host", label: part.host } });
      part.added.nodes().move({ parent: id });
    }
    home();
  };

  // As large as it can be read, from the top; all of it where that is large enough.
  const home = () => {
    const box = cy.elements().boundingBox();
    if (!box.w) return;
    const width = (cy.width() - 40) / box.w;
    const zoom = Math.min(1.1, Math.max(0.55, width));
    const whole = Math.min(width, (cy.height() - 80) / box.h);
    if (whole >= zoom * 0.8) {
      cy.zoom(Math.min(1.1, whole));
      cy.center();
    } else {
      cy.zoom(zoom);
      cy.pan({ x: Math.max(20, (cy.width() - box.w * zoom) / 2) - box.x1 * zoom, y: 20 - box.y1 * zoom });
    }
  };

  const zoomBy = (factor) => cy.zoom({
    level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 },
  });
  at("in").onclick = () => zoomBy(1.3);
  at("out").onclick = () => zoomBy(1 / 1.3);
  at("whole").onclick = () => cy.fit(undefined, 20);
  at("print").onclick = () => window.print();

  // The wheel scrolls, as in the list beside; with Ctrl, and by pinching, it zooms, which is what Cytoscape does with it
  // where it gets it.
  at("drawing").addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const step = event.deltaMode ? 30 : 1;
    const [x, y] = event.shiftKey ? [event.deltaY, event.deltaX] : [event.deltaX, event.deltaY];
    cy.panBy({ x: -x * step, y: -y * step });
  }, { capture: true, passive: false });

  // ---- The list ----

  const buttons = new Map();
  const list = () => {
    const parts = [];
    for (const [host, facts] of Object.entries(fleet)) {
      const own = entries.filter((entry) => entry.host === host);
      const engines = ((facts && facts.engines) || []).map((one) => [one.name, one.version].filter(Boolean).join(" "));
      parts.push(make("h2", {}, host, " ", make("small", {}, facts ? `${own.length} · ${engines.join(", ")}` : "")));
      if (!facts) parts.push(make("p", { className: "problem" }, "no facts: it could not be reached, or none are in the cache"));
      for (const one of (facts && facts.incomplete) || []) {
        parts.push(make("p", { className: "problem" }, `incomplete: ${one.source}: ${one.reason}`));
      }
      const items = own.map((entry) => {
        const { ns } = entry;
        const addresses = ns.is_host ? [] : (ns.interfaces || []).flatMap(addressesOf);
        const names = (ns.names || []).filter((name) => name !== entry.title);
        const button = make("button", { type: "button", className: `of-${ns.kind || "named"}` },
          make("span", {}, entry.title), ns.stale ? make("span", { className: "stale" }, "  stale") : null,
          make("small", {}, [addresses.join(", "), names.join(", ")].filter(Boolean).join(" · ")));
        button.onclick = () => choose(entry.id);
        buttons.set(entry.id, button);
        return make("li", {}, button);
      });
      parts.push(make("ul", {}, ...items));
    }
    at("list").replaceChildren(...parts);
  };

  // ---- Search ----

  let timer = 0;
  const search = () => {
    const words = at("query").value.toLowerCase().split(/\s+/).filter(Boolean);
    const all = !words.length && !at("stale").checked;
    const found = all ? entries : entries.filter((entry) =>
      words.every((word) => mentions(entry.words, word)) && (!at("stale").checked || entry.ns.stale));
    const chosenOnes = new Set(found.map((entry) => entry.id));
    for (const [id, button] of buttons) button.parentElement.hidden = !chosenOnes.has(id);
    at("found").textContent = all ? "" : `${found.length} of ${entries.length}`;
    const ids = new Set();
    for (const [host, graph] of graphs) {
      if (all) for (const id of graph.nodes.keys()) ids.add(id);
      else {
        const starts = found.filter((entry) => entry.host === host && !entry.ns.is_host).map((entry) => entry.id);
        for (const id of graph.nodes.keys()) {
          const data = graph.nodes.get(id);
          const own = entryOf.get(data.entry);
          // Of the host's own interfaces only those that were asked for, and not all that hangs on them.
          if (own && own.ns.is_host && chosenOnes.has(own.id) && words.length
            && words.every((word) => `${host}\n${data.label}`.toLowerCase().includes(word))) {
            if (data.type === "port") starts.push(id);
            else for (const before of pathOf(graph, [id], [BACK])) ids.add(before);
          }
        }
        for (const id of pathOf(graph, starts)) ids.add(id);
      }
    }
    draw(ids);
    mark();
    return found;
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(search, 150);
  };
  at("query").addEventListener("input", later);
  at("stale").addEventListener("change", search);
  at("query").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    clearTimeout(timer);
    const found = search();
    if (found.length) choose(found[0].id);
  });

  // ---- Choosing, and details ----

  let chosen = null;
  const mark = () => {
    cy.batch(() => {
      cy.elements().removeClass("path chosen");
      for (const [id, button] of buttons) button.setAttribute("aria-current", String(Boolean(chosen) && id === chosen.id));
      if (!chosen) return;
      const start = cy.getElementById(chosen.node);
      if (start.empty()) return;
      const path = pathOf(graphs.get(start.data("host")), [chosen.node]);
      const drawn = cy.elements().filter((one) => (one.isNode() ? path.has(one.id())
        : !one.data("anchor") && path.has(one.source().id()) && path.has(one.target().id())));
      drawn.addClass("path");
      start.addClass("chosen");
    });
  };

  const choose = (id, node = id) => {
    chosen = { id, node };
    mark();
    details(entryOf.get(id));
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

  const unchoose = () => {
    const button = chosen && buttons.get(chosen.id);
    chosen = null;
    mark();
    at("details").hidden = true;
    cy.resize();
    if (button) button.focus();
  };

  cy.on("tap", (event) => {
    const one = event.target;
    if (one === cy || one.isEdge() || one.data("type") === "host") {
      if (chosen) unchoose();
      return;
    }
    const id = one.data("entry") || one.id();
    if (entryOf.has(id)) choose(id, one.id());
  });
  cy.on("mouseover mouseout", "node", (event) => {
    event.target.toggleClass("near", event.type === "mouseover");
    at("graph").title = event.type === "mouseover" ? event.target.data("label") : "";
  });

  const tableOf = (headings, rows) => make("table", {},
    make("thead", {}, make("tr", {}, ...headings.map((one) => make("th", { scope: "col" }, one)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, String(cell ?? "")))))));
  const termsOf = (pairs) => make("dl", {}, ...pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, String(value))]));
  const listOf = (items) => make("ul", {}, ...items.map((item) => make("li", {}, item)));
  const step = (type, text) => make("li", { className: `of-${type}` }, text);
  const endOf = (peer) => {
    const names = (peer.names || []).join(", ");
    return [peer.interface, peer.master ? `in ${peer.master}` : "", names ? `of ${names}` : ""].filter(Boolean).join(" ");
  };

  // Whose the other end is, where no bridge says it.
  const farOwner = (host, peer) => {
    const far = entryOf.get(`${host}\n${peer.inode}`);
    return far && !peer.master ? ` of ${far.title}` : "";
  };

  const details = (entry) => {
    const { host, ns } = entry;
    const panel = at("details");
    const close = make("button", { type: "button", className: "close", title: "Close ( Esc )" }, "×");
    close.onclick = unchoose;
    const parts = [close, make("h2", {}, entry.title), make("p", {}, `on ${host}`)];
    const section = (title, content) => parts.push(make("h3", {}, title), content);
    const interfaces = ns.interfaces || [];
    const lost = ns.stale ? interfaces.filter((iface) => iface.physical).map((iface) => iface.name) : [];
    if (ns.stale) parts.push(make("p", { className: "stale" }, "Stale: it is kept by a mount, and what it was made for is gone."));
    if (lost.length) parts.push(make("p", { className: "stale" }, `It holds the host's ${lost.join(", ")}.`));
    if (ns.stale === null) parts.push(make("p", {}, "Whether it is stale is not known."));

    const paths = ns.is_host ? [] : interfaces.filter((iface) => iface.name !== "lo" && (iface.peer || addressesOf(iface).length));
    if (paths.length) {
      parts.push(make("h3", {}, "The way to it"));
      for (const iface of paths) {
        parts.push(make("ol", { className: "path" },
          iface.peer && iface.peer.master ? step("bridge", iface.peer.master) : null,
          iface.peer ? step("port", iface.peer.interface + farOwner(host, iface.peer)) : null,
          step("inner", iface.name),
          ...addressesOf(iface).map((address) => step(ns.kind || "named", address))));
      }
    }
    section("Namespace", termsOf([
      ["inode", ns.inode], ["kind", ns.kind], ["engine", ns.engine], ["pod", ns.pod && podName(ns.pod)],
      ["network", ns.network && (ns.network.name || ns.network.id)], ["unit", ns.unit], ["user", ns.user], ["nsid", ns.nsid],
    ]));
    if ((ns.names || []).length) section("Known to ip netns as", listOf(ns.names));
    if ((ns.containers || []).length) {
      parts.push(make("h3", {}, "Containers"));
      for (const one of ns.containers) {
        const labels = Object.entries(one.labels || {}).sort().map(([key, value]) => `${key}=${value}`);
        parts.push(make("details", {}, make("summary", {}, one.name), termsOf([["id", one.id], ["image", one.image], ["pid", one.pid]]),
          labels.length ? listOf(labels) : null));
      }
    }
    if (interfaces.length) {
      section("Interfaces", tableOf(["name", "state", "addresses", "leads to"], interfaces.map((iface) => [
        iface.name, [iface.kind, iface.state, iface.mtu].filter(Boolean).join(" "), (iface.addresses || []).join("\n"),
        iface.peer ? endOf(iface.peer) : iface.master ? `in ${iface.master}` : ""])));
      section("Hardware addresses", termsOf(interfaces.filter((iface) => iface.mac && iface.name !== "lo").map((iface) => [iface.name, iface.mac])));
    }
    if ((ns.routes || []).length) {
      section("Routes", tableOf(["to", "by", "interface", "metric"],
        ns.routes.map((route) => [route.dst, route.gateway, route.interface, route.metric])));
    }
    if (ns.dns) section("DNS", termsOf(Object.entries(ns.dns).map(([key, value]) => [key, Array.isArray(value) ? value.join(" ") : value])));
    if (ns.processes) {
      const processes = [...(ns.processes.first || []), ...(ns.processes.holders || [])];
      section(`Processes: ${ns.processes.count}`, listOf(processes.map((one) => `${one.pid} ${one.command}`)));
    }
    if ((ns.pins || []).length) section("Mounted on", listOf(ns.pins));
    panel.replaceChildren(...parts);
    panel.hidden = false;
    panel.scrollTop = 0;
  };

  // ---- Keys, colours, paper ----

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type='search']");
    if (event.key === "Escape") {
      if (typing && at("query").value) {
        at("query").value = "";
        search();
      } else if (chosen) unchoose();
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      "/": () => at("query").focus(), "+": at("in").onclick, "-": at("out").onclick, 0: at("whole").onclick,
    };
    const row = event.target.closest("#list button");
    if (row && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const visible = [...at("list").querySelectorAll("li:not([hidden]) button")];
      const next = visible[visible.indexOf(row) + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) next.focus();
      event.preventDefault();
      return;
    }
    const shift = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80] }[event.key];
    if (shift && event.target === at("graph")) {
      cy.panBy({ x: shift[0], y: shift[1] });
      event.preventDefault();
    } else if (keys[event.key]) {
      keys[event.key]();
      event.preventDefault();
    }
  });

  const restyle = () => cy.style(styles());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
  window.addEventListener("beforeprint", () => {
    light = true;
    restyle();
    const picture = make("img", { id: "paper", alt: "" });
    picture.src = cy.png({ full: true, scale: 1.5, maxHeight: 16000, maxWidth: 4000, bg: "#fff" });
    at("drawing").prepend(picture);
    for (const part of at("details").querySelectorAll("details")) part.open = true;
  });
  window.addEventListener("afterprint", () => {
    light = false;
    restyle();
    const picture = at("paper");
    if (picture) picture.remove();
  });

  const stale = entries.filter((entry) => entry.ns.stale).length;
  const count = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;
  at("summary").textContent = [
    count(Object.keys(fleet).length, "host"), count(entries.length, "namespace"), stale ? `${stale} stale` : "",
    `written ${document.lastModified}`,
  ].filter(Boolean).join(" · ");
  at("legend").append(...Object.entries(LEGEND).map(([key, text]) => make("li", { className: `of-${key}` }, text)));
  list();
  search();
  // For tests, and for whoever wants more of it in the console.
  window.picture = cy;
})();

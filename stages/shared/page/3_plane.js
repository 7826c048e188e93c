// The query among its neighbours, in the plane of their two principal components.
"use strict";

/** A drawing of a token's plane. */
function planeOf(token) {
  const size = 320, margin = 34;
  const {query, neighbours, variance} = token.plane;
  const all = [query, ...neighbours];
  const range = [0, 1].map((axis) => {
    const values = all.map((place) => place[axis]);
    return [Math.min(...values), Math.max(...values)];
  });
  const span = Math.max(range[0][1] - range[0][0], range[1][1] - range[1][0]) || 1;
  const scale = (size - 2 * margin) / span;  // the same for both axes: distances can be compared
  const place = (of) => [0, 1].map((axis) => {
    const middle = (range[axis][0] + range[axis][1]) / 2;
    return size / 2 + (axis ? -1 : 1) * (of[axis] - middle) * scale;
  });
  const [qx, qy] = place(query);
  const circles = [], rays = [], labels = [], taken = [];
  const free = (x, y, width) => !taken.some(([a, b, w]) => Math.abs(y - b) < 13 && x < a + w && a < x + width);
  taken.push([qx - 9, qy, 18]);
  for (const [x, y] of neighbours.map(place)) taken.push([x - 4, y, 8]);
  const order = neighbours.map((_, i) => i).sort((a, b) => token.neighbours[b].share - token.neighbours[a].share);
  for (const i of order) {
    const neighbour = token.neighbours[i];
    const [x, y] = place(neighbours[i]);
    const kind = neighbour.token === token.token ? "agrees" : "other";
    const radius = 3.5 + 9 * Math.sqrt(neighbour.share);
    rays.push(drawn("line", {x1: qx, y1: qy, x2: x, y2: y, class: kind, "--share": neighbour.share}));
    circles.push(drawn("circle", {cx: x, cy: y, r: radius, class: kind, "data-neighbour": i,
      onpointerenter: () => point(i), onpointerleave: () => point(null)},
      drawn("title", {}, `${i + 1}. ${shownText(neighbour.text, neighbour.ends)}: distance ` +
        `${short(neighbour.distance)}, share ${probability(neighbour.share)}`)));
    const text = shownText(neighbour.text, neighbour.ends).slice(0, 14), width = 6.6 * text.length + 8;
    const left = x + radius + 4 + width > size ? x - radius - width : x + radius + 3;
    if (!free(left, y, width)) continue;
    taken.push([left, y, width]);
    labels.push(drawn("text", {x: left, y: y + 4, class: kind}, text));
  }
  return element("figure", {class: "plane"},
    drawn("svg", {viewBox: `0 0 ${size} ${size}`, role: "img",
      "aria-label": "The query and its neighbours in two dimensions"},
      drawn("g", {class: "rays"}, ...rays), drawn("g", {class: "points"}, ...circles),
      drawn("path", {class: "query", d: `M${qx} ${qy - 8}l8 8l-8 8l-8 -8z`},
        drawn("title", {}, "the query: what the model's decoder made of source and translation so far")),
      drawn("g", {class: "labels"}, ...labels)),
    element("figcaption", {}, element("span", {class: "sign query"}), "query",
      element("span", {class: "sign agrees"}), "same token", element("span", {class: "sign other"}), "another",
      element("span", {class: "note"}, `two principal components, ${Math.round(100 * variance)} % of the variance`)));
}

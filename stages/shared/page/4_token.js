// One token: how likely it was, what else was, and the neighbours that spoke for it.
"use strict";

/** Shows token `place` of `side` ({name, tokens, trace}) in `box`; close() is called by its button. */
function showToken(box, side, place, close) {
  const token = side.tokens[place];
  const {end_token, sentences} = side.trace;
  const neighbours = token.neighbours || [];
  for (const neighbour of neighbours) neighbour.ends = neighbour.token === end_token;
  const knn = side.kind === "knn";
  const list = element("ol", {class: "neighbours"});
  const most = Math.max(...neighbours.map((neighbour) => neighbour.share));
  neighbours.forEach((neighbour, i) => list.append(neighbourLine(neighbour, sentences[neighbour.sentence], i,
    {agrees: neighbour.token === token.token, part: neighbour.share / (most || 1)})));
  const said = element("section", {class: "said"}, element("div", {},
    element("h3", {}, "How likely it was"),
    element("dl", {class: "bars"},
      ...[["mt", "p_mt", "the model"], ["knn", "p_knn", "the neighbours"], ["both", "p", "both"]].flatMap(
        ([kind, key, name]) => knn || kind === "mt"
          ? [element("dt", {}, name), element("dd", {}, bar(kind, token[key]))] : [])),
    knn ? element("p", {class: "formula"}, token.searched !== false
      ? `p = (1 − λ) p_mt + λ p_knn, λ = ${short(token.lambda)}`
      : "the search was skipped for this token") : null),
  candidatesOf(token, end_token, knn));
  const parts = [said];
  const pictured = neighbours.length > 0 && (token.plane || side.live);
  if (pictured) parts.push(planeSection(token));
  if (knn && !token.neighbours) {
    parts.push(element("p", {class: "quiet"}, "Both translations have this token: its neighbours are not in this page."));
  } else if (knn) {
    parts.push(element("section", {class: "found"},
      element("h3", {}, neighbours.length ? `The ${neighbours.length} nearest neighbours, and their shares of p_knn` : "No neighbours"),
      neighbours.length ? list : element("p", {class: "quiet"}, token.searched
        ? "None counted." : "The gate decided that a search was not worth it.")));
  }
  box.replaceChildren(element("div", {class: "card detail"},
    element("header", {},
      element("h2", {}, element("span", {class: `chip ${side.kind}`}, shownText(token.text, token.token === end_token)),
        element("span", {class: "of"}, `token ${place + 1} of ${side.tokens.length}, ${side.name}`)),
      element("button", {type: "button", class: "close", "aria-label": "Close", onclick: close}, "×")),
    element("div", {class: pictured ? "parts" : "parts narrow"}, ...parts)));
}

function candidatesOf(token, endToken, knn) {
  const kinds = knn ? [["mt", "p_mt", "model"], ["knn", "p_knn", "neighbours"], ["both", "p", "both"]]
    : [["mt", "p_mt", "model"]];
  if (!token.candidates) return null;
  return element("table", {class: "candidates"},
    element("caption", {}, "Candidates"),
    element("thead", {}, element("tr", {}, element("th", {scope: "col"}, "token"),
      ...kinds.map(([kind, , name]) => element("th", {scope: "col", class: kind}, name)))),
    element("tbody", {}, ...token.candidates.map((candidate) => element("tr",
      {class: candidate.token === token.token ? "chosen" : ""},
      element("th", {scope: "row"}, shownText(candidate.text, candidate.token === endToken)),
      ...kinds.map(([kind, key]) => element("td", {class: kind, "--part": candidate[key]},
        element("span", {}, probability(candidate[key]))))))));
}

/** The picture of a token that has one or, as long as it is computed, room for it. */
function planeSection(token) {
  const {plane} = token;
  return element("section", {class: "seen"}, element("h3", {}, "Where it looked"),
    plane && !plane.missing ? planeOf(token)
      : element("p", {class: "waiting quiet"}, plane ? "There is no picture of it." : "computing the neighbours' vectors…"));
}

/** Marks a neighbour in the list and in the picture; null: none. */
function point(i) {
  for (const node of document.querySelectorAll("[data-neighbour]")) {
    node.classList.toggle("pointed", i !== null && Number(node.dataset.neighbour) === i);
  }
}

/** A neighbour's sentence up to its token, which is marked, and more faintly what follows it. */
function neighbourLine(neighbour, sentence, i, {agrees, part}) {
  const pieces = sentence.pieces, at = neighbour.position;
  const before = pieces.slice(0, at).join(""), marked = pieces[at], after = pieces.slice(at + 1).join("");
  const ends = at + 1 === pieces.length && marked === "";
  const origin = [sentence.corpus || null, `line ${sentence.line}`].filter(Boolean).join(", ");
  return element("li", {tabindex: "0", class: agrees ? "agrees" : "other", "data-neighbour": i,
    onpointerenter: () => point(i), onpointerleave: () => point(null), onfocus: () => point(i), onblur: () => point(null)},
    element("div", {class: "weight"}, bar("knn", neighbour.share, part),
      element("span", {class: "distance"}, `distance ${short(neighbour.distance)}`)),
    element("div", {class: "text"},
      element("p", {class: "target"}, before, /^\s/.test(marked) ? " " : null,
        element("mark", {}, shownText(marked, ends)), element("span", {class: "after"}, after)),
      element("p", {class: "origin"}, sentence.source, element("span", {class: "line"}, origin))));
}

/** In mode memory no token was chosen: the datastore sentence that was taken. */
function showMemory(box, trace) {
  const taken = trace.memory && trace.sentences[trace.memory.sentence];
  box.replaceChildren(...taken ? [element("div", {class: "card detail"},
    element("h3", {}, "The datastore sentence whose source is nearest"),
    element("p", {class: "target"}, taken.target),
    element("p", {class: "origin"}, taken.source, element("span", {class: "line"},
      `${taken.corpus ? `${taken.corpus}, ` : ""}line ${taken.line}, distance ${short(trace.memory.distance)}`)))] : []);
}

// Two translations side by side, as rows of tokens that can be chosen.
"use strict";

/** Which of two lists of texts are in a longest common subsequence: [[place in a, place in b], …]. */
function common(a, b) {
  const lengths = Array.from({length: a.length + 1}, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; --i) {
    for (let j = b.length - 1; j >= 0; --j) {
      lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  const pairs = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (lengths[i + 1][j] >= lengths[i][j + 1]) ++i;
    else ++j;
  }
  return pairs;
}

/**
 * Shows {source, reference, base, knn}: base and knn are {name, text, tokens, trace or null}. Tokens that have
 * probabilities can be chosen; choose(side, place) is called, and with null when the choice ends.
 */
class Translations {
  constructor(place, choose) {
    this.place = place;
    this.choose = choose;
    place.addEventListener("keydown", (event) => this.onKey(event));
  }

  show(shown) {
    this.rows = {};
    this.chosen = null;
    const texts = (side) => side.tokens.map((token) => token.text);
    this.same = shown.same || common(texts(shown.base), texts(shown.knn));
    const base = this.card("base", shown.base, new Set(this.same.map((pair) => pair[0])));
    const knn = this.card("knn", shown.knn, new Set(this.same.map((pair) => pair[1])));
    const lines = [];
    if (shown.heading) {
      lines.push(element("div", {class: "case"}, element("h2", {}, shown.heading),
        element("p", {class: "source-line", lang: ""}, shown.source)));
    }
    if (shown.reference) {
      lines.push(element("div", {class: "reference"}, element("h2", {}, "Reference"),
        element("p", {}, shown.reference)));
    }
    this.place.replaceChildren(...lines.slice(0, shown.heading ? 1 : 0),
      element("div", {class: "pair"}, base, knn), ...lines.slice(shown.heading ? 1 : 0));
  }

  card(name, side, same) {
    const changed = side.tokens.filter((_, i) => !same.has(i)).length;
    const row = element("p", {class: "tokens", role: "toolbar", "aria-label": `Tokens of ${side.name}`});
    let word = null;  // lines are broken between words
    this.rows[name] = side.tokens.map((token, i) => {
      if (word === null || /^\s/.test(token.text)) row.append(" ", word = element("span", {class: "word"}));
      const ends = side.trace !== null && token.token === side.trace.end_token;
      const text = shownText(token.text, ends || (token.text === "" && i + 1 === side.tokens.length));
      const marks = ["token", !same.has(i) ? "differs" : "", token.text.trim() ? "" : "bare"].join(" ").trim();
      if (token.p === undefined) return word.appendChild(element("span", {class: marks}, text));
      const share = token.p > 0 ? Math.min(token.lambda * token.p_knn / token.p, 1) : 0;
      return word.appendChild(element("button", {
        class: marks, type: "button", "data-place": i, tabindex: "-1", "aria-pressed": "false", "--knn-part": share,
        title: `p_mt ${probability(token.p_mt)}, p_knn ${probability(token.p_knn)}, p ${probability(token.p)}`,
        onclick: () => this.select(name, i)}, text));
    });
    const first = this.rows[name].find((node) => node.tagName === "BUTTON");
    if (first) first.tabIndex = 0;
    const quiet = side.tokens.length === 0 ? "nothing" : null;
    return element("article", {class: `card translation ${name}`},
      element("h2", {}, element("span", {class: "dot", "aria-hidden": "true"}), side.name,
        element("span", {class: "count"}, changed > 0 ? `${changed} of ${side.tokens.length} tokens differ`
          : "the same tokens")),
      row, quiet ? element("p", {class: "quiet"}, quiet) : null);
  }

  select(name, place, focus = true) {
    if (this.chosen) this.press(this.chosen.node, false);
    const node = this.rows[name] && this.rows[name][place];
    if (!node || node.tagName !== "BUTTON") return false;
    for (const other of this.rows[name]) if (other.tagName === "BUTTON") other.tabIndex = -1;
    node.tabIndex = 0;
    this.press(node, true);
    this.chosen = {name, place, node};
    if (focus) node.focus({preventScroll: true});
    this.choose(name, place);
    return true;
  }

  press(node, pressed) {
    node.setAttribute("aria-pressed", String(pressed));
  }

  close() {
    if (!this.chosen) return;
    this.press(this.chosen.node, false);
    this.chosen.node.focus();
    this.chosen = null;
    this.choose(null, null);
  }

  /** The first token of knn that differs, or its first one. */
  selectFirst() {
    const rows = this.rows.knn;
    const differs = rows.findIndex((node) => node.classList.contains("differs") && node.tagName === "BUTTON");
    const any = rows.findIndex((node) => node.tagName === "BUTTON");
    if (any >= 0) this.select("knn", differs >= 0 ? differs : any, false);
  }

  onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const name = Object.keys(this.rows || {}).find((row) => this.rows[row].includes(document.activeElement));
    if (!name) return;
    const place = this.rows[name].indexOf(document.activeElement);
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (step) {
      for (let i = place + step; i >= 0 && i < this.rows[name].length; i += step) {
        if (this.select(name, i)) break;
      }
    } else if (event.key === "Home" || event.key === "End") {
      const order = [...this.rows[name].keys()];
      if (event.key === "End") order.reverse();
      order.some((i) => this.select(name, i));
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const other = event.key === "ArrowUp" ? "base" : "knn";
      if (other !== name && this.rows[other]) this.select(other, this.across(name, place));
    } else {
      return;
    }
    event.preventDefault();
  }

  /** The place in the other translation that corresponds to one in this. */
  across(name, place) {
    const from = name === "base" ? 0 : 1;
    const length = this.rows[name === "base" ? "knn" : "base"].length;
    const before = this.same.filter((pair) => pair[from] <= place).pop();
    if (!before) return Math.min(place, length - 1);
    return Math.min(before[1 - from] + (place - before[from]), length - 1);
  }
}

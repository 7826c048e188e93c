// Without a server: a decoded test set that is in the page.
"use strict";

/** [text, lengths] as pieces. */
function piecesOf(text, lengths) {
  const points = Array.from(text);
  let begin = 0;
  return lengths.map((length) => points.slice(begin, begin += length).join(""));
}

/** Those that matter most first. */
function settingsText(settings) {
  const first = ["mode", "policy", "k", "nprobe", "sentences", "temperature", "lambda", "tau"];
  const names = {temperature: "T", lambda: "λ", tau: "τ", length_penalty: "length penalty"};
  const place = (name) => first.includes(name) ? first.indexOf(name) : first.length;
  return Object.entries(settings).sort(([a], [b]) => place(a) - place(b)).map(([name, value]) =>
    `${names[name] || name} ${value}`).join(" · ");
}

/** The lists that stages/inspect/book.cpp has written, as the objects of a trace (docs/trace.md). */
class Book {
  constructor(book) {
    this.book = book;
    document.body.className = "book";
    at("about").textContent = `${book.knn} beside ${book.base}`;
    at("settings").textContent = settingsText(book.settings || {});
    document.title = `${book.knn} – knnseq`;
    this.translations = new Translations(at("translations"), (side, place) => this.explain(side, place));
    const scored = book.lines.some((line) => line.chrf);
    const entries = book.lines.map((line) => this.entryOf(line));
    const byLine = (a, b) => a.number - b.number;
    const orders = {"most changed": (a, b) => b.part - a.part || b.changed - a.changed || byLine(a, b)};
    const filters = {all: () => true, changed: (entry) => entry.part > 0, "not changed": (entry) => entry.part === 0};
    if (scored) {
      Object.assign(orders, {"most gained": (a, b) => b.gain - a.gain || byLine(a, b),
        "most lost": (a, b) => a.gain - b.gain || byLine(a, b)});
      Object.assign(filters, {"better with kNN": (entry) => entry.gain > 0, "worse with kNN": (entry) => entry.gain < 0});
    }
    orders["as in the test set"] = byLine;
    this.list = new SentenceList(at("side"), {title: "Sentences", entries, orders, filters,
      choose: (entry) => this.show(entry)});
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.translations.close();
    });
    const wanted = entries.find((entry) => `#${entry.number}` === location.hash);
    if (wanted || this.list.shown.length) this.list.select(wanted || this.list.shown[0]);
  }

  entryOf(line) {
    const tokens = line.knn[1].length, base = line.base[1].length;
    const part = tokens + base === 0 ? 0 : 1 - 2 * line.same.length / (tokens + base);
    const changed = tokens - line.same.length;
    return {line, text: line.source, more: [line.reference, line.base[0], line.knn[0]].join(" "), number: line.n,
      part, changed, gain: line.chrf ? line.chrf[1] - line.chrf[0] : 0, badge: String(changed)};
  }

  show({line, number, gain}) {
    location.replace(`#${number}`);
    const {book} = this;
    const side = (kind, name, [text, lengths], tokens) =>
      ({kind, name, text, tokens, trace: {end_token: book.end, settings: book.settings, sentences: this.sentences}});
    this.sentences = {};
    const memory = line.memory && {sentence: line.memory[0], distance: line.memory[1]};
    if (memory) this.sentenceAt(memory.sentence);
    this.sides = {
      base: side("base", book.base, line.base, piecesOf(...line.base).map((text) => ({text}))),
      knn: side("knn", book.knn, line.knn, piecesOf(...line.knn).map((text, i) => this.tokenOf(text, line.tokens[i]))),
    };
    const scores = line.chrf && `chrF ${line.chrf[0].toFixed(1)} → ${line.chrf[1].toFixed(1)} `
      + `(${gain >= 0 ? "+" : "−"}${Math.abs(gain).toFixed(1)})`;
    this.translations.show({...this.sides, same: line.same, source: line.source, reference: line.reference,
      heading: [`Line ${number}`, scores].filter(Boolean).join(" · ")});
    showMemory(at("token"), {memory, sentences: this.sentences});
    at("keys").hidden = Boolean(memory);
    this.translations.selectFirst();
  }

  tokenOf(text, numbers) {
    if (numbers.length === 0) return {text};
    const [mt, knn, both, lambda, token, candidates, neighbours, searched, plane] = numbers;
    const part = (number) => number / 1e4;
    const made = {text, token, p_mt: part(mt), p_knn: part(knn), p: part(both), lambda};
    if (candidates === undefined) return made;
    made.searched = searched;
    made.candidates = candidates.map(([id, p_mt, p_knn, p]) =>
      ({token: id, text: this.book.texts[id], p_mt: part(p_mt), p_knn: part(p_knn), p: part(p)}));
    made.neighbours = neighbours.map(([id, distance, share, sentence, position]) => {
      this.sentenceAt(sentence);
      return {token: id, text: this.book.texts[id], distance, share: part(share), sentence, position};
    });
    if (plane) made.plane = {variance: plane[0], query: plane[1], neighbours: plane.slice(2)};
    return made;
  }

  sentenceAt(place) {
    const [source, target, lengths, line, corpus] = this.book.sentences[place];
    this.sentences[place] = {source, target, line, corpus, pieces: piecesOf(target, lengths)};
  }

  explain(side, place) {
    if (side === null) at("token").replaceChildren();
    else showToken(at("token"), this.sides[side], place, () => this.translations.close());
  }
}

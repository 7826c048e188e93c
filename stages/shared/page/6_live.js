// With a server: a sentence goes in, settings are moved, both translations come back.
"use strict";

/** Sliders: how a setting's range follows from its value in the config; logarithmic but for λ. */
const sliders = {
  k: {name: "k", about: "neighbours of each token", from: () => 1, to: (value) => Math.max(128, 2 * value), whole: true},
  nprobe: {name: "nprobe", about: "lists that are searched", from: () => 1,
    to: (value, lists) => lists || Math.max(128, 2 * value), whole: true},
  temperature: {name: "T", about: "temperature: small trusts the nearest", from: (value) => value / 16,
    to: (value) => value * 16},
  lambda: {name: "λ", about: "weight of the neighbours", from: () => 0, to: () => 0.99, linear: true},
  tau: {name: "τ", about: "distance from which neighbours do not count", from: (value) => value / 16,
    to: (value) => value * 16},
}
const defaults = {k: 16, nprobe: 32, temperature: 10, lambda: 0.5, tau: 100};

/** The settings of a request: {mode, policy, k, …}, each with a control in `box`. */
class Settings {
  constructor(box, info, changed) {
    this.configured = info.settings;
    this.lists = info.offers.lists;
    this.changed = changed;
    const own = info.settings;
    this.values = {...defaults};
    for (const name of Object.keys(sliders)) if (own[name] !== undefined) this.values[name] = own[name];
    if (this.lists) this.values.nprobe = Math.min(this.values.nprobe, this.lists);
    const modes = info.offers.modes, policies = info.offers.policies;
    this.mode = own.mode === "base" ? modes[0] : own.mode;
    this.policy = own.policy || policies[0];
    this.start = {values: {...this.values}, mode: this.mode, policy: this.policy};
    this.rows = Object.fromEntries(Object.keys(sliders).map((name) => [name, this.row(name)]));
    box.replaceChildren(element("details", {open: matchMedia("(min-width: 52rem)").matches, class: "card"},
      element("summary", {}, element("h2", {}, "kNN settings")),
      this.segments("mode", "where to search", modes, (value) => { this.mode = value; }),
      this.segments("policy", "what decides λ", policies, (value) => { this.policy = value; }),
      ...Object.values(this.rows).map((row) => row.box),
      this.reset = element("button", {type: "button", onclick: () => this.restore()}, "As configured")));
    this.refresh();
    if (modes.length === 0) {
      box.replaceChildren(element("p", {class: "card quiet"}, "This run has no index: both translations are of the model alone."));
    }
  }

  segments(key, about, names, set) {
    if (names.length < 2) return null;
    const buttons = names.map((name) => element("label", {},
      element("input", {type: "radio", name: key, value: name, checked: this[key] === name,
        onchange: () => { set(name); this.refresh(); this.changed(); }}),
      element("span", {}, name.replace("_", " "))));
    return element("fieldset", {class: "segments"}, element("legend", {}, about), ...buttons);
  }

  row(name) {
    const {about, from, to, linear} = sliders[name];
    const value = this.values[name];
    const least = from(value, this.lists), most = to(value, this.lists);
    const number = (at) => linear ? least + at * (most - least) : least * (most / least) ** at;
    const where = (of) => linear ? (of - least) / (most - least) : Math.log(of / least) / Math.log(most / least);
    const output = element("output", {for: `slider-${name}`});
    const input = element("input", {type: "range", id: `slider-${name}`, min: 0, max: 1, step: "any",
      value: where(value), oninput: () => {
        const made = number(Number(input.value));
        this.values[name] = sliders[name].whole ? Math.round(made) : Number(made.toPrecision(linear ? 2 : 3));
        this.refresh();
        this.changed();
      }, onkeydown: (event) => {
        const step = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1}[event.key];
        if (!step) return;
        event.preventDefault();
        const made = sliders[name].whole && this.values[name] < 20 ? this.values[name] + step
          : number(Math.min(Math.max(where(this.values[name]) + step / 40, 0), 1));
        input.value = where(Math.min(Math.max(made, least), most));
        input.dispatchEvent(new Event("input"));
      }});
    return {box: element("div", {class: "slider"}, element("label", {for: `slider-${name}`},
      element("b", {}, sliders[name].name), " ", element("span", {}, about)), output, input), input, output, where};
  }

  has(name) {
    if (this.mode === "memory") return false;
    if (name === "nprobe") return this.mode === "plain" && this.lists !== 0;
    if (name === "temperature") return ["fixed", "distance"].includes(this.policy);
    if (name === "lambda") return this.policy === "fixed";
    if (name === "tau") return this.policy === "distance";
    return true;
  }

  refresh() {
    for (const [name, row] of Object.entries(this.rows)) {
      row.box.hidden = !this.has(name);
      row.output.textContent = short(this.values[name]);
      row.input.setAttribute("aria-valuetext", short(this.values[name]));
      row.input.style.setProperty("--at", `${100 * Number(row.input.value)}%`);
    }
    for (const box of document.querySelectorAll("fieldset.segments")) {
      if (box.querySelector("input[name=policy]")) box.hidden = this.mode === "memory";
    }
    this.reset.hidden = JSON.stringify(this.asked()) === JSON.stringify(this.asked(this.start));
  }

  restore() {
    this.mode = this.start.mode;
    this.policy = this.start.policy;
    this.values = {...this.start.values};
    for (const [name, row] of Object.entries(this.rows)) row.input.value = row.where(this.values[name]);
    for (const input of document.querySelectorAll("fieldset.segments input")) input.checked = this[input.name] === input.value;
    this.refresh();
    this.changed();
  }

  /** As a request's "knn" takes them. */
  asked(of = this) {
    if (of.mode === undefined) return false;
    const made = {mode: of.mode};
    if (of.mode === "memory") return made;
    made.policy = of.policy;
    for (const name of Object.keys(sliders)) if (this.has(name)) made[name] = of.values[name];
    return made;
  }
}

/** What the server is asked for, and the answers that are shown. */
class Live {
  constructor(info, examples) {
    document.body.className = "live";
    this.translations = new Translations(at("translations"), (side, place) => this.explain(side, place));
    this.settings = new Settings(at("side"), info, () => this.later());
    this.source = at("source");
    at("about").textContent = `${info.models.join(" + ")}, ${info.ranks === 1 ? "one rank" : `${info.ranks} ranks`}`;
    at("compose").hidden = false;
    at("go").addEventListener("click", () => this.translate());
    this.source.addEventListener("input", () => { this.reference = null; this.fit(); });
    this.source.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      this.translate();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.translations.close();
    });
    this.offer(examples);
  }

  offer(examples) {
    if (examples.lines.length === 0) return;
    const entries = examples.lines.map(({source, reference}, i) =>
      ({text: source, more: reference || "", reference, number: i + 1}));
    const list = new SentenceList(at("choice"), {title: `Sentences of ${examples.name}`, entries,
      choose: (entry) => this.take(entry)});
    const open = (yes) => {
      at("choice").hidden = !yes;
      at("choose").setAttribute("aria-expanded", String(yes));
    };
    at("choose").hidden = at("another").hidden = false;
    at("choose").addEventListener("click", () => {
      open(at("choice").hidden);
      if (!at("choice").hidden) list.query.focus();
    });
    at("another").addEventListener("click", () => {
      list.select(entries[Math.floor(Math.random() * entries.length)]);
    });
    this.take(entries[0]);
  }

  take(entry) {
    this.source.value = entry.text;
    this.reference = entry.reference;
    this.fit();
    this.translate();
  }

  fit() {
    this.source.style.height = "auto";
    this.source.style.height = `${this.source.scrollHeight + 2}px`;
  }

  /** After a slider has stood still for a moment. */
  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.translate(), 200);
  }

  async translate() {
    clearTimeout(this.timer);
    const source = this.source.value.replace(/\s+/g, " ").trim();
    if (source === "") return;
    if (this.asking) this.asking.abort();
    const asking = this.asking = new AbortController();
    const slow = setTimeout(() => this.wait(true), 150);
    try {
      const wanted = {source, knn: this.settings.asked(), trace: {neighbours: neighboursShown, candidates: 5}};
      const [base, knn] = await ask(asking.signal, [{source, knn: false, trace: {candidates: 8}}, wanted]);
      const failed = [base, knn].find((answer) => answer.error);
      if (failed) throw new Error(failed.error.message);
      at("problem").hidden = true;
      this.wanted = wanted;
      this.show(base, knn);
    } catch (error) {
      if (asking.signal.aborted) return;
      at("problem").textContent = error.message;
      at("problem").hidden = false;
    } finally {
      clearTimeout(slow);
      if (this.asking === asking) this.wait(false);
    }
  }

  /** Shows that what is seen is not yet what was asked for. */
  wait(yes) {
    at("busy").textContent = yes ? "translating…" : "";
    document.body.classList.toggle("waits", yes);
  }

  show(base, knn) {
    const chosen = this.translations.chosen;
    this.sides = {base: sideOf("base", "The model alone", base), knn: sideOf("knn", "With kNN", knn)};
    this.translations.show({...this.sides, reference: this.reference});
    showMemory(at("token"), knn.trace);
    at("keys").hidden = false;
    if (knn.trace.memory) return;
    if (!chosen || !this.translations.select(chosen.name, Math.min(chosen.place, this.sides[chosen.name].tokens.length - 1),
      chosen.node === document.activeElement)) {
      this.translations.selectFirst();
    }
  }

  explain(side, place) {
    clearTimeout(this.planeTimer);
    if (side === null) {
      at("token").replaceChildren();
      return;
    }
    const shown = this.sides[side], token = shown.tokens[place];
    showToken(at("token"), shown, place, () => this.translations.close());
    if (side === "base" || token.plane || !token.neighbours.length) return;
    this.planeTimer = setTimeout(() => this.addPlane(shown, place), 120);
  }

  /** Asks for the picture of one token, which takes longer than all the rest. */
  async addPlane(side, place) {
    const forced = side.trace.target.tokens.length - side.tokens.length;
    const trace = {...this.wanted.trace, plane: true, tokens: [place + forced]};
    const [answer] = await ask(new AbortController().signal, [{...this.wanted, trace}]).catch(() => [{}]);
    const token = side.tokens[place], made = answer.trace && answer.trace.target.tokens[place + forced];
    if (!made || made.token !== token.token || !made.plane) {
      token.plane = {missing: true};
    } else {
      token.plane = made.plane;
    }
    const {chosen} = this.translations;
    if (this.sides.knn !== side || !chosen || chosen.name !== "knn" || chosen.place !== place) return;
    const seen = document.querySelector(".seen");
    if (seen) seen.replaceWith(planeSection(token));
  }
}

const neighboursShown = 12;

/** An answer of the server as Translations and showToken() take it. */
function sideOf(kind, name, answer) {
  return {live: true, kind, name, text: answer.text, trace: answer.trace,
    tokens: answer.trace.target.tokens.filter((token) => !token.forced)};
}

/** The server's answers to several requests. Throws what it says is wrong. */
async function ask(signal, requests) {
  const answer = await fetch("v1/translate", {method: "POST", signal, headers: {"Content-Type": "application/json"},
    body: JSON.stringify(requests)}).catch((error) => {
    if (signal.aborted) throw error;
    throw new Error("The server does not answer. Is it still running?");
  });
  const made = await answer.json();
  if (!answer.ok) throw new Error(made.error ? made.error.message : `status ${answer.status}`);
  return made;
}

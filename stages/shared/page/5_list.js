// A list of sentences with a search.
"use strict";

/**
 * entries: [{text, more, badge, number}]; orders: {name: compare(a, b)}; filters: {name: keeps(entry)}. choose(entry)
 * is called for the one that is clicked.
 */
class SentenceList {
  constructor(box, {title, entries, orders = {}, filters = {}, choose}) {
    Object.assign(this, {entries, orders, filters, choose});
    this.query = element("input", {type: "search", placeholder: "Search", "aria-label": `Search ${title}`,
      oninput: () => this.draw()});
    this.order = this.choiceOf("Order", Object.keys(orders));
    this.filter = this.choiceOf("Show", Object.keys(filters));
    this.count = element("p", {class: "quiet", role: "status"});
    this.list = element("ul", {class: "sentences", onkeydown: (event) => this.onKey(event)});
    box.replaceChildren(element("h2", {}, title), element("div", {class: "find"}, this.query, this.filter, this.order),
      this.count, this.list);
    this.draw();
  }

  choiceOf(label, names) {
    if (names.length < 2) return null;
    return element("select", {"aria-label": label, onchange: () => this.draw()},
      ...names.map((name) => element("option", {value: name}, name)));
  }

  draw() {
    const words = this.query.value.toLowerCase().split(/\s+/).filter(Boolean);
    const keeps = this.filter ? this.filters[this.filter.value] : () => true;
    this.shown = this.entries.filter((entry) => keeps(entry)
      && words.every((word) => entry.text.toLowerCase().includes(word) || entry.more.toLowerCase().includes(word)));
    if (this.order) this.shown.sort(this.orders[this.order.value]);
    this.count.textContent = this.shown.length === this.entries.length ? `${this.entries.length} sentences`
      : `${this.shown.length} of ${this.entries.length} sentences`;
    this.list.replaceChildren(...this.shown.map((entry) => element("li", {},
      element("button", {type: "button", "aria-current": entry === this.current ? "true" : null,
        onclick: () => this.select(entry)},
      element("span", {class: "line"}, String(entry.number)), element("span", {class: "sentence"}, entry.text),
      entry.badge === undefined ? null : element("span", {class: "badge", "--part": entry.part}, entry.badge)))));
  }

  select(entry) {
    this.current = entry;
    const buttons = [...this.list.querySelectorAll("button")];
    buttons.forEach((button, i) => {
      if (this.shown[i] === entry) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
    this.choose(entry);
  }

  onKey(event) {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    const buttons = [...this.list.querySelectorAll("button")];
    const next = buttons[buttons.indexOf(document.activeElement) + (step || 0)];
    if (!step || !next) return;
    event.preventDefault();
    next.focus();
    next.click();
  }
}

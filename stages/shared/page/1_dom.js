// Elements, numbers and colours. Text goes into the page as text only: nothing here reads HTML.
"use strict";

/** An element: element("p", {class: "a", onclick: f}, "text", child, …). */
function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same of SVG. */
function drawn(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) made.style.setProperty(name, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const at = (id) => document.getElementById(id);

/** Three significant digits; small probabilities as "< 0.001". */
function probability(value) {
  if (value > 0 && value < 0.0005) return "< 0.001";
  return value.toFixed(3);
}

function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1000) return value.toFixed(0);
  return String(Number(value.toPrecision(3)));
}

/** What is shown of a token: ends and pieces without text have a sign of their own. */
function shownText(text, ends) {
  if (ends) return "end";
  return text.trim() === "" ? "▁" : text.trim();
}

/** A bar of a probability, with its number; `part` of the bar is filled. */
function bar(kind, value, part = value) {
  return element("span", {class: `meter ${kind}`},
    element("span", {class: "track", "aria-hidden": "true"},
      element("span", {class: "fill", "--part": Math.min(Math.max(part, 0), 1)})),
    element("span", {class: "number"}, probability(value)));
}

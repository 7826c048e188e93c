#include "stages/shared/options/read_tools.hpp"

#include <algorithm>

#include "core/entry_id.hpp"

namespace knnseq::stages {

using config::Section;

namespace {

constexpr std::int64_t largest_number = 1'000'000'000;

}  // namespace

bool is_item_name(const std::string& name) {
  return !name.empty() && name[0] != '.' && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

InspectOptions read_inspect(const Section& section) {
  InspectOptions options;
  options.base = section.text("base", "");
  options.knn = section.text("knn", "");
  options.line = section.integer("line", options.line, {-1, largest_number});
  options.token = section.integer("token", options.token, {-1, largest_number});
  options.neighbours = section.integer("neighbours", options.neighbours, {1, 1'000'000});
  options.json = section.flag("json", options.json);
  options.plane = section.flag("plane", options.plane);
  options.html = section.text("html", options.html);
  options.lines = section.integers("lines", options.lines, {1, largest_number});
  if (options.json && !options.html.empty()) {
    section.problem("html", "and inspect.json exclude each other");
  }
  return options;
}

TranslateOptions read_translate(const Section& section) {
  TranslateOptions options;
  options.jsonl = section.flag("jsonl", options.jsonl);
  options.batch = section.integer("batch", options.batch, {1, 1'000'000});
  return options;
}

ServeOptions read_serve(const Section& section) {
  ServeOptions options;
  options.listen = section.text("listen", options.listen);
  options.hosts = section.texts("hosts");
  options.queue = section.integer("queue", options.queue, {1, 1'000'000});
  options.body_bytes = section.integer("body_bytes", options.body_bytes, {1, 1 << 30});
  options.answer_seconds =
      section.number("answer_seconds", options.answer_seconds, {0.001, 86'400});
  options.learn = section.flag("learn", options.learn);
  return options;
}

PlanOptions read_plan(const Section& section) {
  PlanOptions options;
  options.entries = section.integer("entries", options.entries, {0, core::max_entry_number});
  options.ranks = section.integer("ranks", options.ranks, {0, 1'000'000});
  options.nodes = section.integer("nodes", options.nodes, {0, 1'000'000});
  options.node_memory = section.integer("node_memory", options.node_memory, {0, 1 << 20});
  options.rates = section.path("rates", "");
  options.measure = section.path("measure", "");
  options.lines = section.integer("lines", options.lines, {1, largest_number});
  return options;
}

}  // namespace knnseq::stages

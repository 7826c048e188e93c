#include "core/parse_json.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::core {

namespace {

constexpr std::size_t longest_message = 300;  // the parser's own quote what it read, however long

/// Whether valid JSON is nested deeper than that. Elsewhere the parser stops at what is not valid,
/// so that later counts do not matter.
bool is_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '[' || c == '{')) {
      if (++depth > deepest_json) return true;
    } else if (!quoted && (c == ']' || c == '}')) {
      --depth;
    }
  }
  return false;
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& where,
                          std::string_view without) {
  if (is_deep(text)) {
    throw InputError(where, fmt::format("nested deeper than {} arrays and objects", deepest_json));
  }
  try {
    if (without.empty()) return nlohmann::json::parse(text);
    using Event = nlohmann::json::parse_event_t;
    return nlohmann::json::parse(text, [&](int, Event event, const nlohmann::json& value) {
      return event != Event::key || value != without;
    });
  } catch (const nlohmann::json::exception& e) {
    throw InputError(where, "not valid JSON: " + std::string(e.what()).substr(0, longest_message));
  }
}

}  // namespace knnseq::core

#include "core/parse_json.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::core {

namespace {

constexpr std::size_t longest_message = 300;  // the parser quotes what it read, however long

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& where,
                          std::string_view without) {
  using Event = nlohmann::json::parse_event_t;
  try {
    return nlohmann::json::parse(text, [&](int depth, Event event, const nlohmann::json& value) {
      const bool begins = event == Event::object_start || event == Event::array_start;
      if (begins && depth >= deepest_json) {
        throw InputError(where,
                         fmt::format("nested deeper than {} arrays and objects", deepest_json));
      }
      return without.empty() || event != Event::key || value != without;
    });
  } catch (const nlohmann::json::exception& e) {
    throw InputError(where, "not valid JSON: " + std::string(e.what()).substr(0, longest_message));
  }
}

}  // namespace knnseq::core

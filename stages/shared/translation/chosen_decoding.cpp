#include "stages/shared/translation/chosen_decoding.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "stages/shared/search/decoding_settings.hpp"

namespace knnseq::stages {

DecodeOptions choose_decoding(const Options& options, const std::vector<std::string>& names,
                              const std::string& command) {
  if (names.empty()) return options.search_defaults;
  if (names.size() > 1) {
    throw core::InputError(command + " takes one name of an item of 'decode'");
  }
  for (const auto& item : options.decode) {
    if (item.name == names.front()) return item;
  }
  throw core::InputError("the config has no 'decode' item named '" + names.front() + "'");
}

void log_settings(runtime::StageContext& context, const Options& options,
                  const DecodeOptions& decoding, const std::vector<std::string>& names) {
  const auto settings = describe_settings(options, decoding);
  std::string text;  // "mode plain, k 16, …"
  for (const auto& [name, value] : settings.items()) {
    const auto shown = value.is_string() ? value.get<std::string>() : value.dump();
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, shown);
  }
  context.log.info(fmt::format("settings of {}: {}",
                               names.empty() ? "knn and beam_search" : names.front(), text));
}

}  // namespace knnseq::stages

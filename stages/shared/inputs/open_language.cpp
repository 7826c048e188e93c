#include "stages/shared/inputs/open_language.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "obs/progress_meter.hpp"

namespace knnseq::stages {

std::string describe_open_language(const text::Tokenizer& tokenizer, std::int64_t without,
                                   std::int64_t sources) {
  constexpr std::size_t most_named = 8;
  auto languages = tokenizer.languages_left_open();
  if (languages.empty() || without == 0) return {};
  if (languages.size() > most_named) {
    languages.resize(most_named);
    languages.emplace_back("…");
  }
  return fmt::format(
      "{} of {} sources begin with no language token, so that the model itself chooses among its "
      "target languages ({}): set target_lang, or begin each source with one (>>{}<<)",
      obs::with_commas(without), obs::with_commas(sources), fmt::join(languages, ", "),
      languages.front());
}

}  // namespace knnseq::stages

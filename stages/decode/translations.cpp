#include "stages/decode/translations.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "core/error.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/text/translated_text.hpp"

namespace knnseq::stages {

namespace {

const std::string prefix = "blocks.journal.";

/// What append() has written into the journals of a folder; tokens in [0, vocabulary).
std::vector<core::Json> read_journals(const std::filesystem::path& folder, const std::string& owner,
                                      std::int64_t lines, std::int64_t vocabulary) {
  constexpr auto most = std::numeric_limits<int>::max();
  return store::Journal::read_all(folder, prefix, owner, [&](const core::JsonField& record) {
    record.at("block").number(0, most);
    for (const auto& sentence : record.at("sentences").elements()) {
      sentence.at("line").number(0, lines - 1);
      for (const auto& hypothesis : sentence.at("nbest").elements()) {
        const auto tokens = hypothesis.at("tokens");
        const auto fits = [&](std::int64_t token) { return token >= 0 && token < vocabulary; };
        if (!std::ranges::all_of(tokens.as<std::vector<std::int64_t>>(), fits)) {
          tokens.refuse("holds tokens outside the vocabulary");
        }
      }
    }
  });
}

/// nbest: the hypotheses of each sentence.
TranslatedTexts texts_of(const std::vector<core::Json>& nbest, const text::Tokenizer& tokenizer,
                         const std::string& postprocess) {
  std::vector<std::vector<core::TokenId>> translations;
  for (std::size_t line = 0; line < nbest.size(); ++line) {
    for (const auto& hypothesis : nbest[line]) {
      translations.push_back(hypothesis.at("tokens").get<std::vector<core::TokenId>>());
      require_target_tokens(translations.back(), tokenizer,
                            fmt::format("the translation of line {}", line + 1));
    }
  }
  return texts_of_translations(translations, tokenizer, postprocess);
}

}  // namespace

Translations::Translations(std::filesystem::path folder)
    : folder_(std::move(folder)), owner_(runtime::begun_identity(folder_)) {
  constexpr auto any = std::numeric_limits<int>::max();
  for (const auto& record : read_journals(folder_, owner_, any, any)) {
    done_.insert(record.at("block").get<std::int64_t>());
  }
}

void Translations::append(int rank, std::int64_t block, const std::vector<std::int64_t>& lines,
                          const std::vector<std::vector<search::Hypothesis>>& hypotheses) {
  if (!journal_) {
    const auto name = fmt::format("{}{:04}", prefix, rank);
    journal_ = std::make_unique<store::Journal>(folder_ / name, owner_);
  }
  core::Json sentences = core::Json::array();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    core::Json nbest = core::Json::array();
    for (const auto& hypothesis : hypotheses[i]) {
      nbest.push_back({{"tokens", hypothesis.tokens},
                       {"score", hypothesis.score},
                       {"log_probs", hypothesis.token_log_probs}});
    }
    sentences.push_back({{"line", lines[i]}, {"nbest", nbest}});
  }
  journal_->append({{"block", block}, {"sentences", sentences}});
}

OutputReport Translations::write_files(const std::filesystem::path& folder, const TestSet& set,
                                       const text::Tokenizer& tokenizer, const OutputRules& rules) {
  std::vector<core::Json> nbest(set.lines.size(), core::Json::array());
  const auto owner = runtime::begun_identity(folder);
  for (const auto& record :
       read_journals(folder, owner, std::ssize(set.lines), tokenizer.vocab_size())) {
    for (const auto& sentence : record.at("sentences")) {
      nbest.at(sentence.at("line").get<std::size_t>()) = sentence.at("nbest");
    }
  }
  const TranslatedTexts texts = texts_of(nbest, tokenizer, rules.postprocess);
  OutputReport report;
  std::string sources, best, all;
  std::size_t at = 0;
  for (std::size_t line = 0; line < set.lines.size(); ++line) {
    if (nbest[line].empty() != set.sources[line].empty()) {
      throw core::SystemError(fmt::format("{}: the journals hold no translation of line {}",
                                          folder.string(), line + 1));
    }
    bool mended = false;
    for (auto& hypothesis : nbest[line]) {
      mended |= texts.mended[at];
      hypothesis["text"] = texts.lines[at++];
    }
    if (mended) ++report.mended;
    if (!nbest[line].empty()) ++report.translations;
    if (!nbest[line].empty() && rules.beam) {
      report.count_length(*rules.beam, std::ssize(set.sources[line]), rules.positions,
                          std::ssize(nbest[line][0].at("tokens")));
    }
    sources += set.lines[line] + "\n";
    best += (nbest[line].empty() ? "" : nbest[line][0].at("text").get<std::string>()) + "\n";
    all += core::Json{{"line", line + 1}, {"nbest", nbest[line]}}.dump() + "\n";
  }
  core::write_file_durably(folder / "src.txt", sources);
  core::write_file_durably(folder / "hyp.txt", best);
  core::write_file_durably(folder / "nbest.jsonl", all);
  return report;
}

std::vector<std::string> Translations::files() {
  return {"src.txt", "hyp.txt", "ref.txt", "nbest.jsonl", prefix + "*"};
}

void Translations::remove_journals(const std::filesystem::path& folder) {
  for (const auto& path : store::files_with_prefix(folder, prefix)) std::filesystem::remove(path);
}

}  // namespace knnseq::stages

#include "stages/inspect/two_decodings.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json_field.hpp"
#include "core/parse_json.hpp"
#include "runtime/stage_runner.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

namespace {

/// Best tokens of every line of a finished decoding; none for an empty line.
std::vector<TargetTokens> best_tokens(const FinishedDecoding& decoding,
                                      const text::Tokenizer& tokenizer) {
  std::vector<TargetTokens> best;
  for (const auto& line : decoding.lines("nbest.jsonl")) {
    const std::string where = fmt::format("{}:{}", decoding.path("nbest.jsonl"), best.size() + 1);
    const core::Json json = core::parse_json(line, where);
    const auto nbest = core::JsonField(where, json).at("nbest").elements();
    best.emplace_back();
    if (nbest.empty()) continue;
    for (const auto& token : nbest.front().at("tokens").elements()) {
      best.back().push_back(
          static_cast<core::TokenId>(token.number(0, tokenizer.vocab_size() - 1)));
      if (!tokenizer.has_target_token(best.back().back())) token.refuse("is no token");
    }
  }
  return best;
}

}  // namespace

FinishedDecoding::FinishedDecoding(const Folders& folders, const std::string& name)
    : folder_(folders.decode / name),
      command_("decode " + name),
      manifest_(runtime::require_manifest(folder_, "decode-" + name, command_)) {}

bool FinishedDecoding::has(const char* file) const {
  return manifest_.content_fields().at("files").has(file);
}

std::vector<std::string> FinishedDecoding::lines(const char* file) const {
  return text::read_lines(runtime::require_file(folder_, manifest_, file, command_),
                          text::no_limits);
}

TwoDecodings TwoDecodings::read(const FinishedDecoding& base, const FinishedDecoding& knn,
                                const text::Tokenizer& tokenizer) {
  TwoDecodings both;
  both.base = best_tokens(base, tokenizer);
  both.knn = best_tokens(knn, tokenizer);
  both.sources = knn.lines("src.txt");
  if (both.sources != base.lines("src.txt")) {
    throw core::InputError("inspect.base and inspect.knn are decodings of different test sets");
  }
  both.base_text = base.lines("hyp.txt");
  both.knn_text = knn.lines("hyp.txt");
  if (knn.has("ref.txt")) both.references = knn.lines("ref.txt");

  const auto count = both.sources.size();
  const auto reference_lines = both.references.empty() ? count : both.references.size();
  for (const std::size_t lines : {both.base.size(), both.knn.size(), both.base_text.size(),
                                  both.knn_text.size(), reference_lines}) {
    if (lines == count) continue;
    throw core::InputError(knn.path("nbest.jsonl"),
                           "the files of both decodings have different numbers of lines");
  }
  if (count == 0) throw core::InputError("the test set of inspect.knn is empty");
  return both;
}

std::vector<std::pair<std::size_t, std::size_t>> common_tokens(const TargetTokens& a,
                                                               const TargetTokens& b) {
  const auto columns = b.size() + 1;
  std::vector<std::uint32_t> lengths((a.size() + 1) * columns);  // of the tokens from i and j on
  const auto length = [&](std::size_t i, std::size_t j) -> std::uint32_t& {
    return lengths[i * columns + j];
  };
  for (auto i = a.size(); i-- > 0;) {
    for (auto j = b.size(); j-- > 0;) {
      length(i, j) =
          a[i] == b[j] ? length(i + 1, j + 1) + 1 : std::max(length(i + 1, j), length(i, j + 1));
    }
  }
  std::vector<std::pair<std::size_t, std::size_t>> places;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) {
      places.emplace_back(i++, j++);
    } else if (length(i + 1, j) >= length(i, j + 1)) {
      ++i;
    } else {
      ++j;
    }
  }
  return places;
}

}  // namespace knnseq::stages

// One rank's lines of the corpus as tokens.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

enum class DropReason : std::uint8_t {
  none,
  empty_source,
  empty_target,
  invalid_text,
  special_token,  ///< a target that spells out </s>, <pad> or a language: never values
  source_too_long,
  target_too_long,
};
inline constexpr std::size_t drop_reasons = 7;
constexpr auto names_of(DropReason) {
  return core::enum_names<DropReason>(
      {{DropReason::none, "kept"},
       {DropReason::empty_source, "empty source"},
       {DropReason::empty_target, "empty target"},
       {DropReason::invalid_text, "invalid text (not UTF-8, or with NUL)"},
       {DropReason::special_token, "target with a special token"},
       {DropReason::source_too_long, "source longer than the model's positions"},
       {DropReason::target_too_long, "target longer than the model's positions"}});
}

/// Pairs that were dropped for one reason.
struct Dropped {
  std::int64_t count = 0;
  std::string first_place;  ///< "corpus.de:12" of the first
};

/// The pairs that are kept, in the order of the corpus, and what became of the others.
struct SentencePairs {
  std::vector<core::TokenId> source_tokens;    ///< as the encoder takes them
  std::vector<core::TokenId> target_tokens;    ///< each sequence ends in EOS
  std::vector<std::int64_t> source_starts{0};  ///< [pairs + 1]
  std::vector<std::int64_t> target_starts{0};
  std::vector<std::int64_t> lines;  ///< [pairs], from 0 over all files
  std::array<Dropped, drop_reasons> dropped;
  std::string dropped_list;  ///< "line<TAB>reason" lines, line from 1
  std::int64_t unknown_tokens = 0;
  std::int64_t without_language = 0;  ///< sources that choose no target language by themselves

  std::int64_t count() const { return std::ssize(lines); }
  std::int64_t source_length(std::int64_t i) const {
    return source_starts[static_cast<std::size_t>(i) + 1] - source_starts[i];
  }
  std::int64_t target_length(std::int64_t i) const {
    return target_starts[static_cast<std::size_t>(i) + 1] - target_starts[i];
  }
};

/// What makes pairs of lines.
struct PairRules {
  CorpusOptions corpus;
  PreprocessOptions preprocess;
  std::filesystem::path scratch;   ///< compressed files are unpacked here, each by one rank
  std::int64_t source_tokens = 0;  ///< most of a source, all special ones included
  std::int64_t target_tokens = 0;  ///< most of a target, EOS included
};

/// Pairs that were dropped on all ranks, by reason. Collective.
using DropCounts = std::array<std::int64_t, drop_reasons>;
DropCounts count_dropped(comm::Communicator& comm, const SentencePairs& pairs);

/// Throws core::InputError (on all ranks) if no pair of any rank is left, with the commonest
/// reason and its first line. `what`: their name in the message. Collective.
void require_pairs(comm::Communicator& comm, const SentencePairs& pairs, const std::string& what);

/// Reads this rank's even share of the lines, runs the commands over them and tokenises them.
/// Throws core::InputError (on all ranks) if the sides have different numbers of lines, a
/// command fails, or, unless bad pairs are dropped, for the first bad pair. Collective.
SentencePairs read_sentence_pairs(runtime::StageContext& context, const PairRules& rules,
                                  const text::Tokenizer& tokenizer);

/// The same of lines in memory; `rules` names no files. Throws core::InputError as above. Not
/// collective.
SentencePairs pairs_of_lines(std::span<const std::string> sources,
                             std::span<const std::string> targets, const PairRules& rules,
                             const text::Tokenizer& tokenizer);

}  // namespace knnseq::stages

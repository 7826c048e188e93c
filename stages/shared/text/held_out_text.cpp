#include "stages/shared/text/held_out_text.hpp"

#include <numeric>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/own_files.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/input_files.hpp"
#include "stages/shared/text/sentence_pairs.hpp"

namespace knnseq::stages {

namespace {

std::vector<std::vector<core::TokenId>> gather_side(comm::Communicator& comm,
                                                    const std::vector<core::TokenId>& tokens,
                                                    const std::vector<std::int64_t>& starts) {
  std::vector<std::int64_t> lengths(starts.size());
  std::adjacent_difference(starts.begin(), starts.end(), lengths.begin());
  const auto all_tokens = comm.all_gather(std::span<const core::TokenId>(tokens)).values;
  const auto all_lengths =
      comm.all_gather(std::span<const std::int64_t>(lengths).subspan(1)).values;
  std::vector<std::vector<core::TokenId>> sentences;
  auto at = all_tokens.begin();
  for (const auto length : all_lengths) {
    sentences.emplace_back(at, at + length);
    at += length;
  }
  return sentences;
}

/// Pairs that cannot be used are missing from all that is measured on this text.
void warn_of_dropped(runtime::StageContext& context, const SentencePairs& pairs,
                     const std::filesystem::path& file) {
  const auto dropped = count_dropped(context.comm, pairs);
  if (!context.comm.is_root()) return;
  for (std::size_t reason = 1; reason < drop_reasons; ++reason) {
    if (dropped[reason] == 0) continue;
    context.log.warn(fmt::format("{}: {} pairs are left out: {}", file.string(),
                                 obs::with_commas(dropped[reason]),
                                 core::name_of(static_cast<DropReason>(reason))));
  }
}

}  // namespace

HeldOutText read_held_out_text(runtime::StageContext& context, const Options& options,
                               const HeldOutFiles& files, const text::Tokenizer& tokenizer) {
  auto& comm = context.comm;
  comm::agree(comm, [&] {
    for (const char* side : {"source", "target"}) {
      core::make_own_folders(files.scratch.parent_path(), files.scratch / side);
    }
  });
  CorpusOptions corpus;
  corpus.source = {files.source};
  corpus.target = {files.target};
  const PairRules rules{corpus, options.preprocess, files.scratch, files.source_tokens,
                        files.target_tokens};
  const auto pairs = read_sentence_pairs(context, rules, tokenizer);
  require_pairs(comm, pairs, files.source);
  warn_of_dropped(context, pairs, files.source);
  HeldOutText text{gather_side(comm, pairs.source_tokens, pairs.source_starts),
                   gather_side(comm, pairs.target_tokens, pairs.target_starts)};
  comm::on_root(comm, [&] { std::filesystem::remove_all(files.scratch); });
  runtime::require_unchanged_inputs(context);
  return text;
}

}  // namespace knnseq::stages

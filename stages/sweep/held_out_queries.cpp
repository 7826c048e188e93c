#include "stages/sweep/held_out_queries.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "model/base/translation_model.hpp"
#include "obs/progress_meter.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/text/held_out_text.hpp"

namespace knnseq::stages {

namespace {

constexpr std::size_t batch_sentences = 16;

/// The positions of the `count` smallest hashes, ascending.
std::vector<std::int64_t> choose_positions(std::int64_t positions, std::int64_t count,
                                           std::uint64_t seed) {
  std::vector<std::int64_t> chosen(positions);
  std::iota(chosen.begin(), chosen.end(), std::int64_t{0});
  if (positions <= count) return chosen;
  const auto hash = [&](std::int64_t position) {
    return core::seeded_hash(seed, static_cast<std::uint64_t>(position));
  };
  std::nth_element(chosen.begin(), chosen.begin() + count, chosen.end(),
                   [&](std::int64_t a, std::int64_t b) { return hash(a) < hash(b); });
  chosen.resize(count);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

/// Some sentences, and which of their vectors are chosen.
struct Batch {
  std::vector<std::vector<core::TokenId>> sources, targets;
  std::vector<std::int64_t> rows;
};

/// Batches of the sentences that hold a chosen position.
std::vector<Batch> cut_batches(const HeldOutText& sentences,
                               const std::vector<std::int64_t>& chosen) {
  std::vector<Batch> batches;
  auto next = chosen.begin();
  std::int64_t first = 0;  // position of the sentence's first token
  std::int64_t rows = 0;   // of the batch
  for (std::size_t i = 0; i < sentences.targets.size() && next != chosen.end(); ++i) {
    const auto length = std::ssize(sentences.targets[i]);
    if (*next < first + length) {
      if (batches.empty() || batches.back().sources.size() == batch_sentences) {
        batches.emplace_back();
        rows = 0;
      }
      Batch& batch = batches.back();
      batch.sources.push_back(sentences.sources[i]);
      batch.targets.push_back(sentences.targets[i]);
      for (; next != chosen.end() && *next < first + length; ++next) {
        batch.rows.push_back(rows + *next - first);
      }
      rows += length;
    }
    first += length;
  }
  return batches;
}

}  // namespace

at::Tensor held_out_queries(runtime::StageContext& context, const Options& options,
                            const std::filesystem::path& scratch) {
  auto& comm = context.comm;
  std::unique_ptr<text::Tokenizer> tokenizer;
  std::unique_ptr<model::TranslationModel> model;
  comm::agree(comm, [&] {
    tokenizer = open_tokenizer(options);
    model = open_key_model(context, options, *tokenizer);
  });
  const HeldOutText sentences =
      read_held_out_text(context, options,
                         {options.sweep.source, options.sweep.target, scratch,
                          model->info().source_positions, model->info().target_tokens()},
                         *tokenizer);
  std::int64_t positions = 0;
  for (const auto& target : sentences.targets) positions += std::ssize(target);
  const auto chosen = choose_positions(positions, options.sweep.queries, options.sweep.seed);
  const auto batches = cut_batches(sentences, chosen);

  const auto width = model->info().width;
  std::vector<float> mine;
  comm::agree(comm, [&] {
    for (auto b = static_cast<std::size_t>(comm.rank()); b < batches.size();
         b += static_cast<std::size_t>(comm.size())) {
      const Batch& batch = batches[b];
      const auto forced =
          model->teacher_force(batch.sources, batch.targets, {options.datastore.key, false, false});
      const auto vectors =
          forced.keys.cpu().index_select(0, at::tensor(batch.rows, at::kLong)).contiguous();
      if (!at::isfinite(vectors).all().item<bool>()) {
        throw core::InputError(options.sweep.source, "the model gives vectors that are not finite");
      }
      const auto* values = vectors.const_data_ptr<float>();
      mine.insert(mine.end(), values, values + vectors.numel());
    }
  });
  const auto all = comm.all_gather(std::span<const float>(mine));
  std::vector<std::size_t> taken(comm.size(), 0);
  at::Tensor queries = at::empty({std::ssize(chosen), width}, at::kFloat);
  auto* into = queries.mutable_data_ptr<float>();
  for (std::size_t b = 0; b < batches.size(); ++b) {
    const auto rank = b % static_cast<std::size_t>(comm.size());
    const auto count = batches[b].rows.size() * static_cast<std::size_t>(width);
    const auto part = all.of(static_cast<int>(rank)).subspan(taken[rank], count);
    into = std::copy(part.begin(), part.end(), into);
    taken[rank] += count;
  }
  context.log.info(fmt::format("{} queries of {} positions in {} held-out sentences",
                               obs::with_commas(std::ssize(chosen)), obs::with_commas(positions),
                               obs::with_commas(std::ssize(sentences.targets))));
  return queries;
}

}  // namespace knnseq::stages

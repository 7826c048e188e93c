#include "stages/tune/forced_tokens.hpp"

#include <algorithm>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "runtime/progress.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/open_search.hpp"

namespace knnseq::stages {

namespace {

constexpr std::int64_t piece_tokens = 512;  // bounds [tokens, vocabulary]

std::vector<core::Range> cut_pieces(const HeldOutText& text) {
  std::vector<core::Range> pieces;
  std::int64_t tokens = 0;
  for (std::int64_t i = 0; i < std::ssize(text.targets); ++i) {
    const auto length = std::ssize(text.targets[static_cast<std::size_t>(i)]);
    if (pieces.empty() || tokens + length > piece_tokens) {
      pieces.push_back({i, i});
      tokens = 0;
    }
    pieces.back().end = i + 1;
    tokens += length;
  }
  return pieces;
}

/// Appends a piece's tokens; returns their queries.
at::Tensor force_piece(model::TranslationModel& model, const HeldOutText& text, core::Range piece,
                       model::KeySpec key, ForcedTokens& forced) {
  const auto first = static_cast<std::size_t>(piece.begin);
  const auto count = static_cast<std::size_t>(piece.size());
  const auto targets = std::span(text.targets).subspan(first, count);
  const auto made = model.teacher_force(std::span(text.sources).subspan(first, count), targets,
                                        {key, false, true});
  const float* row = made.log_probs.const_data_ptr<float>();
  const auto vocabulary = made.log_probs.size(1);
  for (const auto& target : targets) {
    for (const auto token : target) {
      forced.tokens.push_back(token);
      forced.log_probs.push_back(row[token]);
      row += vocabulary;
    }
  }
  return made.keys;
}

}  // namespace

ForcedTokens force_tokens(runtime::StageContext& context, const Options& options,
                          const HeldOutText& text, model::TranslationModel& model,
                          const BuiltDatastore& datastore) {
  auto& comm = context.comm;
  const auto& tune = options.tune;
  auto setting = tune.decoding.search;
  setting.k = tune.k.back();
  auto search = open_search(context, datastore, setting);
  ForcedTokens forced;
  forced.k = setting.k;
  forced.neighbours.resize(tune.nprobe.size());
  const auto pieces = cut_pieces(text);
  std::int64_t total = 0;
  for (const auto& target : text.targets) total += std::ssize(target);
  runtime::Progress progress(context, "tokens", total);
  for (std::size_t first = 0; first < pieces.size();
       first += static_cast<std::size_t>(comm.size())) {
    const std::size_t mine = first + static_cast<std::size_t>(comm.rank());
    at::Tensor queries = at::empty({0, search.width()});
    comm::agree(comm, [&] {
      if (runtime::stop_requested()) throw core::Stopped("stopped by SIGUSR1; run again to go on");
      if (mine < pieces.size()) {
        queries = force_piece(model, text, pieces[mine], options.datastore.key, forced);
      }
    });
    for (std::size_t i = 0; i < tune.nprobe.size(); ++i) {
      setting.nprobe = tune.nprobe[i];
      search.set_options(setting);
      const auto found = search.search(queries, 0);
      auto& kept = forced.neighbours[i];
      const auto* scores = found.scores.const_data_ptr<float>();
      const auto* ids = found.ids.const_data_ptr<std::int64_t>();
      kept.scores.insert(kept.scores.end(), scores, scores + found.scores.numel());
      kept.ids.insert(kept.ids.end(), ids, ids + found.ids.numel());
    }
    progress.add(queries.size(0));
  }
  progress.finish();
  return forced;
}

}  // namespace knnseq::stages

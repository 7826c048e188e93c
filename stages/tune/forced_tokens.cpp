#include "stages/tune/forced_tokens.hpp"

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "runtime/progress.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/shared/text/sentence_block.hpp"

namespace knnseq::stages {

namespace {

constexpr std::int64_t piece_tokens = 512;  // bounds [tokens, vocabulary]

std::vector<core::Range> cut_pieces(const HeldOutText& text) {
  std::vector<core::Range> pieces;
  std::int64_t tokens = 0;
  for (std::int64_t i = 0; i < std::ssize(text.targets); ++i) {
    const auto length = std::ssize(text.targets[i]);
    if (pieces.empty() || tokens + length > piece_tokens) {
      pieces.push_back({i, i});
      tokens = 0;
    }
    pieces.back().end = i + 1;
    tokens += length;
  }
  return pieces;
}

/// Appends a piece's tokens.
void force_piece(const PassModel& with, const Options& options, const HeldOutText& text,
                 core::Range piece, ForcedTokens& forced) {
  const auto first = static_cast<std::size_t>(piece.begin);
  const auto count = static_cast<std::size_t>(piece.size());
  const auto sources = std::span(text.sources).subspan(first, count);
  const auto targets = std::span(text.targets).subspan(first, count);
  const auto made =
      with.model.teacher_force(sources, targets, {options.datastore.key, false, true});
  ForcedPiece of_piece{made.keys.cpu(), {}, {}};
  if (options.tune.decoding.mode == KnnMode::subset) {
    of_piece.block =
        make_sentence_block(options.subset, with.tokenizer, sources, with.model.encode(sources));
  }
  std::vector<std::int64_t> tokens;
  for (std::size_t i = 0; i < count; ++i) {
    for (const auto token : targets[i]) {
      tokens.push_back(token);
      forced.tokens.push_back(token);
      of_piece.sentences.push_back(static_cast<std::int64_t>(i));
    }
  }
  const at::Tensor columns = at::tensor(tokens, at::kLong).to(made.log_probs.device()).unsqueeze(1);
  const at::Tensor of_tokens = made.log_probs.gather(1, columns).cpu();
  const auto* log_probs = of_tokens.const_data_ptr<float>();
  forced.log_probs.insert(forced.log_probs.end(), log_probs, log_probs + of_tokens.numel());
  forced.pieces.push_back(std::move(of_piece));
}

void stop_if_asked(comm::Communicator& comm) {
  comm::agree(comm, [] {
    if (runtime::stop_requested()) throw core::Stopped("stopped by SIGUSR1; run again to go on");
  });
}

}  // namespace

ForcedTokens force_tokens(runtime::StageContext& context, const Options& options,
                          const HeldOutText& text, const PassModel& with) {
  auto& comm = context.comm;
  const auto pieces = cut_pieces(text);
  std::int64_t total = 0;
  for (const auto& target : text.targets) total += std::ssize(target);
  runtime::Progress progress(context, "tokens", total);
  ForcedTokens forced;
  forced.rounds = core::ceil_div(std::ssize(pieces), comm.size());
  for (std::int64_t round = 0; round < forced.rounds; ++round) {
    stop_if_asked(comm);
    const auto before = forced.count();
    comm::agree(comm, [&] {
      const auto mine = static_cast<std::size_t>(round * comm.size() + comm.rank());
      if (mine < pieces.size()) force_piece(with, options, text, pieces[mine], forced);
    });
    progress.add(forced.count() - before);
  }
  progress.finish();
  return forced;
}

index::TopK find_neighbours(runtime::StageContext& context, const ForcedTokens& forced,
                            retrieval::KnnMixer& mixer, std::int64_t k) {
  std::vector<at::Tensor> distances = {at::empty({0, k}, at::kFloat)};
  std::vector<at::Tensor> ids = {at::empty({0, k}, at::kLong)};
  for (std::size_t round = 0; round < static_cast<std::size_t>(forced.rounds); ++round) {
    stop_if_asked(context.comm);
    if (round >= forced.pieces.size()) {
      mixer.begin({});
      if (mixer.collective()) mixer.serve();
      continue;
    }
    const ForcedPiece& piece = forced.pieces[round];
    mixer.begin(piece.block);
    const auto found = mixer.find(piece.queries, piece.sentences).front().to(at::kCPU);
    distances.push_back(found.distances);
    ids.push_back(found.ids);
  }
  return {at::cat(distances), at::cat(ids)};
}

}  // namespace knnseq::stages

#include "stages/tune/forced_tokens.hpp"

#include "comm/agreement.hpp"
#include "core/entry_id.hpp"
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

std::int64_t tokens_in(const HeldOutText& text) {
  std::int64_t tokens = 0;
  for (const auto& target : text.targets) tokens += std::ssize(target);
  return tokens;
}

/// A piece with all that the model says of it.
struct ForcedText {
  ForcedPiece piece;
  std::vector<core::TokenId> tokens;
  at::Tensor log_probs;  ///< fp32 [tokens, V], on the model's device

  at::Tensor columns() const {  ///< the tokens' columns of log_probs, [tokens, 1]
    return at::tensor(tokens, at::kLong).to(log_probs.device()).unsqueeze(1);
  }
};

ForcedText force_piece(const PassModel& with, const Options& options, const HeldOutText& text,
                       core::Range piece) {
  const auto first = static_cast<std::size_t>(piece.begin);
  const auto count = static_cast<std::size_t>(piece.size());
  const auto sources = std::span(text.sources).subspan(first, count);
  const auto targets = std::span(text.targets).subspan(first, count);
  const auto made =
      with.model.teacher_force(sources, targets, {options.datastore.key, false, true});
  ForcedText forced{{made.keys.cpu(), {}, {}}, {}, made.log_probs};
  if (options.tune.decoding.mode == KnnMode::subset) {
    forced.piece.block =
        make_sentence_block(options.subset, with.tokenizer, sources, with.model.encode(sources));
  }
  for (std::size_t i = 0; i < count; ++i) {
    forced.tokens.insert(forced.tokens.end(), targets[i].begin(), targets[i].end());
    forced.piece.sentences.insert(forced.piece.sentences.end(), targets[i].size(),
                                  static_cast<std::int64_t>(i));
  }
  return forced;
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
  runtime::Progress progress(context, "tokens", tokens_in(text));
  ForcedTokens forced;
  forced.rounds = core::ceil_div(std::ssize(pieces), comm.size());
  for (std::int64_t round = 0; round < forced.rounds; ++round) {
    stop_if_asked(comm);
    const auto before = forced.count();
    comm::agree(comm, [&] {
      const auto mine = static_cast<std::size_t>(round * comm.size() + comm.rank());
      if (mine >= pieces.size()) return;
      auto made = force_piece(with, options, text, pieces[mine]);
      const at::Tensor of_tokens = made.log_probs.gather(1, made.columns()).cpu();
      const auto* log_probs = of_tokens.const_data_ptr<float>();
      forced.log_probs.insert(forced.log_probs.end(), log_probs, log_probs + of_tokens.numel());
      forced.tokens.insert(forced.tokens.end(), made.tokens.begin(), made.tokens.end());
      forced.pieces.push_back(std::move(made.piece));
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

retrieval::PolicyExamples gather_examples(runtime::StageContext& context, const Options& options,
                                          const HeldOutText& text, const PassModel& with,
                                          retrieval::KnnMixer& mixer) {
  auto& comm = context.comm;
  const auto k = options.tune.decoding.search.k;
  const auto pieces = cut_pieces(text);
  std::vector<std::int64_t> starts = {0};  // of the sentences, among all tokens
  for (const auto& target : text.targets) starts.push_back(starts.back() + std::ssize(target));
  runtime::Progress progress(context, "tokens", starts.back());
  std::vector<float> mine;  // rows of `columns` numbers
  std::vector<std::int64_t> places;
  for (std::int64_t first = 0; first < std::ssize(pieces); first += comm.size()) {
    stop_if_asked(comm);
    const auto at = static_cast<std::size_t>(first + comm.rank());
    std::optional<ForcedText> forced;
    comm::agree(comm, [&] {
      if (at < pieces.size()) forced = force_piece(with, options, text, pieces[at]);
    });
    if (!forced) {
      mixer.begin({});
      if (mixer.collective()) mixer.serve();
      continue;
    }
    mixer.begin(forced->piece.block);
    const auto found = mixer.find(forced->piece.queries, forced->piece.sentences)
                           .front()
                           .to(forced->log_probs.device());
    const at::Tensor queries = forced->piece.queries.to(found.ids.device());
    const auto features = retrieval::features_of({queries, forced->log_probs}, found);
    const at::Tensor tokens = found.ids.bitwise_right_shift(core::entry_number_bits);
    const at::Tensor correct = (tokens == forced->columns()).logical_and(features.usable);
    const at::Tensor rows =
        at::cat({features.distances, features.usable.to(at::kFloat), features.distinct,
                 features.log_probs, correct.to(at::kFloat), features.best,
                 forced->log_probs.gather(1, forced->columns()), features.queries},
                1)
            .cpu()
            .contiguous();
    mine.insert(mine.end(), rows.const_data_ptr<float>(),
                rows.const_data_ptr<float>() + rows.numel());
    for (std::int64_t row = 0; row < rows.size(0); ++row) {
      places.push_back(starts[pieces[at].begin] + row);
    }
    progress.add(rows.size(0));
  }
  progress.finish();

  auto values = comm.all_gather(std::span<const float>(mine)).values;
  auto order = comm.all_gather(std::span<const std::int64_t>(places)).values;
  const std::int64_t width = with.model.info().width;
  const std::int64_t columns = 5 * k + 3 + width;
  const at::Tensor rows = at::empty({std::ssize(order), columns});
  rows.index_copy_(0, at::from_blob(order.data(), {std::ssize(order)}, at::kLong),
                   at::from_blob(values.data(), {std::ssize(order), columns}));
  std::int64_t column = 0;
  const auto next = [&](std::int64_t count) {
    column += count;
    return rows.narrow(1, column - count, count).contiguous();
  };
  retrieval::PolicyExamples examples;
  examples.features.distances = next(k);
  examples.features.usable = next(k) > 0;
  examples.features.distinct = next(k);
  examples.features.log_probs = next(k);
  examples.correct = next(k) > 0;
  examples.features.best = next(2);
  examples.log_prob = next(1).squeeze(1);
  examples.features.queries = next(width);
  constexpr std::size_t held_out_of = 5;
  examples.held_out = at::zeros({starts.back()}, at::kBool);
  for (std::size_t i = held_out_of - 1; i < text.targets.size(); i += held_out_of) {
    examples.held_out.slice(0, starts[i], starts[i + 1]).fill_(true);
  }
  return examples;
}

}  // namespace knnseq::stages

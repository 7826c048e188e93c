#include <algorithm>
#include <bit>
#include <limits>
#include <span>

#include "core/error.hpp"
#include "search/candidates.hpp"

namespace knnseq::search {

namespace {

/// Some continuations of each sentence, on the device.
struct Selected {
  at::Tensor scores;  ///< fp32 [sentences, n]
  at::Tensor places;  ///< int64 [sentences, n]: beam · V + token
  at::Tensor needed;  ///< int32 [sentences, 1]: how many are as good as the last one wanted
};

/// A few more than `count` of the greatest scores. Ties are broken arbitrarily, so the result is
/// right only if no more are needed than it holds.
Selected select(const at::Tensor& sums, std::int64_t count) {
  const std::int64_t some = std::min(2 * count + 16, sums.size(1));
  const auto [scores, places] = sums.topk(some, 1);
  // No score of −inf is wanted.
  const at::Tensor last = scores.narrow(1, std::min(count, some) - 1, 1)
                              .clamp_min(std::numeric_limits<float>::lowest());
  return {scores, places, (sums >= last).sum({1}, /*keepdim=*/true, at::kInt)};
}

/// Exactly the greatest `count` by (score, place), which are packed into one number.
Selected select_by_place(const at::Tensor& sums, std::int64_t count) {
  const std::int64_t n = std::min(count, sums.size(1));
  // The bits of positive floats ascend with them; those of negative ones descend, sign set.
  const at::Tensor bits = (sums + 0.0F).view(at::kInt).to(at::kLong);  // −0 counts as 0
  const at::Tensor ordered =
      at::where(bits >= 0, bits, std::numeric_limits<std::int32_t>::min() - bits - 1);
  const at::Tensor places = at::arange(sums.size(1), bits.options());
  const at::Tensor keys = ordered.bitwise_left_shift(32) - places;
  const auto chosen = std::get<1>(keys.topk(n, 1));
  return {sums.gather(1, chosen), chosen,
          at::full({sums.size(0), 1}, n, at::TensorOptions(bits.device()).dtype(at::kInt))};
}

/// What is copied to the host per sentence: three columns of `some` 32-bit numbers, and how many
/// are needed.
at::Tensor to_host(const Selected& selected, const at::Tensor& log_probs) {
  const at::Tensor chosen = log_probs.gather(1, selected.places);
  return at::cat({selected.scores.view(at::kInt), selected.places.to(at::kInt),
                  chosen.view(at::kInt), selected.needed},
                 1)
      .cpu();
}

std::vector<Continuation> read(std::span<const std::int32_t> row, std::int64_t vocabulary,
                               std::size_t count) {
  const std::size_t some = (row.size() - 1) / 3;
  std::vector<Continuation> made;
  for (std::size_t i = 0; i < some; ++i) {
    const auto score = std::bit_cast<float>(row[i]);
    if (!(score > minus_infinity)) continue;
    const std::int32_t place = row[some + i];
    made.push_back({{score, static_cast<std::int32_t>(place / vocabulary),
                     static_cast<core::TokenId>(place % vocabulary)},
                    std::bit_cast<float>(row[2 * some + i])});
  }
  std::ranges::sort(made, [](const auto& a, const auto& b) { return a.candidate < b.candidate; });
  if (made.size() > count) made.resize(count);
  return made;
}

}  // namespace

std::vector<std::vector<Continuation>> best_continuations_torch(const at::Tensor& log_probs,
                                                                const std::vector<float>& scores,
                                                                std::int64_t beams,
                                                                std::int64_t count) {
  const std::int64_t rows = log_probs.size(0);
  const std::int64_t vocabulary = log_probs.size(1);
  KNNSEQ_ASSERT(std::ssize(scores) == rows && rows % beams == 0 && count > 0 &&
                    log_probs.is_contiguous() &&
                    beams * vocabulary <= std::numeric_limits<std::int32_t>::max(),
                "log-probs [rows, V] with a score each, equally many rows for each sentence");
  const at::Tensor of_rows =
      at::tensor(scores).to(log_probs.device(), /*non_blocking=*/true).unsqueeze(1);
  const at::Tensor sums =
      at::nan_to_num(log_probs + of_rows, minus_infinity, -minus_infinity, minus_infinity)
          .view({rows / beams, beams * vocabulary});
  const at::Tensor values = log_probs.view(sums.sizes());
  Selected selected = select(sums, count);
  at::Tensor host = to_host(selected, values);
  const auto some = selected.scores.size(1);
  if (host.select(1, 3 * some).max().item<std::int32_t>() > some) {
    host = to_host(select_by_place(sums, count), values);
  }
  std::vector<std::vector<Continuation>> best;
  const auto columns = static_cast<std::size_t>(host.size(1));
  for (std::int64_t i = 0; i < host.size(0); ++i) {
    const auto* row = host.const_data_ptr<std::int32_t>() + static_cast<std::size_t>(i) * columns;
    best.push_back(read({row, columns}, vocabulary, count));
  }
  return best;
}

}  // namespace knnseq::search

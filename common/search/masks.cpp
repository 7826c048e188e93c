#include "search/masks.hpp"

#include <algorithm>

#include "search/candidates.hpp"

namespace knnseq::search {

void Masks::apply(const at::Tensor& log_probs, std::int64_t length,
                  const std::vector<std::uint8_t>& at_end) {
  if (length < std::ssize(special_.first)) {
    log_probs.fill_(minus_infinity);
    log_probs.select(1, special_.first[length]).zero_();
    return;
  }
  if (!never_.defined()) {
    const std::vector<std::int64_t> never(special_.never.begin(), special_.never.end());
    never_ = at::tensor(never, at::kLong).to(log_probs.device(), /*non_blocking=*/true);
  }
  const at::Tensor eos = log_probs.select(1, special_.eos);
  const bool ending = std::ranges::count(at_end, 1) > 0;
  const at::Tensor kept = ending ? eos.clone() : at::Tensor();
  log_probs.index_fill_(1, never_, minus_infinity);
  if (length == 0) eos.fill_(minus_infinity);
  if (!ending) return;
  const at::Tensor ends =
      at::tensor(at_end, at::kByte).to(log_probs.device(), /*non_blocking=*/true).to(at::kBool);
  log_probs.masked_fill_(ends.unsqueeze(1), minus_infinity);
  eos.copy_(at::where(ends, kept, eos));
}

}  // namespace knnseq::search

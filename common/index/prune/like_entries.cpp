#include "index/prune/like_entries.hpp"

#include <algorithm>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "index/core/plain_distance.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t centroids = 256;  ///< lists have codes of 8 bits a sub-vector

float squared_norm(const float* x, std::int64_t d) {
  return sum_of_terms(x, x, d, [](float a, float b) { return a * b; });
}

float squared_distance(const float* a, const float* b, std::int64_t d) {
  return plain_distance(Metric::l2, a, b, d);
}

/// A vector that is stored as it is; its bytes need not be aligned.
std::vector<float> stored_vector(const std::uint8_t* code, std::int64_t d) {
  std::vector<float> x(static_cast<std::size_t>(d));
  std::copy_n(code, x.size() * sizeof(float), reinterpret_cast<std::uint8_t*>(x.data()));
  return x;
}

}  // namespace

LikeEntries::LikeEntries(const Codebook& codebook)
    : codebook_(codebook), code_bytes_(codebook.spec.code_bytes()) {
  const auto& spec = codebook_.spec;
  if (!spec.has_lists()) {
    throw core::InputError("datastore.prune.distance",
                           "compares the entries of a list: " + spec.factory() + " has none");
  }
  if (!spec.has_quantizer()) return;
  KNNSEQ_ASSERT(spec.centroids() == centroids, "lists of other codes");
  const auto d = spec.dsub();
  distances_.resize(static_cast<std::size_t>(spec.m * centroids * centroids));
  norms_.resize(static_cast<std::size_t>(spec.m * centroids));
  const float* first = codebook_.pq_centroids.const_data_ptr<float>();
  for (std::int64_t s = 0; s < spec.m; ++s) {
    for (std::int64_t a = 0; a < centroids; ++a) {
      const float* x = first + (s * centroids + a) * d;
      norms_[s * centroids + a] = squared_norm(x, d);
      for (std::int64_t b = 0; b < centroids; ++b) {
        distances_[(s * centroids + a) * centroids + b] =
            squared_distance(x, first + (s * centroids + b) * d, d);
      }
    }
  }
}

float LikeEntries::norm(std::int64_t list, const std::uint8_t* code) const {
  const auto& spec = codebook_.spec;
  if (!spec.has_quantizer()) {
    const float* centroid = codebook_.coarse_centroids.const_data_ptr<float>() + list * spec.d_out;
    return squared_distance(stored_vector(code, spec.d_out).data(), centroid, spec.d_out);
  }
  float sum = 0;
  for (std::int64_t s = 0; s < spec.m; ++s) sum += norms_[s * centroids + code[s]];
  return sum;
}

double LikeEntries::spread(std::int64_t list, std::span<const std::uint8_t> codes) const {
  double sum = 0;
  for (std::int64_t at = 0; at < std::ssize(codes); at += code_bytes_) {
    sum += norm(list, codes.data() + at);
  }
  return sum;
}

bool LikeEntries::within(const std::uint8_t* a, const std::uint8_t* b, float radius,
                         float& distance) const {
  const auto& spec = codebook_.spec;
  if (!spec.has_quantizer()) {
    distance = squared_distance(stored_vector(a, spec.d_out).data(),
                                stored_vector(b, spec.d_out).data(), spec.d_out);
    return distance <= radius;
  }
  constexpr std::int64_t piece = 8;  // most pairs are known to be far after one or two
  float sum = 0;
  const float* table = distances_.data();
  for (std::int64_t s = 0; s < spec.m; ++s, table += centroids * centroids) {
    sum += table[a[s] * centroids + b[s]];
    if (s % piece == piece - 1 && sum > radius) return false;
  }
  distance = sum;
  return sum <= radius;
}

std::vector<std::size_t> LikeEntries::find(std::span<const std::int64_t> ids,
                                           std::span<const std::uint8_t> codes,
                                           const std::vector<bool>& skipped,
                                           const LikeRule& rule) const {
  const auto code = [&](std::size_t i) {
    return codes.data() + i * static_cast<std::size_t>(code_bytes_);
  };
  std::vector<std::size_t> left;  // positions, by token
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!skipped[i]) left.push_back(i);
  }
  const auto token = [&](std::size_t i) { return core::token_of(ids[i]); };
  std::stable_sort(left.begin(), left.end(),
                   [&](std::size_t a, std::size_t b) { return token(a) < token(b); });
  std::vector<bool> gone = skipped;
  std::vector<std::size_t> found;
  std::vector<float> alike;  // distances
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (skipped[i]) continue;
    const auto same =
        std::equal_range(left.begin(), left.end(), i,
                         [&](std::size_t a, std::size_t b) { return token(a) < token(b); });
    const auto count = static_cast<std::size_t>(rule.neighbours);
    alike.clear();
    float distance = 0;
    for (auto other = same.first; other != same.second; ++other) {
      if (*other == i || gone[*other]) continue;
      if (within(code(i), code(*other), rule.radius, distance)) alike.push_back(distance);
    }
    if (alike.size() < count) continue;
    std::nth_element(alike.begin(), alike.begin() + static_cast<std::ptrdiff_t>(count - 1),
                     alike.end());
    const float reach = alike[count - 1];
    const auto differs = [&](std::size_t other) {
      return !gone[other] && within(code(i), code(other), reach, distance);
    };
    if (std::any_of(left.begin(), same.first, differs)) continue;
    if (std::any_of(same.second, left.end(), differs)) continue;
    gone[i] = true;
    found.push_back(i);
  }
  return found;
}

}  // namespace knnseq::index

#include "metrics/numpy_random.hpp"

#include <array>
#include <bit>

#include "core/error.hpp"

namespace knnseq::metrics {

namespace {

using Pool = std::array<std::uint32_t, 4>;

std::uint32_t fold(std::uint32_t value) { return value ^ (value >> 16); }

/// Words hashed one after the other, each with another constant.
class HashChain {
 public:
  HashChain(std::uint32_t start, std::uint32_t factor) : constant_(start), factor_(factor) {}

  std::uint32_t operator()(std::uint32_t word) {
    word ^= constant_;
    constant_ *= factor_;
    return fold(word * constant_);
  }

 private:
  std::uint32_t constant_;
  std::uint32_t factor_;
};

Pool mixed_pool(std::uint64_t seed) {
  HashChain hash(0x43b0d7e5u, 0x931e8875u);
  Pool pool{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32), 0, 0};
  for (auto& word : pool) word = hash(word);
  for (std::size_t from = 0; from < pool.size(); ++from) {
    for (std::size_t to = 0; to < pool.size(); ++to) {
      if (from == to) continue;
      pool[to] = fold(0xca01f9ddu * pool[to] - 0x4973f715u * hash(pool[from]));
    }
  }
  return pool;
}

std::array<std::uint64_t, 4> initial_words(std::uint64_t seed) {
  const Pool pool = mixed_pool(seed);
  HashChain hash(0x8b51f9ddu, 0x58f38dedu);
  std::array<std::uint64_t, 4> words{};
  for (std::size_t i = 0; i < 8; ++i) {
    words[i / 2] |= std::uint64_t{hash(pool[i % pool.size()])} << (32 * (i % 2));
  }
  return words;
}

}  // namespace

NumpyRandom::NumpyRandom(std::uint64_t seed) {
  const auto words = initial_words(seed);
  const auto joined = [&](std::size_t i) { return Wide{words[i]} << 64 | words[i + 1]; };
  increment_ = joined(2) << 1 | 1u;
  step();
  state_ += joined(0);
  step();
}

void NumpyRandom::step() {
  constexpr Wide multiplier = Wide{0x2360ed051fc65da4u} << 64 | 0x4385df649fccf645u;
  state_ = state_ * multiplier + increment_;
}

std::uint64_t NumpyRandom::next_64() {
  step();
  const auto high = static_cast<std::uint64_t>(state_ >> 64);
  return std::rotr(high ^ static_cast<std::uint64_t>(state_), static_cast<int>(high >> 58));
}

std::uint32_t NumpyRandom::next_32() {
  if (has_upper_half_) {
    has_upper_half_ = false;
    return upper_half_;
  }
  const std::uint64_t both = next_64();
  upper_half_ = static_cast<std::uint32_t>(both >> 32);
  has_upper_half_ = true;
  return static_cast<std::uint32_t>(both);
}

std::uint32_t NumpyRandom::below(std::uint32_t bound) {
  KNNSEQ_ASSERT(bound > 0, "a bound must be positive");
  if (bound == 1) return 0;  // as NumPy, without a draw
  const std::uint32_t reject_below = (0u - bound) % bound;
  std::uint64_t product = 0;
  do {
    product = std::uint64_t{next_32()} * bound;
  } while (static_cast<std::uint32_t>(product) < reject_below);
  return static_cast<std::uint32_t>(product >> 32);
}

}  // namespace knnseq::metrics

// Hashing: XXH3 for bytes and fingerprints, a bijective mixer for sampling and seeding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace knnseq::core {

/// XXH3-64 of the bytes.
std::uint64_t checksum(std::span<const std::byte> bytes);

/// The same of bytes that come piece by piece.
class Checksummer {
 public:
  Checksummer();
  ~Checksummer();
  Checksummer(Checksummer&&) noexcept;
  Checksummer& operator=(Checksummer&&) noexcept;
  void update(std::span<const std::byte> bytes);
  std::uint64_t digest() const;  ///< of all bytes so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <class T>
std::uint64_t checksum_of(std::span<const T> values) {
  return checksum(std::as_bytes(values));
}

/// XXH3-128 of the bytes as 32 hexadecimal digits; what manifests call a fingerprint.
std::string fingerprint(std::string_view bytes);

/// Streaming XXH3-128, for files that are read piece by piece.
class Fingerprinter {
 public:
  Fingerprinter();
  ~Fingerprinter();
  Fingerprinter(Fingerprinter&&) noexcept;
  Fingerprinter& operator=(Fingerprinter&&) noexcept;
  void update(std::span<const std::byte> bytes);
  std::string digest() const;  ///< 32 hexadecimal digits of all bytes so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// splitmix64's output function (Steele et al., OOPSLA 2014): a bijection of 64-bit integers, so
/// distinct inputs under one seed never collide.
constexpr std::uint64_t mix64(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

/// Hash of `value` under `seed`; a bijection of `value` for each seed.
constexpr std::uint64_t seeded_hash(std::uint64_t seed, std::uint64_t value) {
  return mix64(value ^ mix64(seed));
}

}  // namespace knnseq::core

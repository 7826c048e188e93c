// NumPy's default random generator, so that resamples are those of tools that use it. Private to
// this module.
#pragma once

#include <cstdint>

namespace knnseq::metrics {

/// numpy.random.default_rng(seed): PCG64 (O'Neill, 2014: pcg_setseq_128_xsl_rr_64) with its state
/// made from the seed by SeedSequence (O'Neill's seed_seq_fe).
class NumpyRandom {
 public:
  explicit NumpyRandom(std::uint64_t seed);

  /// What `integers(0, bound)` gives, 0 < bound <= 2^32 − 1 (Lemire, 2019). Throws nothing.
  std::uint32_t below(std::uint32_t bound);

 private:
  __extension__ using Wide = unsigned __int128;

  void step();
  std::uint64_t next_64();
  std::uint32_t next_32();

  Wide state_ = 0;
  Wide increment_ = 0;
  std::uint32_t upper_half_ = 0;  ///< of the last 64 bits, given next
  bool has_upper_half_ = false;
};

}  // namespace knnseq::metrics

#include <algorithm>
#include <cmath>
#include <numeric>

#include <catch2/catch.hpp>

#include "core/random.hpp"
#include "index/search/scan_centroids.hpp"
#include "index/search/scan_lists.hpp"

using namespace knnseq;

namespace {

std::vector<std::uint8_t> draw_bytes(std::int64_t count, core::Random& random) {
  std::vector<std::uint8_t> bytes(count);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.below(256));
  return bytes;
}

}  // namespace

TEST_CASE("lists hold what is appended to them, in whatever pieces it comes") {
  const std::int64_t m = GENERATE(1, 7, 16, 33);
  const bool renumbered = GENERATE(false, true);
  constexpr std::int64_t n = 300;
  INFO("m " << m << (renumbered ? ", with numbers and places" : ""));
  core::Random random(5);
  const auto codes = draw_bytes(n * m, random);
  std::vector<std::int64_t> ids(n);
  std::iota(ids.begin(), ids.end(), 1000);
  const auto numbers = draw_bytes(m * 256, random);
  std::vector<float> terms(m * 256);
  for (float& term : terms) term = static_cast<float>(random.uniform()) - 0.5F;
  std::vector<std::int64_t> places(m);  // in reverse
  for (std::int64_t s = 0; s < m; ++s) places[s] = (m - 1 - s) * index::scan_block_entries;
  index::ScanLists::Appending how{.terms = terms.data()};
  if (renumbered) {
    how.numbers = numbers.data();
    how.places = places.data();
  }

  // Beside another list, which must stay as it is.
  index::ScanLists lists(m, std::vector<std::int64_t>{64, n, 1});
  const auto others = draw_bytes(m * 64, random);
  lists.append(0, others, std::span(ids).first(64));
  for (std::int64_t done = 0; done < n;) {
    const auto piece = std::min<std::int64_t>(n - done, random.below(90));
    lists.append(1, std::span(codes).subspan(done * m, piece * m),
                 std::span(ids).subspan(done, piece), how);
    done += piece;
  }

  REQUIRE(lists.size(1) == n);
  std::int64_t wrong = 0;
  float largest = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    std::vector<std::uint8_t> code(codes.begin() + i * m, codes.begin() + (i + 1) * m);
    for (std::int64_t s = 0; s < m; ++s) {
      if (renumbered) code[s] = numbers[s * 256 + code[s]];
      const auto place = renumbered ? places[s] : s * index::scan_block_entries;
      wrong += lists.code(1, i)[place] == code[s] ? 0 : 1;
    }
    wrong += lists.ids(1)[i] == 1000 + i ? 0 : 1;
    wrong += lists.term(1, i) == index::term_of(terms.data(), code.data(), m) ? 0 : 1;
    largest = std::max(largest, std::abs(lists.term(1, i)));
  }
  CHECK(lists.largest_term(1) == largest);
  for (std::int64_t i = n; i < lists.block_count(1) * index::scan_block_entries; ++i) {
    wrong += std::isinf(lists.term(1, i)) ? 0 : 1;
  }
  for (std::int64_t i = 0; i < 64; ++i) {
    for (std::int64_t s = 0; s < m; ++s) {
      wrong += lists.code(0, i)[s * index::scan_block_entries] == others[i * m + s] ? 0 : 1;
    }
    wrong += lists.term(0, i) == 0 ? 0 : 1;
  }
  CHECK(wrong == 0);
  CHECK(lists.size(2) == 0);
}

#include <algorithm>
#include <vector>

#include <catch2/catch.hpp>

#include "core/random.hpp"
#include "support/normal.hpp"
#include "text/batching.hpp"

using namespace knnseq;

namespace {

struct Pair {
  std::int64_t target;
  std::int64_t source;
  auto operator<=>(const Pair&) const = default;
};

std::vector<Pair> random_pairs(std::uint64_t seed, std::size_t count, std::int64_t longest) {
  core::Random random(seed);
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < count; ++i) {
    const double target = 1 + 12 * -std::log(1 - random.uniform());
    const double source = target * std::exp(0.25 * test::normal(random));
    const auto clamped = [&](double x) {
      return std::clamp(static_cast<std::int64_t>(x), std::int64_t{1}, longest);
    };
    pairs.push_back({clamped(target), clamped(source)});
  }
  return pairs;
}

text::LengthBuckets histogram(const std::vector<Pair>& pairs, std::int64_t longest) {
  text::LengthBuckets buckets(longest);
  for (const Pair& pair : pairs) buckets.add(pair.target, pair.source);
  return buckets;
}

/// The same cut, sentence by sentence.
std::vector<text::Batch> cut_plainly(std::vector<Pair> pairs, std::int64_t max_tokens) {
  std::sort(pairs.begin(), pairs.end());
  std::vector<text::Batch> batches;
  for (const Pair& pair : pairs) {
    if (!batches.empty()) {
      const text::Batch& last = batches.back();
      const auto longest = std::max({last.max_source, last.max_target, pair.source, pair.target});
      if ((last.sentences + 1) * longest > max_tokens) {
        batches.push_back({.first_sentence = last.first_sentence + last.sentences});
      }
    } else {
      batches.push_back({});
    }
    text::Batch& batch = batches.back();
    ++batch.sentences;
    batch.max_source = std::max(batch.max_source, pair.source);
    batch.max_target = std::max(batch.max_target, pair.target);
    batch.source_tokens += pair.source;
    batch.target_tokens += pair.target;
  }
  return batches;
}

}  // namespace

TEST_CASE("buckets are ordered by target length, then source length") {
  const text::LengthBuckets buckets(7);
  CHECK(buckets.size() == 49);
  CHECK(buckets.index(1, 1) == 0);
  CHECK(buckets.index(1, 7) + 1 == buckets.index(2, 1));
  for (std::int64_t i = 0; i < buckets.size(); ++i) {
    CHECK(buckets.index(buckets.target_length(i), buckets.source_length(i)) == i);
  }
  CHECK_THROWS_AS(buckets.index(0, 1), std::logic_error);
  CHECK_THROWS_AS(buckets.index(1, 8), std::logic_error);
}

TEST_CASE("batches from the histogram are those of a walk over the sorted sentences") {
  for (const std::int64_t max_tokens : {1, 17, 64, 200, 1000, 100000}) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      const auto pairs = random_pairs(seed, 1 + seed * 700, 64);
      CHECK(text::cut_batches(histogram(pairs, 64), max_tokens) == cut_plainly(pairs, max_tokens));
    }
  }
  CHECK(text::cut_batches(text::LengthBuckets(5), 10).empty());
}

TEST_CASE("a sentence longer than a batch has one of its own") {
  text::LengthBuckets buckets(100);
  buckets.add(100, 1);
  buckets.add(100, 1);
  buckets.add(3, 2);
  const auto batches = text::cut_batches(buckets, 50);
  REQUIRE(batches.size() == 3);
  CHECK(batches[0] == text::Batch{0, 1, 2, 3, 3, 2});
  CHECK(batches[1] == text::Batch{1, 1, 1, 100, 100, 1});
  CHECK(batches[2] == text::Batch{2, 1, 1, 100, 100, 1});
}

TEST_CASE("billions of sentences take no time, and nothing overflows") {
  text::LengthBuckets buckets(512);
  for (auto& count : buckets.counts()) count = 40'000'000;
  const auto batches = text::cut_batches(buckets, std::int64_t{1} << 40);
  std::int64_t sentences = 0;
  std::int64_t target_tokens = 0;
  for (const text::Batch& batch : batches) {
    CHECK(batch.first_sentence == sentences);
    sentences += batch.sentences;
    target_tokens += batch.target_tokens;
  }
  CHECK(sentences == 40'000'000LL * 512 * 512);
  CHECK(target_tokens == 40'000'000LL * 512 * (512 * 513 / 2));
}

TEST_CASE("little of a batch is padding") {
  const auto pairs = random_pairs(1, 200000, 512);
  double real = 0;
  double padded = 0;
  for (const text::Batch& batch : text::cut_batches(histogram(pairs, 512), 4000)) {
    real += static_cast<double>(batch.source_tokens + batch.target_tokens);
    padded += static_cast<double>(batch.sentences * (batch.max_source + batch.max_target));
  }
  CHECK(real / padded > 0.93);
}

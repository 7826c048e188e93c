// What a training needs of a device's memory, and what is offered if that is not there.
#include <regex>
#include <string>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "index/quantize/score_bounds.hpp"
#include "index/train/step_rows.hpp"
#include "index/train/training_memory.hpp"

using namespace knnseq;
using namespace knnseq::index;
using Catch::Matchers::Contains;

namespace {

constexpr std::int64_t gibibyte = std::int64_t{1} << 30;
constexpr std::int64_t rows = 5'242'880;

const IndexSpec billion = parse_index_spec("OPQ64_512,IVF131072,PQ64", 1024);

std::string refusal(const IndexSpec& spec, const TrainOptions& options, const DeviceBudget& room) {
  try {
    require_fits(spec, options, room);
  } catch (const core::InputError& e) {
    return e.what();
  }
  return "";
}

/// The number that the pattern's group matches; 0 if it does not match.
std::int64_t number_in(const std::string& text, const std::string& pattern) {
  std::smatch found;
  return std::regex_search(text, found, std::regex(pattern)) ? std::stoll(found[1]) : 0;
}

}  // namespace

TEST_CASE("steps use the rows that their centroids ask for") {
  const TrainOptions options;
  StepRows used = step_rows(billion, options, rows);
  CHECK(used.transform == 65536);
  CHECK(used.coarse == rows);
  CHECK(used.quantizer == 65536);
  CHECK(used.rotated() == rows);
  used = step_rows(parse_index_spec("PCA64,IVF16,Flat", 128), options, rows);
  CHECK(used.transform == 128'000);
  CHECK(used.coarse == 4096);
  CHECK(used.quantizer == 0);
  CHECK(step_rows(parse_index_spec("Flat", 128), options, rows).rotated() == 1);
  TrainOptions all;
  all.max_points_per_centroid = 0;
  used = step_rows(billion, all, rows);
  CHECK(used.transform == rows);
  CHECK(used.quantizer == rows);
}

TEST_CASE("a rank needs its part of the sample in fp32, and little beside it") {
  const TrainOptions options;
  const std::int64_t sample = rows * 512 * 4;
  const std::int64_t one = training_device_bytes(billion, options, rows, 1);
  const std::int64_t eight = training_device_bytes(billion, options, rows, 8);
  CHECK(one > sample);
  CHECK(one < sample + 4 * gibibyte);
  CHECK(one - eight == sample - sample / 8);
  // The centroids, their sums and their means.
  CHECK(eight - sample / 8 > std::int64_t{131072} * 512 * (8 + 3 * 4));
  std::int64_t before = 0;
  for (std::int64_t n = 1000; n < 10 * rows; n = n * 3 / 2) {
    const std::int64_t bytes = training_device_bytes(billion, options, n, 3);
    CHECK(bytes >= before);
    CHECK(training_device_bytes(billion, options, n, 4) <= bytes);
    before = bytes;
  }
}

TEST_CASE("a transform of all rows counts, as do normalised copies") {
  TrainOptions all;
  all.max_points_per_centroid = 0;
  const auto l2 = parse_index_spec("OPQ16_64,PQ16", 1024);
  const std::int64_t stored = rows * 1024 * 2 + rows * (64 * 4 + 16);
  CHECK(training_device_bytes(l2, all, rows, 1) > stored);
  CHECK(training_device_bytes(l2, all, rows, 1) < stored + gibibyte);
  const auto cos = parse_index_spec("OPQ16_64,PQ16", 1024, "cos");
  CHECK(training_device_bytes(cos, all, rows, 1) - training_device_bytes(l2, all, rows, 1) ==
        rows * 1024 * 2);
  // Beside what the quantiser is to use, the fewer rows of the lists, and their centroids' bounds.
  const TrainOptions some;
  const auto few = parse_index_spec("IVF64,PQ16", 64);
  const auto none = parse_index_spec("PQ16", 64);
  CHECK(training_device_bytes(few, some, rows, 1) - training_device_bytes(none, some, rows, 1) ==
        std::int64_t{64} * 256 * 64 * 4 + 64 * ScoreBounds::terms(64) * 2);
}

TEST_CASE("what does not fit is refused with what would") {
  const TrainOptions options;
  const auto needed = training_device_bytes(billion, options, rows, 2);
  CHECK(refusal(billion, options, {rows, 2, needed, "datastore.sample"}).empty());
  const std::string text = refusal(billion, options, {rows, 2, needed - 1, "datastore.sample"});
  CHECK_THAT(text, Contains("OPQ64_512,IVF131072,PQ64 on 5242880 vectors"));
  CHECK_THAT(text, Contains("on each of 2 ranks"));
  CHECK_THAT(text, Contains("device: cpu"));
  const auto sample = number_in(text, "datastore.sample of at most (\\d+)");
  CHECK(training_device_bytes(billion, options, sample, 2) < needed);
  CHECK(training_device_bytes(billion, options, sample + 1, 2) >= needed);
  CHECK(number_in(text, "(\\d+) ranks with a GPU each") == 3);

  const std::string tight = refusal(billion, options, {rows, 1, 5 * gibibyte, "subset.sample"});
  CHECK(number_in(tight, "subset.sample of at most (\\d+)") > 131072);
  const auto ranks = static_cast<int>(number_in(tight, "(\\d+) ranks with a GPU each"));
  CHECK(training_device_bytes(billion, options, rows, ranks) <= 5 * gibibyte);
  CHECK(training_device_bytes(billion, options, rows, ranks - 1) > 5 * gibibyte);
}

TEST_CASE("nothing is offered that would not help") {
  const TrainOptions options;
  const std::string text = refusal(billion, options, {rows, 2, gibibyte, "datastore.sample"});
  CHECK_THAT(text, Contains("what fits: device: cpu"));
}

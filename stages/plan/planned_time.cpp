#include "stages/plan/planned_time.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/stage_record.hpp"
#include "stages/shared/plan/planned_bytes.hpp"

namespace knnseq::stages {

namespace {

/// Products that training computes: see TrainOptions.
double training_work(const Options& options, const Needs& needs) {
  const auto& spec = needs.index;
  const auto& training = options.index.training;
  const std::int64_t sample = planned_sample(options, needs);
  const auto rows = [&](std::int64_t centroids) {
    const auto most = training.max_points_per_centroid * centroids;
    return static_cast<double>(most > 0 ? std::min(sample, most) : sample);
  };
  const auto d_in = static_cast<double>(spec.d_in);
  const auto d_out = static_cast<double>(spec.d_out);
  const auto nlist = static_cast<double>(spec.nlist);
  const std::int64_t codes = spec.quantizer_centroids();
  const auto assigning = static_cast<double>(codes) * d_out;  // a row, all sub-vectors
  double work = static_cast<double>(sample) * d_in * d_out;
  if (spec.transform == index::Transform::opq) {
    const auto more = static_cast<double>(training.opq_iterations - 1);
    const auto steps = static_cast<double>(training.opq_first_pq_iterations) +
                       more * static_cast<double>(training.opq_pq_iterations);
    work += rows(codes) * (steps * assigning + 2 * (more + 1) * d_in * d_out);
  }
  if (spec.has_lists()) {
    const bool near = training.coarse_search == index::CoarseSearch::near ||
                      (training.coarse_search == index::CoarseSearch::automatic &&
                       spec.nlist >= index::near_search_lists);
    const double coarse = rows(spec.nlist) * nlist * d_out;
    const auto iterations = static_cast<double>(training.coarse_iterations);
    const double all = near ? std::min(iterations, 2.0) : iterations;  // which compare with all
    // The first half goes over a quarter of the rows, the next fifth over half of them, where that
    // leaves ten a centroid.
    const auto of_rows = [&](double parts) {
      return rows(spec.nlist) >= parts * 10 * nlist ? 1 / parts : 1.0;
    };
    const double rows_used = 0.5 * of_rows(4) + 0.2 * of_rows(2) + 0.3;
    work += coarse * rows_used * (all + (iterations - all) / 8);
    work += rows(codes) * nlist * d_out;  // residuals
  }
  if (spec.has_quantizer()) {
    work += static_cast<double>(training.pq_iterations) * rows(codes) * assigning;
  }
  return work;
}

/// The same for coding one entry.
double coding_work(const Options& options, const Needs& needs) {
  const auto& spec = needs.index;
  const auto d_in = static_cast<double>(spec.d_in);
  const auto d_out = static_cast<double>(spec.d_out);
  double work = d_in;  // to read a key
  if (spec.transform != index::Transform::none) work += d_in * d_out;
  work += static_cast<double>(spec.nlist) * d_out;
  if (spec.has_quantizer()) work += static_cast<double>(spec.centroids()) * d_out;
  if (spec.edges >
      0) {  // faiss's construction of a graph, in products of the kind above (measured)
    const double shard = static_cast<double>(needs.corpus.entries / options.shards + 2);
    work += 100 * static_cast<double>(spec.edges) * d_out * std::log2(shard);
  }
  return work;
}

/// Entries that a query is compared with, of all lists that it probes.
double scanned(const DecodeOptions& decoding, const Needs& needs) {
  const auto& spec = needs.index;
  const auto entries = static_cast<double>(needs.corpus.entries);
  if (!spec.has_lists()) return entries;
  const auto probes = std::min(decoding.search.nprobe, spec.nlist);
  return entries * static_cast<double>(probes) / static_cast<double>(spec.nlist);
}

/// Seconds of one rank for a token, of the first item that is alike; none without one.
struct Measured {
  double seconds = 0;
  const DecodeOptions* item = nullptr;
};
std::optional<Measured> measured_item(const Rates& rates, bool knn, KnnMode mode) {
  for (const auto& item : rates.options.decode) {
    if (item.knn != knn || (knn && item.mode != mode)) continue;
    const auto* record = rates.find("decode-" + item.name);
    const auto rate = record == nullptr ? std::nullopt : runtime::recorded_rate(*record);
    if (rate) return Measured{record->at("ranks").get<double>() / *rate, &item};
  }
  return {};
}

}  // namespace

double stage_work(const std::string& stage, const Options& options, const Needs& needs) {
  const auto entries = static_cast<double>(needs.corpus.entries);
  if (stage == "train") return training_work(options, needs);
  if (stage == "add") return entries * coding_work(options, needs);
  return entries + static_cast<double>(needs.corpus.source_tokens);
}

std::optional<double> planned_seconds(const std::string& stage, const Options& options,
                                      const Needs& needs, std::int64_t ranks, const Rates& rates) {
  if (stage == "subset") {  // whose steps all go with the entries, but for training
    std::optional<double> seconds;
    for (const auto& [step, record] : rates.records) {
      if (!step.starts_with("subset-")) continue;
      const double share = record.at("ranks").get<double>() / static_cast<double>(ranks);
      const bool trains = step.starts_with("subset-train");
      const double more = trains ? 1
                                 : static_cast<double>(needs.corpus.entries) /
                                       static_cast<double>(rates.needs.corpus.entries);
      seconds = seconds.value_or(0) + record.at("work_seconds_max").get<double>() * share * more;
    }
    return seconds;
  }
  const auto* record = rates.find(stage);
  if (record == nullptr) return {};
  const double share = record->at("ranks").get<double>() / static_cast<double>(ranks);
  const double seconds = record->at("work_seconds_max").get<double>() * share *
                         stage_work(stage, options, needs) /
                         stage_work(stage, rates.options, rates.needs);
  const bool makes_keys = stage == "add" && options.datastore.store == KeyStore::none;
  if (!makes_keys) return seconds;
  return seconds + planned_seconds("encode", options, needs, ranks, rates).value_or(0);
}

std::optional<double> planned_speed(const DecodeOptions& decoding, const Needs& needs,
                                    std::int64_t ranks, const Rates& rates) {
  const auto like = measured_item(rates, decoding.knn, decoding.mode);
  if (!like) return {};
  double seconds = like->seconds;
  if (decoding.knn && decoding.mode == KnnMode::plain) {
    const auto base = measured_item(rates, false, KnnMode::plain);
    if (!base) return {};
    const double more = std::max(like->seconds - base->seconds, 0.0);
    seconds = base->seconds + more * scanned(decoding, needs) / scanned(*like->item, rates.needs);
  }
  return static_cast<double>(ranks) / seconds;
}

}  // namespace knnseq::stages

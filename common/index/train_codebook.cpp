#include "index/train_codebook.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "index/coder.hpp"
#include "index/kmeans.hpp"
#include "index/opq.hpp"
#include "index/pca.hpp"
#include "index/product_quantizer_training.hpp"
#include "index/sample_selection.hpp"
#include "index/train_state.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t pq_centroid_count = 256;
constexpr std::int64_t pca_points_per_dimension = 1000;  // as in faiss's PCAMatrix

/// Hash of all rows in their places, the same for any number of ranks. Collective.
std::uint64_t sample_hash(comm::Communicator& comm, const SampleBlocks& sample) {
  std::int64_t sum = 0;
  for (std::size_t b = 0; b < sample.blocks.size(); ++b) {
    const at::Tensor block = sample.blocks[b].contiguous();
    const std::uint64_t bytes =
        core::checksum({static_cast<const std::byte*>(block.const_data_ptr()), block.nbytes()});
    // 40 bits of each, so that no sum of blocks overflows
    sum += static_cast<std::int64_t>(
        core::seeded_hash(bytes, static_cast<std::uint64_t>(sample.block_numbers[b])) >> 24);
  }
  return static_cast<std::uint64_t>(comm.all_reduce(sum, comm::Reduction::sum));
}

/// Throws where ranks hold different values. Collective.
void require_same(comm::Communicator& comm, std::uint64_t value, const std::string& what) {
  const auto part = static_cast<std::int64_t>(value >> 1);
  if (comm.all_reduce(part, comm::Reduction::min) != comm.all_reduce(part, comm::Reduction::max)) {
    throw core::InputError(what + " is not the same on all ranks");
  }
}

class Training {
 public:
  Training(comm::Communicator& comm, const SampleBlocks& sample, const IndexSpec& spec,
           const TrainOptions& options, const CheckpointHooks& hooks)
      : comm_(comm), sample_(sample), spec_(spec), options_(options), hooks_(hooks) {}

  Codebook run() {
    check_inputs();
    take_up_state();
    if (state_.step == TrainStep::transform) train_transform();
    if (state_.step == TrainStep::coarse) train_coarse();
    if (state_.step == TrainStep::quantizer) train_quantizer();
    return codebook();
  }

 private:
  void check_inputs() {
    spec_.validate();
    options_.validate();
    sample_.check();
    if (sample_.dim != spec_.d_in) {
      throw core::InputError(fmt::format("index {} is for keys of width {}, the sample's have {}",
                                         spec_.factory(), spec_.d_in, sample_.dim));
    }
    const std::int64_t least = std::max(spec_.nlist, pq_centroid_count);
    if (sample_.total_rows < least) {
      throw core::InputError(
          fmt::format("{} training vectors are too few for {}, which needs at least {}",
                      sample_.total_rows, spec_.factory(), least));
    }
    warn(few_points_warning("coarse k-means", sample_.total_rows, spec_.nlist));
    warn(few_points_warning("product quantiser", sample_.total_rows, pq_centroid_count));
  }

  void take_up_state() {
    const std::array<std::int64_t, 7> numbers = {options_.coarse_iterations,
                                                 options_.opq_iterations,
                                                 options_.opq_pq_iterations,
                                                 options_.opq_first_pq_iterations,
                                                 options_.pq_iterations,
                                                 options_.max_points_per_centroid,
                                                 spec_.d_in};
    const auto text = spec_.factory();
    state_.identity = core::mix64(sample_hash(comm_, sample_)) ^ core::mix64(options_.seed) ^
                      core::checksum_of(std::span<const std::int64_t>(numbers)) ^
                      core::mix64(core::checksum_of(std::span<const char>(text)));
    require_same(comm_, core::checksum(hooks_.resume), "the saved state of the training");
    if (hooks_.resume.empty()) return;
    TrainState saved = train_state_from(hooks_.resume);
    if (saved.identity != state_.identity) {
      throw core::InputError(
          "the saved state belongs to a training with another sample, index or options");
    }
    state_ = std::move(saved);
    log(fmt::format("codebook training goes on in step {} after iteration {}", step_name(),
                    state_.iterations));
  }

  void train_transform() {
    if (spec_.transform == Transform::opq) train_rotation();
    if (spec_.transform == Transform::pca) {
      const Pca pca =
          train_pca(comm_, limited(pca_points_per_dimension * spec_.d_in, 4), spec_.d_out);
      state_.rotation = pca.rotation;
      state_.bias = pca.bias;
      save(1);
    }
    begin_step(TrainStep::coarse);
  }

  void train_rotation() {
    const SampleBlocks rows = limited(points(pq_centroid_count), 1);
    const OpqOptions opq{spec_.opq_m,
                         spec_.d_out,
                         options_.opq_iterations,
                         options_.opq_pq_iterations,
                         options_.opq_first_pq_iterations,
                         core::seeded_hash(options_.seed, 11)};
    const OpqState start = state_.iterations == 0 ? start_opq(comm_, rows, opq)
                                                  : OpqState{state_.rotation, state_.pq_centroids,
                                                             state_.iterations, 0};
    const OpqState trained = train_opq(comm_, rows, opq, start, [&](const OpqState& now) {
      state_.rotation = now.rotation;
      state_.pq_centroids = now.pq_centroids;
      report(now.iterations, opq.iterations, now.mean_squared_error);
      save(now.iterations);
    });
    state_.rotation = trained.rotation;
  }

  void train_coarse() {
    const SampleBlocks rows = rotated(limited(points(spec_.nlist), 2));
    const KmeansOptions kmeans_options{options_.coarse_iterations,
                                       core::seeded_hash(options_.seed, 12)};
    Clustering start = start_kmeans(comm_, rows, spec_.nlist, kmeans_options.seed);
    if (state_.iterations > 0) start = {state_.coarse_centroids, state_.iterations, 0, 0};
    const Clustering trained =
        kmeans(comm_, rows, kmeans_options, start, [&](const Clustering& now) {
          state_.coarse_centroids = now.centroids;
          report(now.iterations, kmeans_options.iterations, now.mean_squared_error);
          save(now.iterations);
        });
    state_.coarse_centroids = trained.centroids;
    begin_step(TrainStep::quantizer);
  }

  void train_quantizer() {
    const SampleBlocks vectors = rotated(limited(points(pq_centroid_count), 3));
    const CentroidScan lists(state_.coarse_centroids);
    const SampleBlocks rows = map_blocks(vectors, spec_.d_out, [&](const at::Tensor& block) {
      return block - at::index_select(state_.coarse_centroids, 0, lists.nearest(block));
    });
    const KmeansOptions kmeans_options{options_.pq_iterations,
                                       core::seeded_hash(options_.seed, 13)};
    Clustering start = start_product_quantizer(comm_, rows, spec_.m, kmeans_options.seed);
    if (state_.iterations > 0) start = {state_.pq_centroids, state_.iterations, 0, 0};
    const Clustering trained =
        train_product_quantizer(comm_, rows, kmeans_options, start, [&](const Clustering& now) {
          state_.pq_centroids = now.centroids;
          report(now.iterations, kmeans_options.iterations, now.mean_squared_error);
          save(now.iterations);
        });
    state_.pq_centroids = trained.centroids;
    begin_step(TrainStep::done);
  }

  std::int64_t points(std::int64_t centroids) const {
    return centroids * options_.max_points_per_centroid;
  }

  /// At most this many rows of the sample, each purpose with its own choice.
  SampleBlocks limited(std::int64_t rows, std::uint64_t purpose) const {
    if (options_.max_points_per_centroid == 0) return sample_;
    return subsample(sample_, rows, core::seeded_hash(options_.seed, purpose));
  }

  SampleBlocks rotated(const SampleBlocks& rows) const {
    const Codebook so_far{spec_, state_.rotation, state_.bias, {}, {}};
    return map_blocks(rows, spec_.d_out,
                      [&](const at::Tensor& block) { return rotate_vectors(so_far, block); });
  }

  Codebook codebook() const {
    return {spec_, state_.rotation, state_.bias, state_.coarse_centroids, state_.pq_centroids};
  }

  void begin_step(TrainStep step) {
    state_.step = step;
    state_.iterations = 0;
  }

  std::string step_name() const {
    switch (state_.step) {
      case TrainStep::transform:
        return spec_.transform == Transform::pca ? "pca" : "opq";
      case TrainStep::coarse:
        return "coarse";
      default:
        return "pq";
    }
  }

  void save(std::int64_t iteration) {
    state_.iterations = iteration;
    if (hooks_.save) hooks_.save(step_name(), iteration, to_bytes(state_));
  }

  void report(std::int64_t iteration, std::int64_t iterations, double mean_squared_error) const {
    log(fmt::format("{} iteration {}/{}: mean squared error {:.6g}", step_name(), iteration,
                    iterations, mean_squared_error));
  }
  void log(const std::string& line) const {
    if (options_.log) options_.log(line);
  }
  void warn(const std::string& line) const {
    if (options_.warn && !line.empty()) options_.warn(line);
  }

  comm::Communicator& comm_;
  const SampleBlocks& sample_;
  const IndexSpec& spec_;
  const TrainOptions& options_;
  const CheckpointHooks& hooks_;
  TrainState state_;
};

}  // namespace

Codebook train_codebook(comm::Communicator& comm, const SampleBlocks& sample, const IndexSpec& spec,
                        const TrainOptions& options, const CheckpointHooks& hooks) {
  return Training(comm, sample, spec, options, hooks).run();
}

}  // namespace knnseq::index

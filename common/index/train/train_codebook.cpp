#include "index/train/train_codebook.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "index/core/normalised.hpp"
#include "index/quantize/nearest_centroids.hpp"
#include "index/quantize/vector_quantizer.hpp"
#include "index/sample/root_tensor.hpp"
#include "index/sample/sample_selection.hpp"
#include "index/train/kmeans.hpp"
#include "index/train/opq.hpp"
#include "index/train/pca.hpp"
#include "index/train/product_quantizer_training.hpp"
#include "index/train/sample_moments.hpp"
#include "index/train/step_rows.hpp"
#include "index/train/train_state.hpp"

namespace knnseq::index {

namespace {

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

/// Throws if ranks hold different values. Collective.
void require_same(comm::Communicator& comm, std::uint64_t value, const std::string& what) {
  const auto part = static_cast<std::int64_t>(value >> 1);
  if (comm.all_reduce(part, comm::Reduction::min) != comm.all_reduce(part, comm::Reduction::max)) {
    throw core::InputError(what + " is not the same on all ranks");
  }
}

class Training {
 public:
  Training(const TrainContext& context, SampleBlocks sample, const IndexSpec& spec,
           const TrainOptions& options, const CheckpointHooks& hooks)
      : team_(context),
        comm_(context.comm),
        sample_(std::move(sample)),
        spec_(spec),
        options_(options),
        hooks_(hooks),
        rows_(step_rows(spec, options, sample_.total_rows)) {}

  Codebook run() {
    check_inputs();
    take_up_state();
    if (state_.step == TrainStep::transform) train_transform();
    if (state_.step != TrainStep::done) rotate_sample();
    if (state_.step == TrainStep::coarse) train_coarse();
    if (state_.step == TrainStep::quantizer) train_quantizer();
    Codebook codebook{spec_, state_.rotation, state_.bias, state_.coarse_centroids,
                      state_.pq_centroids};
    build_coarse_graph(codebook);
    return codebook;
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
    const std::int64_t least = spec_.least_sample();
    if (sample_.total_rows < least) {
      throw core::InputError(
          fmt::format("{} training vectors are too few for {}, which needs at least {}",
                      sample_.total_rows, spec_.factory(), least));
    }
    if (team_.path == gpu::ComputePath::torch && spec_.has_lists() &&
        options_.coarse_search == CoarseSearch::near) {
      warn(
          "index.coarse_search: near has no effect on GPUs, where every vector is compared with "
          "all "
          "centroids");
    }
    warn(few_points_warning("coarse k-means", sample_.total_rows, spec_.nlist));
    warn(few_points_warning("product quantiser", sample_.total_rows, spec_.quantizer_centroids()));
  }

  void take_up_state() {
    const std::array<std::int64_t, 10> numbers = {
        options_.coarse_iterations,
        options_.opq_iterations,
        options_.opq_pq_iterations,
        options_.opq_first_pq_iterations,
        options_.pq_iterations,
        options_.max_points_per_centroid,
        spec_.d_in,
        static_cast<std::int64_t>(spec_.metric),
        static_cast<std::int64_t>(options_.coarse_search),
        std::bit_cast<std::int64_t>(options_.opq_tolerance)};
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
    require_fits(saved, spec_);
    state_ = std::move(saved);
    log(fmt::format("codebook training resumes in step {} after iteration {}", step_name(),
                    state_.iterations));
  }

  void train_transform() {
    if (spec_.transform == Transform::opq) train_rotation();
    if (spec_.transform == Transform::pca) train_components();
    begin_step(TrainStep::coarse);
  }

  void train_rotation() {
    const SampleBlocks rows = transform_rows(1);
    const at::Tensor means = centre(rows);
    OpqOptions opq;
    opq.m = spec_.opq_m;
    opq.d_out = spec_.d_out;
    opq.centroids = spec_.quantizer_centroids();
    opq.iterations = options_.opq_iterations;
    opq.pq_iterations = options_.opq_pq_iterations;
    opq.first_pq_iterations = options_.opq_first_pq_iterations;
    opq.tolerance = options_.opq_tolerance;
    opq.seed = core::seeded_hash(options_.seed, 11);
    const OpqState start = state_.iterations == 0
                               ? start_opq(team_, rows, means, opq)
                               : OpqState{state_.rotation, state_.pq_centroids, state_.iterations,
                                          state_.mean_squared_error, state_.converged};
    const OpqState trained = train_opq(team_, rows, means, opq, start, [&](const OpqState& now) {
      state_.rotation = now.rotation;
      state_.pq_centroids = now.pq_centroids;
      state_.converged = now.converged;
      after_iteration(now.iterations, opq.iterations, now.mean_squared_error);
    });
    state_.rotation = trained.rotation;
  }

  void train_components() {
    const SampleBlocks rows = transform_rows(4);
    const at::Tensor means = centre(rows);
    state_.rotation = train_pca(team_, rows, means, spec_.d_out, spec_.whitened);
    if (spec_.metric == Metric::l2) {
      state_.bias = compute_on_root(comm_, {spec_.d_out}, [&] {
        return -at::mv(state_.rotation.to(at::kDouble), means.cpu().to(at::kDouble));
      });
    }
    save(1);
  }

  /// Replaces the sample by the rows that the steps to come use, rotated.
  void rotate_sample() {
    const Codebook so_far =
        copy_to(Codebook{spec_, state_.rotation, state_.bias, {}, {}}, team_.device);
    sample_ = limited(std::move(sample_), rows_.rotated(), 2);
    sample_.dim = spec_.d_out;
    for (at::Tensor& block : sample_.blocks) {
      block = rotate_vectors(so_far, block.to(team_.device));
    }
  }

  void train_coarse() {
    if (spec_.has_lists()) {
      const SampleBlocks rows = limited(sample_, rows_.coarse, 3);
      const KmeansOptions kmeans_options{options_.coarse_iterations,
                                         core::seeded_hash(options_.seed, 12), spec_.metric,
                                         options_.coarse_search, /*growing=*/true};
      const Clustering start = state_.iterations == 0
                                   ? start_kmeans(team_, rows, spec_.nlist, kmeans_options)
                                   : resumed(state_.coarse_centroids);
      const Clustering trained =
          kmeans(team_, rows, kmeans_options, start, [&](const Clustering& now) {
            state_.coarse_centroids = now.centroids.cpu();
            after_iteration(now.iterations, kmeans_options.iterations, now.mean_squared_error);
          });
      state_.coarse_centroids = trained.centroids.cpu();
    }
    begin_step(TrainStep::quantizer);
  }

  void train_quantizer() {
    if (spec_.has_quantizer()) {
      sample_ = limited(std::move(sample_), rows_.quantizer, 5);
      if (spec_.has_lists()) subtract_centroids();
      const QuantizerOptions pq{spec_.m, spec_.centroids(), options_.pq_iterations,
                                core::seeded_hash(options_.seed, 13)};
      const Clustering start = state_.iterations == 0 ? start_product_quantizer(team_, sample_, pq)
                                                      : resumed(state_.pq_centroids);
      const SampleScale scale = scale_of(team_, sample_);
      const Clustering trained =
          train_product_quantizer(team_, {sample_, scale}, pq, start, [&](const Clustering& now) {
            state_.pq_centroids = now.centroids.cpu();
            after_iteration(now.iterations, pq.iterations, now.mean_squared_error);
          });
      state_.pq_centroids = trained.centroids.cpu();
    } else {
      state_.pq_centroids.reset();  // OPQ's
    }
    begin_step(TrainStep::done);
  }

  void subtract_centroids() {
    const CentroidScan lists(state_.coarse_centroids.to(team_.device), spec_.metric, team_.path);
    sample_ = map_blocks(std::move(sample_), spec_.d_out, [&](const at::Tensor& block) {
      return block - at::index_select(lists.centroids(), 0, lists.nearest(block));
    });
  }

  Clustering resumed(const at::Tensor& centroids) const {
    return {centroids.to(team_.device), state_.iterations, 0, 0};
  }

  /// At most this many rows of the sample, each purpose with its own choice.
  SampleBlocks limited(SampleBlocks sample, std::int64_t rows, std::uint64_t purpose) const {
    return subsample(comm_, std::move(sample), rows, core::seeded_hash(options_.seed, purpose));
  }

  /// What OPQ and PCA are trained on, on the context's device.
  SampleBlocks transform_rows(std::uint64_t purpose) const {
    SampleBlocks chosen = copy_to(limited(sample_, rows_.transform, purpose), team_.device);
    if (spec_.metric != Metric::cos) return chosen;
    return map_blocks(std::move(chosen), spec_.d_in, normalised);
  }

  /// What OPQ and PCA subtract from every row.
  at::Tensor centre(const SampleBlocks& rows) const {
    if (spec_.metric == Metric::l2) return column_means(team_, rows);
    return at::zeros({spec_.d_in}, at::TensorOptions(team_.device).dtype(at::kFloat));
  }

  void begin_step(TrainStep step) {
    state_.step = step;
    state_.iterations = 0;
    state_.mean_squared_error = 0;
    state_.converged = false;
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

  void after_iteration(std::int64_t iteration, std::int64_t iterations, double mean_squared_error) {
    state_.mean_squared_error = mean_squared_error;
    log(fmt::format("{} iteration {}/{}: mean squared error {:.6g}", step_name(), iteration,
                    iterations, mean_squared_error));
    save(iteration);
  }
  void log(const std::string& line) const {
    if (options_.log) options_.log(line);
  }
  void warn(const std::string& line) const {
    if (options_.warn && !line.empty()) options_.warn(line);
  }

  TrainContext team_;
  comm::Communicator& comm_;
  SampleBlocks sample_;  ///< on the host; rotated: on the context's device
  const IndexSpec& spec_;
  const TrainOptions& options_;
  const CheckpointHooks& hooks_;
  StepRows rows_;
  TrainState state_;
};

}  // namespace

Codebook train_codebook(const TrainContext& context, SampleBlocks sample, const IndexSpec& spec,
                        const TrainOptions& options, const CheckpointHooks& hooks) {
  return Training(context, std::move(sample), spec, options, hooks).run();
}

}  // namespace knnseq::index

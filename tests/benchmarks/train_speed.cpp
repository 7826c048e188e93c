// Trains a codebook on vectors from a file and codes them all with it, and says how long that took.
// Started by train_speed.py; also on several ranks, by mpirun; train_speed-cuda also on GPUs.
#include <map>

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "comm/mpi_environment.hpp"
#include "core/allocator.hpp"
#include "core/error.hpp"
#include "gpu/torch_device.hpp"
#include "index/faiss_io/index_builder.hpp"
#include "index/quantize/vector_quantizer.hpp"
#include "index/train/train_codebook.hpp"
#include "obs/resources.hpp"
#include "vectors.hpp"

using namespace knnseq;
using benchmarks::block_rows;
using benchmarks::Vectors;

namespace {

index::TrainOptions options_from(std::map<std::string, std::string> settings) {
  index::TrainOptions options;
  const auto number = [&](const char* key, std::int64_t& value) {
    if (settings.contains(key)) value = std::stoll(settings.at(key));
  };
  number("coarse_iterations", options.coarse_iterations);
  number("opq_iterations", options.opq_iterations);
  number("opq_pq_iterations", options.opq_pq_iterations);
  number("opq_first_pq_iterations", options.opq_first_pq_iterations);
  number("pq_iterations", options.pq_iterations);
  number("max_points_per_centroid", options.max_points_per_centroid);
  if (settings.contains("opq_tolerance")) {
    options.opq_tolerance = std::stod(settings.at("opq_tolerance"));
  }
  if (settings["coarse_search"] == "all") options.coarse_search = index::CoarseSearch::all;
  if (settings["coarse_search"] == "near") options.coarse_search = index::CoarseSearch::near;
  return options;
}

gpu::Wanted wanted_device(const std::map<std::string, std::string>& settings) {
  const auto device = settings.find("device");
  if (device == settings.end() || device->second == "cpu") return gpu::Wanted::cpu;
  if (device->second == "cuda") return gpu::Wanted::cuda;
  throw core::InputError("device is cpu or cuda");
}

/// Seconds between the start of the first and the end of the last rank. Collective.
template <class Work>
double timed(comm::Communicator& comm, Work work) {
  comm.barrier();
  const obs::Stopwatch watch;
  work();  // what it leaves is on the host: nothing is left to wait for
  return comm.all_reduce(watch.seconds(), comm::Reduction::max);
}

}  // namespace

/// Arguments: VECTORS ROWS WIDTH FACTORY METRIC THREADS OUT [key=value …]. Writes
/// OUT.codebook.faiss and, per rank, OUT-R.faiss; prints lines of JSON. VECTORS: a file of fp16, or
/// "random". Keys: those of the training's options, and device=cpu|cuda.
int main(int argc, char** argv) {
  core::keep_freed_memory();  // as the stages do
  comm::MpiEnvironment mpi(argc, argv);
  const auto comm = mpi.world(0);
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() < 7) {
    fmt::print(stderr, "train_speed VECTORS ROWS WIDTH FACTORY METRIC THREADS OUT [key=value …]\n");
    return 2;
  }
  const Vectors vectors{args[0], std::stoll(args[1]), std::stoll(args[2])};
  const auto spec = index::parse_index_spec(args[3], vectors.width, args[4]);
  at::set_num_threads(std::stoi(args[5]));
  const std::string& out = args[6];
  std::map<std::string, std::string> settings;
  for (std::size_t i = 7; i < args.size(); ++i) {
    settings.emplace(args[i].substr(0, args[i].find('=')), args[i].substr(args[i].find('=') + 1));
  }
  auto options = options_from(settings);
  const auto placement = gpu::place_rank(*comm, wanted_device(settings));
  const at::Device device = gpu::torch_device(placement.device);
  const auto collectives = gpu::make_collectives(*comm, placement, 0);
  const index::TrainContext context(*comm, device, *collectives);
  const obs::Stopwatch since_start;
  options.log = [&](const std::string& line) {
    if (comm->is_root()) fmt::print(stderr, "{:8.3f} s  {}\n", since_start.seconds(), line);
  };

  const std::int64_t before = obs::peak_memory_bytes();
  index::SampleBlocks sample = vectors.sample(*comm);
  index::Codebook codebook;
  const double training = timed(
      *comm, [&] { codebook = index::train_codebook(context, std::move(sample), spec, options); });
  const auto peak = comm->all_reduce(obs::peak_memory_bytes(), comm::Reduction::max);
  if (comm->is_root()) index::write_codebook(out + ".codebook.faiss", codebook);

  const index::VectorQuantizer quantizer(codebook, device);
  const auto mine = core::even_part(vectors.rows, comm->rank(), comm->size());
  const at::Tensor keys = vectors.read(mine);
  std::vector<at::Tensor> lists;
  std::vector<at::Tensor> codes;
  const double adding = timed(*comm, [&] {
    for (std::int64_t first = 0; first < mine.size(); first += block_rows) {
      const std::int64_t rows = std::min(block_rows, mine.size() - first);
      const at::Tensor rotated = quantizer.rotate(keys.narrow(0, first, rows).to(device));
      const at::Tensor of_rows = quantizer.assign_exact(rotated);
      codes.push_back(quantizer.encode(rotated, of_rows).cpu());
      lists.push_back(of_rows.cpu());
    }
  });
  collectives->close();
  index::write_local_index(fmt::format("{}-{}.faiss", out, comm->rank()), codebook,
                           {at::cat(lists), at::cat(codes), at::arange(mine.begin, mine.end)});
  if (comm->is_root()) {
    fmt::print(
        R"({{"ranks": {}, "device": "{}", "train_seconds": {:.3f}, "vectors_per_second": {:.0f}, "checksum": "{:x}", )"
        R"("program_bytes": {}, "peak_bytes": {}}})"
        "\n",
        comm->size(), placement.device.name(), training, static_cast<double>(vectors.rows) / adding,
        index::checksum(codebook), before, peak);
  }
  return 0;
}

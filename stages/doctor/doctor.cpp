#include "stages/doctor/doctor.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "comm/gather_json.hpp"
#include "obs/table.hpp"
#include "obs/terminal.hpp"
#include "stages/doctor/diagnosis.hpp"
#include "stages/doctor/library_facts.hpp"
#include "stages/doctor/rank_facts.hpp"

namespace knnseq::stages {

namespace {

std::string gibibytes(std::int64_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / 0x1p30);
}

void print_libraries(const LibraryFacts& facts) {
  const auto line = [](const char* name, const std::string& text) {
    obs::print(fmt::format("{:<10} {}\n", name, obs::printable(text)));
  };
  line("knnseq", fmt::format("{}, {} build, {}", facts.version, facts.build_type,
                             facts.cuda ? "for GPUs and CPUs" : "for CPUs only"));
  const char* const cuda_aware = !facts.mpi.says_cuda   ? "does not say whether it is CUDA-aware"
                                 : facts.mpi.cuda_aware ? "CUDA-aware"
                                                        : "not CUDA-aware";
  line("MPI", fmt::format("{} (standard {}), threads: {}, {}", facts.mpi.library,
                          facts.mpi.standard, facts.mpi.thread_level, cuda_aware));
  if (facts.cuda) line("NCCL", facts.nccl.empty() ? "does not answer" : facts.nccl);
  line("HDF5", facts.hdf5.version + (facts.hdf5.parallel ? ", with MPI-IO" : ", without MPI-IO"));
  line("libtorch", facts.libtorch);
  line("BLAS", fmt::format("{} (sgemm of {})", facts.blas, facts.blas_file));
  line("faiss", fmt::format("{}, compiled for: {}{}", facts.index.faiss_version,
                            facts.index.faiss_options, facts.index.faiss_gpu ? ", GPUs" : ""));
  line("allocator", facts.allocator);
}

std::string device_text(const RankFacts& rank) {
  if (rank.gpu < 0) return rank.gpus > 0 ? fmt::format("CPU (sees {} GPUs)", rank.gpus) : "CPU";
  return fmt::format("GPU {}: {}, capability {}, {} of {} free", rank.gpu, rank.gpu_name,
                     rank.gpu_capability, gibibytes(rank.gpu_free_bytes),
                     gibibytes(rank.gpu_bytes));
}

void print_ranks(const std::vector<RankFacts>& ranks, std::int64_t threads) {
  std::vector<obs::Cells> lines = {{"rank", "threads", "cores", "of", "memory", "host",
                                    "libtorch's code", "our code", "device"}};
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const auto& rank = ranks[i];
    lines.push_back({std::to_string(i), std::to_string(threads), std::to_string(rank.allowed_cores),
                     std::to_string(rank.host_cores), gibibytes(rank.memory_bytes), rank.host,
                     rank.cpu_capability, rank.instruction_set, device_text(rank)});
  }
  obs::print(fmt::format("\n{}\n", obs::markdown_table(lines, 0, 5)));
}

}  // namespace

void doctor(comm::Communicator& comm, const DoctorOptions& options) {
  const bool insists = options.device == gpu::Wanted::cuda;
  const auto placement = gpu::place_rank(comm, insists ? gpu::Wanted::automatic : options.device);
  RankFacts mine;
  comm::agree(comm, [&] { mine = rank_facts(placement); });
  std::vector<RankFacts> ranks;
  for (const auto& facts : comm::gather_json(comm, mine)) {
    ranks.push_back(facts);
  }
  comm::on_root(comm, [&] {
    const auto libraries = library_facts();
    print_libraries(libraries);
    print_ranks(ranks, options.threads);
    const auto lines = diagnose(libraries, ranks, options.threads);
    for (const auto& text : lines) obs::print(fmt::format("warning: {}\n", obs::printable(text)));
    if (lines.empty()) obs::print("nothing to warn of\n");
  });
  if (insists && !placement.device.cuda) gpu::place_rank(comm, gpu::Wanted::cuda);
}

}  // namespace knnseq::stages

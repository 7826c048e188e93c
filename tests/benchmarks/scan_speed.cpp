// Speed of the GPU's kernels: scan_speed ENTRIES|fit [--bytes 32|64] [--queries N] [--k N]
//                                      [--tables fp16|fp32|both] [--device cuda|cpu]
// Scans random codes of 64 bytes (fit, or more than fit: as many as the memory of GPU and host
// takes) in lists of about 800, nprobe 32, for 160, 320 and 640 queries at a time unless given,
// k 64. GB/s is codes scanned × their bytes, of whole searches: tables, scan and merging. Beside it
// stand this device's copy rate (bytes read and written) and its rate of look-ups in shared memory
// (a byte a look-up), and what share of the smaller of both the scan reaches. faiss's index for
// GPUs does the same if this faiss was built with it: as knn.backend: faiss has it, and with tables
// for all lists. Then the assignment of sub-vectors to PQ centroids. On the CPU: the CPU's scan, to
// try the program; its bound is the copy rate alone.
#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>

#include <ATen/ATen.h>
#include <cuda_runtime_api.h>

#include "benchmarks/program.hpp"
#include "benchmarks/shared_lookups.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "gpu/cuda_check.hpp"
#include "gpu/device.hpp"
#include "gpu/device_memory.hpp"
#include "gpu/pq_codes.hpp"
#include "index/core/parallel.hpp"
#include "index/search/faiss_list_index.hpp"
#include "index/search/ivfpq_scan.hpp"
#include "support/figure.hpp"

namespace {

using namespace knnseq;

std::int64_t m = 64;  // bytes of a code
constexpr std::int64_t dsub = 4;
constexpr std::int64_t nprobe = 32;
at::Device device(at::kCUDA, 0);

void wait_for_device() {
  if (device.is_cuda()) gpu::cuda_check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

/// Seconds of one call, of many that are queued together; the fastest of three times.
template <class Body>
double seconds_of(int repeats, const Body& body) {
  double best = 1e30;
  body();
  for (int round = 0; round < 3; ++round) {
    wait_for_device();
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < repeats; ++i) body();
    wait_for_device();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::min(best, seconds.count() / repeats);
  }
  return best;
}

at::Tensor normal(at::IntArrayRef shape) {
  return at::randn(shape, at::TensorOptions().dtype(at::kFloat));
}

/// Bytes read and written a second.
double copy_rate() {
  const std::int64_t bytes = std::int64_t{1} << (device.is_cuda() ? 30 : 26);
  const at::Tensor from = at::zeros({bytes}, at::kByte).to(device);
  const at::Tensor to = at::empty_like(from);
  return 2 * static_cast<double>(from.nbytes()) / seconds_of(10, [&] { to.copy_(from); });
}

double lookup_rate(const gpu::DeviceFacts& facts, bool half_tables) {
  const std::int64_t blocks = std::int64_t{facts.multiprocessors} * 24;
  constexpr std::int64_t rounds = 1000;
  const at::Tensor out = at::empty({blocks * gpu::scan_threads}, at::kFloat).to(device);
  const double seconds = seconds_of(5, [&] {
    benchmarks::launch_shared_lookups(blocks, rounds, half_tables, out.mutable_data_ptr<float>());
  });
  return static_cast<double>(blocks * gpu::scan_threads * rounds * m) / seconds;
}

index::Codebook random_codebook(std::int64_t nlist) {
  index::Codebook codebook;
  codebook.spec = {.d_in = m * dsub, .d_out = m * dsub, .nlist = nlist, .m = m};
  codebook.coarse_centroids = normal({nlist, m * dsub});
  codebook.pq_centroids = normal({m, 256, dsub});
  return codebook;
}

struct Lists {
  std::int64_t nlist;
  std::int64_t size;  ///< of each
};

void fill(index::ListIndex& index, const Lists& lists) {
  index::parallel_for(lists.nlist, [&](std::int64_t list) {
    core::Random random(static_cast<std::uint64_t>(list));
    std::vector<std::uint8_t> codes(lists.size * m);
    for (std::size_t at = 0; at < codes.size(); at += sizeof(std::uint64_t)) {
      const std::uint64_t bytes = random.next();
      std::memcpy(&codes[at], &bytes, sizeof(bytes));
    }
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < lists.size; ++i) {
      ids.push_back(core::pack_entry_id(1, list * lists.size + i));
    }
    index.append(list, codes, ids);
  });
  index.finish();
}

/// Bytes of codes scanned a second.
double measure_scan(const index::ListIndex& index, const Lists& lists, std::int64_t queries,
                    std::int64_t k) {
  const at::Tensor rotated = normal({queries, m * dsub}).to(device);
  const at::Tensor probed = std::get<1>(at::topk(at::rand({queries, lists.nlist}), nprobe));
  const index::Probes probes{probed.to(device).contiguous(),
                             at::rand({queries, nprobe}, at::kFloat).to(device)};
  const double seconds = seconds_of(10, [&] { index.search(rotated, probes, k); });
  const double rate = static_cast<double>(queries * nprobe * lists.size * m) / seconds;
  fmt::print("  {:>4} queries, k {}: {:7.3f} ms, {:7.1f} GB/s", queries, k, 1e3 * seconds,
             rate / 1e9);
  return rate;
}

void measure_faiss(const index::Codebook& codebook, const Lists& lists,
                   const std::vector<std::int64_t>& queries, std::int64_t k) {
  if (!index::has_faiss_cuda()) {
    fmt::print("faiss: this one was built without GPUs\n");
    return;
  }
  const std::vector<std::int64_t> sizes(lists.nlist, lists.size);
  for (const bool precomputed_tables : {false, true}) {
    const char* tables = precomputed_tables ? "with tables for all lists" : "as knn.backend: faiss";
    try {
      const auto index = index::make_faiss_list_index_cuda(
          codebook, sizes, gpu::make_scan_launcher({true, device.index()}), {precomputed_tables});
      fill(*index, lists);
      for (const std::int64_t count : queries) {
        measure_scan(*index, lists, count, k);
        fmt::print(" by faiss {}\n", tables);
      }
    } catch (const core::InputError& problem) {
      fmt::print("faiss {}: {}\n", tables, problem.what());
    }
  }
}

void measure_pq_assignment() {
  constexpr std::int64_t n = std::int64_t{1} << 20;
  const at::Tensor x = normal({n, m * dsub}).to(device);
  const at::Tensor packed = normal({m, 256, 1 + dsub}).to(device);
  const at::Tensor codes = at::empty({n, m}, x.options().dtype(at::kByte));
  const at::Tensor sums = at::zeros({m, 256, dsub + 1}, x.options().dtype(at::kLong));
  gpu::PqCodesJob job;
  job.x = x.const_data_ptr<float>();
  job.packed = packed.const_data_ptr<float>();
  job.n = n;
  job.m = m;
  job.dsub = dsub;
  job.centroids = 256;
  job.codes = codes.mutable_data_ptr<std::uint8_t>();
  for (const bool with_sums : {false, true}) {
    if (with_sums) {
      job.sums = sums.mutable_data_ptr<std::int64_t>();
      job.counts = job.sums + m * 256 * dsub;
      job.scale = 1 << 20;
    }
    const double seconds = seconds_of(5, [&] { gpu::assign_pq_codes(job); });
    fmt::print("PQ assignment{}: {:.1f} M vectors/s ({} sub-vectors of {}, 256 centroids)\n",
               with_sums ? " with sums" : "", static_cast<double>(n) / seconds / 1e6, m, dsub);
  }
}

/// Of the host's memory, now.
std::int64_t available_host_bytes() {
  std::ifstream facts("/proc/meminfo");
  for (std::string word; facts >> word;) {
    std::int64_t kib = 0;
    if (word == "MemAvailable:" && facts >> kib) return kib << 10;
  }
  throw core::SystemError("/proc/meminfo has no MemAvailable");
}

/// As many entries as asked for, or as fit.
std::int64_t entries_of(const std::string& wanted, const gpu::DeviceFacts* gpu) {
  const std::int64_t entry_bytes = m + 12;
  constexpr std::int64_t spare_bytes = std::int64_t{3} << 30;
  std::int64_t fit = available_host_bytes() / 10 * 8 / entry_bytes;  // lists are made in it
  if (gpu != nullptr) fit = std::min(fit, (gpu->free_bytes - spare_bytes) * 96 / 100 / entry_bytes);
  const std::int64_t entries = wanted == "fit" ? fit : std::stoll(wanted);
  if (entries > fit) fmt::print("{} entries do not fit; {} do\n", entries, fit);
  return std::min(entries, fit);
}

std::map<std::string, std::string> read_options(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> options = {{"--bytes", "64"},
                                                {"--queries", ""},
                                                {"--k", "64"},
                                                {"--tables", "both"},
                                                {"--device", "cuda"}};
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    if (!options.contains(arguments[i]) || i + 1 == arguments.size()) {
      throw core::InputError(arguments[i], "is not an option, or has no value");
    }
    options[arguments[i]] = arguments[i + 1];
  }
  return options;
}

void run(const std::vector<std::string>& arguments) {
  const auto options = read_options(arguments);
  m = std::stoll(options.at("--bytes"));
  if (m % 8 != 0) throw core::InputError("--bytes", "is a multiple of 8");
  const bool on_gpu = options.at("--device") == "cuda";
  const auto devices = gpu::visible_devices();
  if (on_gpu && devices.empty()) throw std::runtime_error("this machine has no GPU");
  if (!on_gpu) device = at::kCPU;
  const gpu::DeviceFacts* facts = on_gpu ? &devices.front() : nullptr;
  const std::int64_t wanted = entries_of(arguments[0], facts);
  Lists lists{};
  lists.nlist = static_cast<std::int64_t>(
      std::bit_floor(static_cast<std::uint64_t>(std::max<std::int64_t>(wanted / 600, 64))));
  lists.size = wanted / lists.nlist;
  std::vector<std::int64_t> queries{160, 320, 640};
  if (!options.at("--queries").empty()) queries = {std::stoll(options.at("--queries"))};
  const std::int64_t k = std::stoll(options.at("--k"));

  const double copies = copy_rate();
  fmt::print("{}: copies {:.0f} GB/s read and written\n", on_gpu ? facts->name : "CPU",
             copies / 1e9);
  const std::vector<std::int64_t> sizes(lists.nlist, lists.size);
  const auto codebook = random_codebook(lists.nlist);
  const std::string tables = options.at("--tables");
  for (const bool half_tables : {true, false}) {
    if (tables == (half_tables ? "fp32" : "fp16") || (!on_gpu && !half_tables)) continue;
    const double lookups = on_gpu ? lookup_rate(*facts, half_tables) : copies;
    const std::int64_t before = on_gpu ? gpu::peak_device_bytes(device.index()) : 0;
    std::unique_ptr<index::ListIndex> index;
    if (on_gpu) {
      index = std::make_unique<index::IvfPqScanTorch>(
          codebook, sizes, gpu::make_scan_launcher({true, facts->index}),
          index::ScanOptionsTorch{.half_tables = half_tables});
    } else {
      index = std::make_unique<index::IvfPqScan>(codebook, sizes);
    }
    const auto start = std::chrono::steady_clock::now();
    fill(*index, lists);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    fmt::print("{} entries in {} lists of {}, {} tables; {:.0f} G look-ups/s; filled in {:.1f} s\n",
               index->entries(), lists.nlist, lists.size, half_tables ? "fp16" : "fp32",
               lookups / 1e9, seconds.count());
    for (const std::int64_t count : queries) {
      const double rate = measure_scan(*index, lists, count, k);
      fmt::print(", {:3.0f} % of the bound\n", 100 * rate / std::min(copies, lookups));
    }
    if (!on_gpu) continue;
    test::print_figure(
        fmt::format("memory of {} M codes of {} bytes", index->entries() / 1'000'000, m),
        static_cast<double>(index->bytes()) / 1e9, "GB");
    // Beyond the plan: queries, tables and results of a search, and what the copy rate took before.
    const std::int64_t peak = gpu::peak_device_bytes(device.index());
    if (peak > before) {
      test::print_figure("memory of the codes by the plan",
                         static_cast<double>(peak) / static_cast<double>(index->bytes()));
    }
  }
  if (!on_gpu) return;
  measure_faiss(codebook, lists, queries, k);
  measure_pq_assignment();
}

}  // namespace

int main(int argc, char** argv) {
  return knnseq::benchmarks::run_program(argc, argv, 1, "scan_speed ENTRIES|fit [--NAME VALUE …]",
                                         run);
}

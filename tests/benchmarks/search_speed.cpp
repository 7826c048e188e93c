// Queries a second of an IVFPQ index: search_speed INDEX QUERIES K NPROBE BATCH [RESULT]
// INDEX: a faiss file. QUERIES: fp32 [q, width of a key], without a header. Prints "scan S whole
// W load L": with the probes given, and with rotation and coarse quantisation, of all queries in
// batches; gigabytes of the file a second that reading it into memory took.
// RESULT gets the distances (fp32) and then the packed ids (int64), each [q, k]. Threads:
// OMP_NUM_THREADS. search_speed.py compares with faiss-cpu.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/allocator.hpp"
#include "core/files.hpp"
#include "index/quantize/vector_quantizer.hpp"
#include "index/search/local_index.hpp"

namespace {

using namespace knnseq;

at::Tensor read_queries(const std::string& path, std::int64_t width) {
  const std::string bytes = core::read_file(path);
  const auto rows = static_cast<std::int64_t>(bytes.size() / sizeof(float)) / width;
  at::Tensor queries = at::empty({rows, width}, at::kFloat);
  std::memcpy(queries.mutable_data_ptr<float>(), bytes.data(), queries.nbytes());
  return queries;
}

/// Queries a second of body(first row, end).
template <class Body>
double rate(std::int64_t queries, std::int64_t batch, const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t row = 0; row < queries; row += batch) body(row, std::min(row + batch, queries));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return static_cast<double>(queries) / seconds.count();
}

int run(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr, "usage: search_speed INDEX QUERIES K NPROBE BATCH [RESULT]\n");
    return 2;
  }
  core::keep_freed_memory();  // as the program does
  const auto codebook = index::read_codebook(argv[1]);
  const auto start = std::chrono::steady_clock::now();
  const auto scan = index::load_local_index(codebook, {argv[1]});
  const std::chrono::duration<double> loading = std::chrono::steady_clock::now() - start;
  const index::VectorQuantizer quantizer(codebook);
  const at::Tensor queries = read_queries(argv[2], codebook.spec.d_in);
  const std::int64_t count = queries.size(0);
  const std::int64_t k = std::stoll(argv[3]);
  const std::int64_t nprobe = std::stoll(argv[4]);
  const std::int64_t batch = std::stoll(argv[5]);

  std::vector<at::Tensor> rotated;
  std::vector<index::Probes> probes;
  for (std::int64_t row = 0; row < count; row += batch) {
    rotated.push_back(quantizer.rotate(queries.slice(0, row, std::min(row + batch, count))));
    probes.push_back(quantizer.probe(rotated.back(), nprobe));
  }
  std::vector<index::TopK> found(rotated.size());
  const auto search = [&](std::size_t b) { found[b] = scan->search(rotated[b], probes[b], k); };
  search(0);  // warms up
  const double scan_rate =
      rate(count, batch, [&](std::int64_t row, std::int64_t) { search(row / batch); });
  const double whole_rate = rate(count, batch, [&](std::int64_t row, std::int64_t end) {
    const at::Tensor part = quantizer.rotate(queries.slice(0, row, end));
    scan->search(part, quantizer.probe(part, nprobe), k);
  });
  const auto bytes = static_cast<double>(std::filesystem::file_size(argv[1]));
  std::printf("scan %.0f whole %.0f load %.2f\n", scan_rate, whole_rate,
              bytes / loading.count() / 1e9);

  if (argc > 6) {
    std::ofstream result(argv[6], std::ios::binary);
    const auto write = [&](const at::Tensor& values) {
      result.write(static_cast<const char*>(values.const_data_ptr()),
                   static_cast<std::streamsize>(values.nbytes()));
    };
    for (const index::TopK& part : found) write(part.distances);
    for (const index::TopK& part : found) write(part.ids);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "search_speed: %s\n", e.what());
    return 1;
  }
}

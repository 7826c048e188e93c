#include <catch2/catch.hpp>

#include "stages/doctor/diagnosis.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;
using stages::diagnose;
using stages::RankFacts;

namespace {

stages::LibraryFacts libraries_of_gpus() {
  stages::LibraryFacts facts;
  facts.build_type = "Release";
  facts.cuda = true;
  facts.hdf5.parallel = true;
  facts.mpi.says_cuda = true;
  facts.mpi.cuda_aware = true;
  return facts;
}

stages::LibraryFacts libraries_of_cpus() {
  auto facts = libraries_of_gpus();
  facts.cuda = false;
  return facts;
}

RankFacts rank_on(const std::string& host) {
  RankFacts rank;
  rank.host = host;
  rank.host_cores = rank.allowed_cores = 16;
  rank.cpu_capability = "AVX512";
  rank.instruction_set = "avx512";
  return rank;
}

RankFacts rank_on_gpu(const std::string& host, int gpu) {
  auto rank = rank_on(host);
  rank.gpus = 2;
  rank.gpu = gpu;
  rank.gpu_name = "H100";
  rank.gpu_uuid = host + std::to_string(gpu);
  return rank;
}

/// The only line, or all of them with their number.
std::string only(const std::vector<std::string>& lines) {
  if (lines.size() == 1) return lines.front();
  std::string all = std::to_string(lines.size()) + " lines:";
  for (const auto& line : lines) all += "\n" + line;
  return all;
}

}  // namespace

TEST_CASE("what fits together gives no warning") {
  CHECK(diagnose(libraries_of_cpus(), {rank_on("a"), rank_on("a"), rank_on("b")}, 8).empty());
  CHECK(diagnose(
            libraries_of_gpus(),
            {rank_on_gpu("a", 0), rank_on_gpu("a", 1), rank_on_gpu("b", 0), rank_on_gpu("b", 1)}, 8)
            .empty());
}

TEST_CASE("builds that are slow or cannot write are named") {
  auto libraries = libraries_of_cpus();
  libraries.build_type = "Debug";
  CHECK_THAT(only(diagnose(libraries, {rank_on("a")}, 1)), Contains("a Debug build"));
  libraries = libraries_of_cpus();
  libraries.hdf5.parallel = false;
  CHECK_THAT(only(diagnose(libraries, {rank_on("a")}, 1)), Contains("MPI-IO"));
}

TEST_CASE("ranks that have too few cores are named with their host") {
  const auto libraries = libraries_of_cpus();
  CHECK_THAT(only(diagnose(libraries, {rank_on("a"), rank_on("b"), rank_on("b")}, 9)),
             Contains("b: 2 ranks × 9 threads are more than its 16 cores"));
  auto bound = rank_on("b");
  bound.allowed_cores = 1;
  CHECK_THAT(only(diagnose(libraries, {rank_on("a"), bound}, 4)),
             Contains("b: rank 1 may run on 1 of 16 cores, with 4 threads"));
  CHECK(diagnose(libraries, {rank_on("a"), bound}, 1).empty());
}

TEST_CASE("OpenMP's binding is a mistake only if ranks get the same cores") {
  auto first = rank_on("a");
  first.proc_bind = "true";
  first.allowed_cores = 1;
  auto second = first;
  CHECK_THAT(only(diagnose(libraries_of_cpus(), {first, second}, 4)),
             Contains("OMP_PROC_BIND=true"));
  second.first_core = 8;
  CHECK(diagnose(libraries_of_cpus(), {first, second}, 4).empty());
  first.proc_bind = second.proc_bind = "false";
  first.allowed_cores = second.allowed_cores = 16;
  second.first_core = 0;
  CHECK(diagnose(libraries_of_cpus(), {first, second}, 4).empty());
}

TEST_CASE("processors that round differently are named") {
  auto older = rank_on("b");
  older.cpu_capability = "AVX2";
  CHECK_THAT(only(diagnose(libraries_of_cpus(), {rank_on("a"), older}, 1)),
             Contains("different kinds"));
  auto other = rank_on_gpu("a", 1);
  other.gpu_name = "A100";
  CHECK_THAT(only(diagnose(libraries_of_gpus(), {rank_on_gpu("a", 0), other}, 1)),
             Contains("A100, H100"));
}

TEST_CASE("GPUs that are shared, unused or missing are named") {
  const auto libraries = libraries_of_gpus();
  CHECK_THAT(
      only(diagnose(libraries, {rank_on_gpu("a", 0), rank_on_gpu("a", 1), rank_on_gpu("a", 0)}, 1)),
      Contains("3 ranks share 2 GPUs"));
  CHECK_THAT(only(diagnose(libraries, {rank_on_gpu("a", 0)}, 1)),
             Contains("a: 1 of 2 GPUs are used"));
  CHECK_THAT(only(diagnose(libraries, {rank_on("a")}, 1)), Contains("no rank sees one"));
  auto sees = rank_on("a");
  sees.gpus = 2;
  CHECK_THAT(only(diagnose(libraries, {rank_on("b"), sees}, 1)),
             Contains("a has GPUs, but b has none"));
  CHECK(diagnose(libraries, {sees}, 1).empty());  // device: cpu
}

TEST_CASE("an MPI without CUDA is mentioned if several GPUs work together") {
  auto libraries = libraries_of_gpus();
  libraries.mpi.cuda_aware = false;
  CHECK_THAT(only(diagnose(libraries, {rank_on_gpu("a", 0), rank_on_gpu("a", 1)}, 1)),
             Contains("not CUDA-aware"));
}

TEST_CASE("facts of a rank survive their way to another") {
  auto rank = rank_on_gpu("a", 1);
  rank.first_core = 3;
  rank.memory_bytes = 5;
  rank.instruction_set = "avx2";
  rank.proc_bind = "close";
  rank.gpu_capability = "9.0";
  rank.gpu_bytes = 7;
  rank.gpu_free_bytes = 6;
  CHECK(core::Json(rank).get<stages::RankFacts>() == rank);
}

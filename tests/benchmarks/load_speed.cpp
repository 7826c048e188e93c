// Seconds and memory that loading a model takes: load_speed MODEL_FOLDER [DTYPE]
// Prints: seconds, MiB held afterwards, MiB at the peak, MiB of the weight files. Memory is what
// the process has beyond what it had before, pages of mapped files included.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>

#include "model/load_model.hpp"

namespace {

using namespace knnseq;

/// A figure of /proc/self/status in MiB.
double memory_mib(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == key + ":" && status >> kib) return kib / 1024;
  }
  throw core::SystemError("/proc/self/status has no " + key);
}

int run(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: load_speed MODEL_FOLDER [DTYPE]\n");
    return 2;
  }
  double file_mib = 0;
  for (const auto& path : model::model_files(argv[1])) {
    file_mib += static_cast<double>(std::filesystem::file_size(path)) / (1 << 20);
  }
  const double before = memory_mib("VmRSS");
  const auto start = std::chrono::steady_clock::now();
  const auto model = model::load_model(argv[1], {argc > 2 ? argv[2] : "fp32"});
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("%.2f s, %.0f MiB, peak %.0f MiB, files %.0f MiB\n", seconds.count(),
              memory_mib("VmRSS") - before, memory_mib("VmHWM") - before, file_mib);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "load_speed: %s\n", e.what());
    return 1;
  }
}

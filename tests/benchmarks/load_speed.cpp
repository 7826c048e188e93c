// Seconds and memory that loading a model takes: load_speed MODEL_FOLDER [DTYPE]
// Prints: seconds, MiB held afterwards, MiB at the peak, MiB of the weight files. Memory is what
// the process has beyond what it had before, pages of mapped files included.
#include <chrono>
#include <fstream>
#include <string>

#include "model/load_model.hpp"
#include "program.hpp"

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

void run(const std::vector<std::string>& arguments) {
  double file_mib = 0;
  for (const auto& path : model::model_files(arguments[0])) {
    file_mib += static_cast<double>(std::filesystem::file_size(path)) / (1 << 20);
  }
  const double before = memory_mib("VmRSS");
  const auto start = std::chrono::steady_clock::now();
  const auto model =
      model::load_model(arguments[0], {arguments.size() > 1 ? arguments[1] : "fp32"});
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  fmt::print("{:.2f} s, {:.0f} MiB, peak {:.0f} MiB, files {:.0f} MiB\n", seconds.count(),
             memory_mib("VmRSS") - before, memory_mib("VmHWM") - before, file_mib);
}

}  // namespace

int main(int argc, char** argv) {
  return benchmarks::run_program(argc, argv, 1, "load_speed MODEL_FOLDER [DTYPE]", run);
}

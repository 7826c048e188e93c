#include "obs/resources.hpp"

#include <algorithm>
#include <fstream>
#include <string>

namespace knnseq::obs {

namespace {

/// The number behind `name` at the start of a line; 0 if there is none.
std::int64_t value_of(const std::string& file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name)) return std::stoll(line.substr(name.size()));
  }
  return 0;
}

/// A file of one number; −1 without it, or if it says "max".
std::int64_t number_in(const std::string& file) {
  std::int64_t value = -1;
  std::ifstream(file) >> value;
  return value > 0 ? value : -1;
}

}  // namespace

std::int64_t peak_memory_bytes() { return value_of("/proc/self/status", "VmHWM:") * 1024; }

std::int64_t available_memory_bytes() {
  std::int64_t available = value_of("/proc/meminfo", "MemAvailable:") * 1024;
  // Version 2 of control groups: the own one and those around it.
  std::ifstream groups("/proc/self/cgroup");
  std::string path;
  std::getline(groups, path);
  if (!path.starts_with("0::")) return available;
  for (path = path.substr(3);; path = path.substr(0, path.rfind('/'))) {
    const std::string folder = "/sys/fs/cgroup" + path + "/";
    const auto limit = number_in(folder + "memory.max");
    // Files in the page cache count as used, but make room.
    const auto used =
        number_in(folder + "memory.current") - value_of(folder + "memory.stat", "file ");
    if (limit > 0 && used > 0) available = std::clamp<std::int64_t>(limit - used, 0, available);
    if (path.size() <= 1) return available;
  }
}

void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5\n"; }

}  // namespace knnseq::obs

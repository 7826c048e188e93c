#include "runtime/provenance.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "comm/gather_json.hpp"
#include "core/instruction_set.hpp"
#include "obs/host_name.hpp"

namespace knnseq::runtime {

namespace {

/// "AMD EPYC 7B13 (avx2)": the processor's name, and which of our kernels it runs.
std::string processor() {
  const std::vector kernels = core::kernels_of_this_cpu(
      []<core::InstructionSet set>() { return std::string(core::to_string(set)); });
  std::ifstream facts("/proc/cpuinfo");
  for (std::string line; std::getline(facts, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != line.npos) {
      return fmt::format("{} ({})", line.substr(colon + 2), kernels.front());
    }
  }
  return fmt::format("unknown ({})", kernels.front());
}

/// A word as a shell would read it back.
std::string quoted(const std::string& word) {
  constexpr auto plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:+@%";
  if (!word.empty() && word.find_first_not_of(plain) == word.npos) return word;
  std::string text;
  for (const char c : word) c == '\'' ? text.append("'\\''") : text.append(1, c);
  return fmt::format("'{}'", text);
}

}  // namespace

core::Json describe_job(comm::Communicator& comm, const gpu::Placement& placement,
                        const ProgramFacts& program, const std::vector<std::string>& command) {
  const core::Json mine = {
      {"name", obs::host_name()}, {"processor", processor()}, {"gpu", placement.facts.name}};
  core::Json hosts = core::Json::array();
  for (auto rank : comm::gather_json(comm, mine)) {
    const auto same = std::ranges::find_if(
        hosts, [&](const auto& host) { return host.at("name") == rank.at("name"); });
    if (same != hosts.end()) {
      same->at("ranks") = same->at("ranks").template get<int>() + 1;
      continue;
    }
    if (rank.at("gpu") == "") rank.erase("gpu");
    rank["ranks"] = 1;
    hosts.push_back(rank);
  }
  std::string words;
  for (const auto& word : command)
    words += fmt::format("{}{}", words.empty() ? "" : " ", quoted(word));
  return {{"program",
           {{"version", program.version}, {"commit", program.commit}, {"build", program.build}}},
          {"command", words},
          {"ranks", comm.size()},
          {"device", placement.device.name()},
          {"hosts", hosts}};
}

std::string utc_time(double seconds_ago) {
  const auto ago = std::chrono::milliseconds(std::llround(1000 * seconds_ago));
  const auto then = std::chrono::system_clock::now() - ago;
  return fmt::format("{:%FT%TZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(then)));
}

}  // namespace knnseq::runtime

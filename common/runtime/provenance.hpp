// Who made something: what records say beside what was made, and manifests do not, which have the
// same bytes whoever made them.
#pragma once

#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/files.hpp"
#include "gpu/placement.hpp"

namespace knnseq::runtime {

/// The program as it was built.
struct ProgramFacts {
  std::string version;
  std::string commit;  ///< "unknown" if it was not built from a repository
  std::string build;   ///< "Release"
};

/// What a job knows of itself.
struct Provenance {
  /// {"program": {"version", "commit", "build"}, "command", "ranks", "threads", "device",
  /// "hosts": [{"name", "ranks", "processor", "gpu"} …]}
  core::Json job;
  std::string config;  ///< with all defaults, as YAML
};

/// Provenance::job of this job. `command`: the program's arguments. Collective; rank 0's is
/// complete.
core::Json describe_job(comm::Communicator& comm, const gpu::Placement& placement,
                        const ProgramFacts& program, const std::vector<std::string>& command);

/// "2026-11-29T14:05:09Z", so many seconds ago.
std::string utc_time(double seconds_ago = 0);

}  // namespace knnseq::runtime

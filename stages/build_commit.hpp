// The commit that the program was built from; "unknown" outside of a repository.
#pragma once

namespace knnseq::stages {

/// Defined in a file that each build renews (scripts/cmake/Commit.cmake).
extern const char* const build_commit;

}  // namespace knnseq::stages

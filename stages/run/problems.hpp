// Problems that are collected instead of stopping at the first.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "comm/agreement.hpp"
#include "comm/gather_json.hpp"
#include "core/error.hpp"

namespace knnseq::stages {

class Problems {
 public:
  /// Each is kept once.
  void note(const std::string& problem) {
    if (std::ranges::find(all_, problem) == all_.end()) all_.push_back(problem);
  }

  /// Does the work of one rank and notes what it is refused for. Whether there was nothing.
  template <class Work>
  bool look(const Work& work) {
    try {
      work();
      return true;
    } catch (const core::InputError& e) {
      note(e.what());
      return false;
    }
  }

  /// Throws core::InputError listing those of all ranks, on all ranks. Collective.
  void report(comm::Communicator& comm) const {
    Problems together;
    for (const auto& of_rank : comm::gather_json(comm, core::Json(all_))) {
      for (const auto& problem : of_rank) together.note(problem.get<std::string>());
    }
    comm::agree(comm, [&] {
      if (!together.all_.empty()) throw core::InputError(together.all_);
    });
  }

 private:
  std::vector<std::string> all_;
};

}  // namespace knnseq::stages

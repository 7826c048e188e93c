// What MPI tests share: the communicator of all ranks, and requirements that all ranks check
// together, so that none is left waiting in a collective when another's fails.
#pragma once

#include <catch2/catch.hpp>

#include "comm/communicator.hpp"

namespace knnseq::test {

/// All ranks of this test.
comm::Communicator& world();

/// Whether `local` holds on every rank. Collective.
inline bool on_all_ranks(bool local) { return world().all(local); }

}  // namespace knnseq::test

/// Collective REQUIRE: fails on all ranks if it fails on one.
#define REQUIRE_ALL(expression)                               \
  do {                                                        \
    const bool local_result_ = static_cast<bool>(expression); \
    CHECK(local_result_);                                     \
    INFO(#expression " on all ranks");                        \
    REQUIRE(::knnseq::test::on_all_ranks(local_result_));     \
  } while (false)

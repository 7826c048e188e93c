#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "runtime/shard_team.hpp"

using namespace knnseq;

TEST_CASE("numbers of shards by their names, which somebody else's files may only resemble") {
  for (const std::int64_t shard : {0, 42, 99999}) {
    CHECK(runtime::shard_number(runtime::shard_name(shard)) == shard);
  }
  for (const char* name : {"", "shard", "shard-", "shard-notes", "shard-7", "shard-00007x",
                           "shard--0007", "shard-99999999999999999999", "notes-00007"}) {
    CHECK_THROWS_AS(runtime::shard_number(name), core::InputError);
  }
}

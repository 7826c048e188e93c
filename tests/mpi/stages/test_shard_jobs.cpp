// The loop over units: the next one is computed while one is written, by every rank, and a rank
// that fails does not wait for it.
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "comm/self_communicator.hpp"
#include "core/error.hpp"
#include "core/types.hpp"
#include "runtime/shard_jobs.hpp"
#include "store/hdf5_file.hpp"
#include "support/mpi_main.hpp"
#include "support/shared_folder.hpp"

using namespace knnseq;

namespace {

constexpr std::int64_t shards = 2;
constexpr std::int64_t units = 7;  // of a shard
constexpr std::int64_t unit_rows = 3;

/// Whether a count comes to that in ten seconds.
bool comes(const std::atomic<std::int64_t>& value, std::int64_t at_least) {
  for (int i = 0; i < 10'000 && value < at_least; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return value >= at_least;
}

runtime::ShardPlan plan_of(std::int64_t /*shard*/) {
  return {{{"rows", store::DataType::int64, {units * unit_rows}, {}}},
          std::vector<std::int64_t>(units, unit_rows)};
}

core::Json nothing(std::int64_t /*shard*/) { return core::Json::object(); }

void write_rows(std::int64_t unit, store::ShardFile& file) {
  const std::vector<std::int64_t> rows(unit_rows, unit);
  file.write("rows", unit * unit_rows, std::span<const std::int64_t>(rows));
}

/// Does the work as a stage in `run_dir`/made. Collective on `comm`.
void run(comm::Communicator& comm, const std::filesystem::path& run_dir,
         const runtime::ShardWork& work) {
  obs::Log log(comm.rank(), comm.size());
  runtime::StageContext context{comm, log, run_dir, runtime::StageContext::Force::no, "", 60};
  const auto folder = run_dir / "made";
  const auto team = runtime::make_shard_team(comm, shards);
  runtime::run_stage(
      context,
      {"test", folder, {{"shards", shards}}, [&] {
         runtime::ShardJobs jobs(context, team, folder, {"rows", shards * units * unit_rows});
         return jobs.run(work);
       }});
}

}  // namespace

TEST_CASE("the next unit is computed while one is written, and all rows are there in the end") {
  auto& world = test::world();
  const auto run_dir = test::shared_folder("jobs");
  const auto main_thread = std::this_thread::get_id();
  const auto team = runtime::make_shard_team(world, shards);
  const std::int64_t mine = core::ceil_div(units - team.member(), team.members());  // of a shard
  std::atomic<std::int64_t> computed = 0;
  std::int64_t written = 0;
  bool ahead = true;
  bool on_threads = true;
  runtime::ShardWork work;
  work.prepare = [&](std::int64_t shard) {
    computed = written = 0;
    return plan_of(shard);
  };
  work.compute = [&](std::int64_t unit, const runtime::Abandoned&) {
    on_threads = on_threads && std::this_thread::get_id() != main_thread;
    ++computed;
    return runtime::ComputedUnit{{}, [&, unit](store::ShardFile& file) {
                                   ++written;
                                   ahead = ahead && comes(computed, std::min(written + 1, mine));
                                   write_rows(unit, file);
                                 }};
  };
  work.finish = nothing;
  run(world, run_dir, work);
  REQUIRE_ALL(ahead);
  REQUIRE_ALL(on_threads);
  bool right = true;
  if (world.is_root()) {
    for (std::int64_t shard = 0; shard < shards; ++shard) {
      const auto path = run_dir / "made" / (runtime::shard_name(shard) + ".h5");
      const auto rows = store::Hdf5File::open_for_reading(path).read_all<std::int64_t>("rows");
      for (std::size_t i = 0; i < rows.size(); ++i) {
        right = right && rows[i] == static_cast<std::int64_t>(i) / unit_rows;
      }
    }
  }
  REQUIRE_ALL(right);
  world.barrier();
  if (world.is_root()) std::filesystem::remove_all(run_dir);
}

TEST_CASE("what fails while a unit is written does not wait for the next one to be computed") {
  const auto self = comm::make_self_communicator();
  const auto run_dir = test::shared_folder("fails") / std::to_string(test::world().rank());
  std::filesystem::create_directories(run_dir);
  std::atomic<std::int64_t> begun = 0;
  bool given_up = false;
  runtime::ShardWork work;
  work.prepare = plan_of;
  work.compute = [&](std::int64_t unit, const runtime::Abandoned& abandoned) {
    ++begun;
    if (unit == 2) {
      while (!abandoned()) std::this_thread::yield();  // for ever, if nobody said so
      given_up = true;
      runtime::give_up_if(abandoned);
    }
    return runtime::ComputedUnit{{}, [&, unit](store::ShardFile& file) {
                                   write_rows(unit, file);
                                   if (unit < 1) return;
                                   if (comes(begun, 3)) throw core::SystemError("the disk");
                                 }};
  };
  work.finish = nothing;
  CHECK_THROWS_WITH(run(*self, run_dir, work), Catch::Contains("the disk"));
  CHECK(given_up);
  // What was committed before is not done again.
  std::int64_t current = 0;
  std::set<std::int64_t> again;
  work.compute = [&](std::int64_t unit, const runtime::Abandoned&) {
    if (current == 0) again.insert(unit);
    return runtime::ComputedUnit{{}, [unit](store::ShardFile& file) { write_rows(unit, file); }};
  };
  work.prepare = [&](std::int64_t shard) {
    current = shard;
    return plan_of(shard);
  };
  run(*self, run_dir, work);
  CHECK(again == std::set<std::int64_t>{1, 2, 3, 4, 5, 6});
  test::world().barrier();
  if (test::world().is_root()) std::filesystem::remove_all(run_dir.parent_path());
}

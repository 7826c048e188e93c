#include "runtime/reader_lock.hpp"

#include <random>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/own_files.hpp"
#include "obs/host_name.hpp"

namespace knnseq::runtime {

namespace {

/// A name that no other reader has.
std::string reader_name() {
  std::random_device random;
  return fmt::format("{}-{:08x}{:08x}", obs::host_name(), random(), random());
}

}  // namespace

ReaderLock::ReaderLock(const std::filesystem::path& run_dir, const LockTiming& timing)
    : file_(run_dir / readers_name / reader_name()) {
  core::refuse_links(run_dir, file_);
  for (int tries = 0; !lock_; ++tries) {
    core::make_directories(file_.parent_path());
    try {
      lock_.emplace(file_, timing, /*builds=*/false);
    } catch (const core::SystemError&) {  // the last reader before has just removed the folder
      if (tries == 10) throw;
    }
  }
  // Only now, so that of two that start at the same time one at least sees the other.
  const auto file = run_dir / "lock";
  const auto holder = RunLock::holder_in(file);
  if (!holder || !holder->builds) return;
  try {
    const RunLock free(file, timing);
    notice_ = free.notice();
  } catch (...) {
    give_up();
    throw;
  }
}

ReaderLock::~ReaderLock() { give_up(); }

void ReaderLock::give_up() {
  lock_.reset();
  std::error_code ignored;
  std::filesystem::remove(file_, ignored);
  std::filesystem::remove(file_.parent_path(), ignored);  // if it was the last one's
}

void refuse_readers(const std::filesystem::path& run_dir, const LockTiming& timing) {
  const auto folder = run_dir / readers_name;
  core::refuse_links(run_dir, folder);
  if (!std::filesystem::exists(folder)) return;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto holder = RunLock::holder_in(entry.path());
    try {
      const RunLock left_behind(entry.path(), timing);
    } catch (const core::InputError&) {
      throw core::InputError(
          run_dir,
          fmt::format("is being read by {}, and this command would change what it reads: end it "
                      "first",
                      holder ? holder->name() : "another command"));
    }
    std::error_code ignored;
    std::filesystem::remove(entry.path(), ignored);
  }
  std::error_code ignored;
  std::filesystem::remove(folder, ignored);
}

}  // namespace knnseq::runtime

#include "store/shard_file.hpp"

#include <map>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"

namespace knnseq::store {

namespace fs = std::filesystem;

namespace {

std::string journal_prefix(const std::string& name) { return name + ".journal."; }

std::string hex_checksum(std::span<const std::byte> bytes) {
  return fmt::format("{:016x}", core::checksum(bytes));
}

}  // namespace

ShardFile ShardFile::open(const fs::path& folder, const std::string& name, comm::Communicator& team,
                          const std::vector<DatasetSpec>& datasets) {
  const fs::path path = folder / (name + ".h5");
  const bool there = team.all(!team.is_root() || fs::exists(path));  // as the root sees it
  if (!there) {
    // Journals without a file would claim rows that are not there.
    comm::agree(team, [&] {
      if (team.is_root()) remove_journals(folder, name);
    });
    Hdf5File::create(path, team, datasets);
  }
  ShardFile shard(Hdf5File::open_for_writing(path, team), folder, name);
  for (const auto& spec : datasets) {
    if (spec.aside) shard.aside_.insert(spec.name);
  }
  comm::agree(team, [&] {
    for (const auto& spec : datasets) {
      if (shard.file_.shape(spec.name) != spec.shape) {
        throw core::InputError(path, fmt::format("dataset '{}' has another shape than this run "
                                                 "would give it; --force starts over",
                                                 spec.name));
      }
    }
    for (const auto& record : Journal::read_all(folder, journal_prefix(name))) {
      shard.done_.insert(record.at("unit").get<std::int64_t>());
    }
  });
  team.barrier();  // all have read before any appends
  comm::agree(team, [&] {
    shard.journal_ = std::make_unique<Journal>(
        folder / fmt::format("{}{:04}", journal_prefix(name), team.rank()));
  });
  return shard;
}

void ShardFile::write_bytes(const std::string& dataset, std::int64_t first_row,
                            std::span<const std::byte> bytes) {
  file_.write_bytes(dataset, first_row, bytes);
  pending_.push_back({{"dataset", dataset},
                      {"first_row", first_row},
                      {"bytes", bytes.size()},
                      {"checksum", hex_checksum(bytes)}});
  if (aside_.contains(dataset)) pending_.back()["aside"] = true;
}

std::int64_t ShardFile::commit(std::int64_t unit) {
  std::int64_t bytes = 0;
  for (const auto& range : pending_) bytes += range.at("bytes").get<std::int64_t>();
  file_.sync();
  journal_->append({{"unit", unit}, {"ranges", pending_}});
  pending_ = core::Json::array();
  done_.insert(unit);
  return bytes;
}

core::Json ShardFile::finish(comm::Communicator& team, std::int64_t units) {
  journal_.reset();
  team.barrier();  // all journals are complete, and all ranks come to the collective close
  file_.close();
  std::map<std::int64_t, core::Json> by_unit;
  comm::agree(team, [&] {
    for (auto& record : Journal::read_all(folder_, journal_prefix(name_))) {
      by_unit[record.at("unit")] = record.at("ranges");
    }
    KNNSEQ_ASSERT(static_cast<std::int64_t>(by_unit.size()) == units, "a unit was left out");
  });
  core::Json ranges = core::Json::array();
  for (auto& [unit, of_unit] : by_unit) ranges.push_back(std::move(of_unit));
  return ranges;
}

void ShardFile::remove_journals(const fs::path& folder, const std::string& name) {
  for (const auto& path : files_with_prefix(folder, journal_prefix(name))) fs::remove(path);
}

void verify_range(const fs::path& file, const core::Json& range, std::span<const std::byte> bytes) {
  if (range.at("bytes") == bytes.size() && range.at("checksum") == hex_checksum(bytes)) return;
  throw core::InputError(file,
                         fmt::format("dataset '{}' is damaged from row {} on ({} bytes do not "
                                     "match their checksum); rebuild the shard with --force",
                                     range.at("dataset").get<std::string>(),
                                     range.at("first_row").get<std::int64_t>(), bytes.size()));
}

}  // namespace knnseq::store

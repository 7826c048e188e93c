#include "store/shard_file.hpp"

#include <limits>
#include <map>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "store/hdf5_structure.hpp"
#include "store/sealed_json.hpp"
#include "store/stored_ranges.hpp"
#include "store/verify_rows.hpp"

namespace knnseq::store {

namespace fs = std::filesystem;

namespace {

std::string journal_prefix(const std::string& name) { return name + ".journal."; }

std::string owner_of(const ShardFile::Place& place) { return place.owner + "/" + place.name; }

fs::path structure_path(const fs::path& folder, const std::string& name) {
  return folder / (name + ".structure");
}

/// Records of all journals of a shard.
std::vector<core::Json> read_journals(const ShardFile::Place& place) {
  return Journal::read_all(place.folder, journal_prefix(place.name), owner_of(place),
                           [](const core::JsonField& record) {
                             record.at("unit").number(0, std::numeric_limits<int>::max());
                             for (const auto& range : record.at("ranges").elements()) {
                               require_range(range);
                             }
                           });
}

/// The file as it is created, and its description.
core::Json create(const fs::path& path, const ShardFile::Place& place, comm::Communicator& team,
                  const std::vector<DatasetSpec>& datasets, const FileLabel& label) {
  // Journals without a file would claim rows that are not there.
  comm::on_root(team, [&] { ShardFile::remove_journals(place.folder, place.name); });
  Hdf5File::create(path, team, datasets, label);
  core::Json structure;
  comm::on_root(team, [&] {
    structure = describe_structure(path);
    write_sealed(structure_path(place.folder, place.name), owner_of(place), structure);
  });
  return structure;
}

}  // namespace

ShardFile ShardFile::open(const Place& place, comm::Communicator& team,
                          const std::vector<DatasetSpec>& datasets, const FileLabel& label) {
  const fs::path path = place.folder / (place.name + ".h5");
  const fs::path structure_file = structure_path(place.folder, place.name);
  const bool there = team.all(!team.is_root() || (fs::exists(path) && fs::exists(structure_file)));
  core::Json structure;
  if (there) {
    comm::on_root(team, [&] {
      structure = read_sealed(structure_file, owner_of(place));
      verify_structure(path, structure);
    });
  } else {
    structure = create(path, place, team, datasets, label);
  }
  ShardFile shard(Hdf5File::open_for_writing(path, team), place);
  shard.structure_ = std::move(structure);
  for (const auto& spec : datasets) {
    if (spec.auxiliary) shard.auxiliary_.insert(spec.name);
  }
  comm::agree(team, [&] {
    for (const auto& spec : datasets) {
      if (shard.file_.shape(spec.name, spec.type, spec.shape.size()) != spec.shape) {
        throw core::InputError(path, fmt::format("dataset '{}' has another shape than this run "
                                                 "would give it; --force starts over",
                                                 spec.name));
      }
    }
    for (const auto& record : read_journals(place)) {
      shard.done_.insert(record.at("unit").get<std::int64_t>());
    }
  });
  team.barrier();  // all have read before any appends
  comm::agree(team, [&] {
    const auto name = fmt::format("{}{:04}", journal_prefix(place.name), team.rank());
    shard.journal_ = std::make_unique<Journal>(place.folder / name, owner_of(place));
  });
  return shard;
}

void ShardFile::write_bytes(const std::string& dataset, std::int64_t first_row,
                            std::span<const std::byte> bytes) {
  file_.write_bytes(dataset, first_row, bytes);
  pending_.push_back({{"dataset", dataset},
                      {"first_row", first_row},
                      {"bytes", bytes.size()},
                      {"checksum", range_checksum(bytes)}});
  if (auxiliary_.contains(dataset)) pending_.back()["aside"] = true;
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
    for (auto& record : read_journals(place_)) by_unit[record.at("unit")] = record.at("ranges");
    if (std::ssize(by_unit) == units && (units == 0 || by_unit.rbegin()->first == units - 1))
      return;
    throw core::InputError(place_.folder / journal_prefix(place_.name),
                           fmt::format("the journals do not hold the {} units of the shard once "
                                       "each; --force starts over",
                                       units));
  });
  core::Json ranges = core::Json::array();
  for (auto& [unit, of_unit] : by_unit) ranges.push_back(std::move(of_unit));
  return {{"structure", structure_}, {"units", std::move(ranges)}};
}

std::vector<std::string> ShardFile::damages(const Place& place) {
  const fs::path path = place.folder / (place.name + ".h5");
  core::Json units = core::Json::array();
  try {
    verify_structure(path, read_sealed(structure_path(place.folder, place.name), owner_of(place)));
    for (const auto& record : read_journals(place)) {
      units.push_back(record.at("ranges"));
    }
  } catch (const core::Error& e) {
    return {e.what()};
  }
  return damaged_rows(path, units);
}

void ShardFile::remove_journals(const fs::path& folder, const std::string& name) {
  fs::remove(structure_path(folder, name));
  for (const auto& path : files_with_prefix(folder, journal_prefix(name))) fs::remove(path);
}

}  // namespace knnseq::store

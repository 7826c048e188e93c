#include "stages/train/read_sample.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "comm/agreement.hpp"
#include "index/sample_assembly.hpp"
#include "runtime/shard_jobs.hpp"
#include "store/hdf5_file.hpp"

namespace knnseq::stages {

namespace {

using Half = std::uint16_t;

/// The sample rows of one unit of a shard.
struct Piece {
  std::int64_t shard = 0;
  core::Json keys;                    ///< range of sample_keys, as the manifest has it
  std::vector<std::int64_t> entries;  ///< their entry numbers
};

/// Reads this rank's shards piece by piece.
class OwnShards {
 public:
  OwnShards(comm::Communicator& comm, std::filesystem::path datastore, std::int64_t shards)
      : datastore_(std::move(datastore)) {
    for (std::int64_t shard = comm.rank(); shard < shards; shard += comm.size()) list(shard);
  }

  const std::vector<Piece>& pieces() const { return pieces_; }

  std::vector<std::int64_t> entries() const {
    std::vector<std::int64_t> all;
    for (const Piece& piece : pieces_) {
      all.insert(all.end(), piece.entries.begin(), piece.entries.end());
    }
    return all;
  }

  /// Keys [entries, width] of the number-th piece; none beyond the last.
  std::vector<Half> keys(std::size_t number) {
    if (number >= pieces_.size()) return {};
    const Piece& piece = pieces_[number];
    return read<Half>(piece.shard, piece.keys);
  }

 private:
  void list(std::int64_t shard) {
    const core::Json manifest = runtime::read_shard_manifest(datastore_, shard);
    for (const auto& unit : manifest.at("units")) {
      Piece piece;
      piece.shard = shard;
      for (const auto& range : unit) {
        if (range.at("dataset") == "sample_keys") piece.keys = range;
        if (range.at("dataset") == "sample_entries") {
          piece.entries = read<std::int64_t>(shard, range);
        }
      }
      if (!piece.entries.empty()) pieces_.push_back(std::move(piece));
    }
  }

  /// The values of a range, with their checksum compared.
  template <class T>
  std::vector<T> read(std::int64_t shard, const core::Json& range) {
    const auto path = datastore_ / (runtime::shard_name(shard) + ".h5");
    if (shard != open_) {
      file_.emplace(store::Hdf5File::open_for_reading(path));
      open_ = shard;
    }
    std::vector<T> values(range.at("bytes").get<std::size_t>() / sizeof(T));
    file_->read_rows(range.at("dataset").get<std::string>(),
                     range.at("first_row").get<std::int64_t>(), std::span(values));
    store::verify_range(path, range, std::as_bytes(std::span(values)));
    return values;
  }

  std::filesystem::path datastore_;
  std::vector<Piece> pieces_;
  std::int64_t open_ = -1;  ///< shard
  std::optional<store::Hdf5File> file_;
};

}  // namespace

index::SampleBlocks read_sample(comm::Communicator& comm, const std::filesystem::path& datastore,
                                std::int64_t shards, std::int64_t width) {
  std::optional<OwnShards> mine;
  comm::agree(comm, [&] { mine.emplace(comm, datastore, shards); });
  auto all_entries = comm.all_gather(std::span<const std::int64_t>(mine->entries())).values;
  std::sort(all_entries.begin(), all_entries.end());
  const auto place_of = [&](std::int64_t entry) {
    return std::lower_bound(all_entries.begin(), all_entries.end(), entry) - all_entries.begin();
  };

  index::SampleAssembly assembly(comm, std::ssize(all_entries), width, at::kHalf);
  const auto rounds = comm.all_reduce(std::ssize(mine->pieces()), comm::Reduction::max);
  for (std::size_t round = 0; std::cmp_less(round, rounds); ++round) {
    std::vector<Half> keys;
    comm::agree(comm, [&] { keys = mine->keys(round); });
    std::vector<std::int64_t> places;
    if (round < mine->pieces().size()) {
      for (const auto entry : mine->pieces()[round].entries) places.push_back(place_of(entry));
    }
    assembly.add(places, std::as_bytes(std::span<const Half>(keys)));
  }
  return assembly.finish();
}

}  // namespace knnseq::stages

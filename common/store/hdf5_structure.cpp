#include "store/hdf5_structure.hpp"

#include <algorithm>
#include <fstream>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/types.hpp"
#include "store/hdf5_call.hpp"
#include "store/stored_ranges.hpp"

namespace knnseq::store {

namespace fs = std::filesystem;

namespace {

/// The bytes of the file that hold the rows of each dataset, in their order.
std::vector<core::Range> rows_of(const fs::path& path) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  const Hdf5Handle access(KNNSEQ_HDF5(path, H5Pcreate, H5P_FILE_ACCESS), H5Pclose);
  KNNSEQ_HDF5(path, H5Pset_file_locking, access.id(), false, true);
  const Hdf5Handle file(KNNSEQ_HDF5(path, H5Fopen, path.c_str(), H5F_ACC_RDONLY, access.id()),
                        H5Fclose);
  H5G_info_t root;
  KNNSEQ_HDF5(path, H5Gget_info, file.id(), &root);
  std::vector<core::Range> rows;
  for (hsize_t i = 0; i < root.nlinks; ++i) {
    const Hdf5Handle dataset(KNNSEQ_HDF5(path, H5Oopen_by_idx, file.id(), ".", H5_INDEX_NAME,
                                         H5_ITER_INC, i, H5P_DEFAULT),
                             H5Oclose);
    const auto bytes = static_cast<std::int64_t>(H5Dget_storage_size(dataset.id()));
    if (bytes == 0) continue;
    const haddr_t at = H5Dget_offset(dataset.id());
    KNNSEQ_ASSERT(at != HADDR_UNDEF, path.string() + ": a dataset is not contiguous");
    rows.push_back({static_cast<std::int64_t>(at), static_cast<std::int64_t>(at) + bytes});
  }
  std::sort(rows.begin(), rows.end(),
            [](const core::Range& a, const core::Range& b) { return a.begin < b.begin; });
  return rows;
}

std::string checksum_of_bytes(const fs::path& path, core::Range range) {
  std::ifstream in(path, std::ios::binary);
  std::vector<char> bytes(range.size());
  in.seekg(range.begin);
  if (!in.read(bytes.data(), range.size())) throw core::InputError(path, "cannot be read");
  return fmt::format("{:016x}", core::checksum_of(std::span<const char>(bytes)));
}

}  // namespace

core::Json describe_structure(const fs::path& path) {
  const auto size = static_cast<std::int64_t>(fs::file_size(path));
  core::Json ranges = core::Json::array();
  std::int64_t at = 0;
  auto rows = rows_of(path);
  rows.push_back({size, size});
  for (const auto& range : rows) {
    if (at < range.begin) {
      ranges.push_back({{"first_byte", at},
                        {"bytes", range.begin - at},
                        {"checksum", checksum_of_bytes(path, {at, range.begin})}});
    }
    at = std::max(at, range.end);
  }
  return {{"bytes", size}, {"ranges", std::move(ranges)}};
}

void verify_structure(const fs::path& path, const core::Json& structure) {
  require_structure({path, structure, "structure"});
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) throw core::InputError(path, "does not exist");
  if (structure.at("bytes") != size) {
    throw core::InputError(path, fmt::format("is damaged: it has {} bytes instead of {}", size,
                                             structure.at("bytes").dump()));
  }
  for (const auto& range : structure.at("ranges")) {
    const std::int64_t begin = range.at("first_byte");
    const std::int64_t end = begin + range.at("bytes").get<std::int64_t>();
    if (range.at("checksum") == checksum_of_bytes(path, {begin, end})) continue;
    throw core::InputError(
        path, fmt::format("is damaged: its HDF5 structure in the bytes {} to {} does not match its "
                          "checksum",
                          begin, end - 1));
  }
}

}  // namespace knnseq::store

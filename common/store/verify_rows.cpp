#include "store/verify_rows.hpp"

#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/hash.hpp"

namespace knnseq::store {

std::string range_checksum(std::span<const std::byte> bytes) {
  return fmt::format("{:016x}", core::checksum(bytes));
}

void verify_range(const std::filesystem::path& file, const core::Json& range,
                  std::span<const std::byte> bytes) {
  if (range.at("bytes") == bytes.size() && range.at("checksum") == range_checksum(bytes)) return;
  throw core::InputError(file,
                         fmt::format("dataset '{}' is damaged from row {} on ({} bytes do not "
                                     "match their checksum); make it again with --force",
                                     range.at("dataset").get<std::string>(),
                                     range.at("first_row").get<std::int64_t>(), bytes.size()));
}

std::size_t bytes_of_range(const std::filesystem::path& file, const Hdf5File& hdf5,
                           const core::Json& range) {
  const auto bytes = range.at("bytes").get<std::int64_t>();
  if (bytes <= hdf5.bytes_of(range.at("dataset")).size()) return static_cast<std::size_t>(bytes);
  throw core::InputError(file, fmt::format("dataset '{}' does not have the {} bytes that were "
                                           "committed",
                                           range.at("dataset").get<std::string>(), bytes));
}

std::vector<std::string> damaged_rows(const std::filesystem::path& file, const core::Json& units) {
  const auto hdf5 = Hdf5File::open_for_reading(file);
  std::vector<std::string> damaged;
  std::vector<std::byte> bytes;
  for (const auto& unit : units) {
    for (const auto& range : unit) {
      try {
        bytes.resize(bytes_of_range(file, hdf5, range));
        hdf5.read_bytes(range.at("dataset"), range.at("first_row"), bytes);
        verify_range(file, range, bytes);
      } catch (const core::Error& e) {
        damaged.push_back(e.what());
      }
    }
  }
  return damaged;
}

}  // namespace knnseq::store

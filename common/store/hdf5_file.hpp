// HDF5 files of fixed size: created once on a communicator, then written at known offsets.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/types.hpp"

namespace knnseq::store {

enum class DataType { float16, uint8, int32, uint32, int64 };

/// One dataset of a file: contiguous, allocated early, never extended.
struct DatasetSpec {
  std::string name;
  DataType type = DataType::int64;
  std::vector<std::int64_t> shape;                ///< [rows] or [rows, columns]
  std::map<std::string, std::string> attributes;  ///< units, provenance
  /// Copies of rows that are elsewhere in the file: no part of what its stage's manifest stands
  /// for.
  bool aside = false;
};

/// An open HDF5 file. Reading and writing of rows is independent (not collective).
class Hdf5File {
 public:
  /// Creates the file with all datasets, without time stamps and without fill values, allocates its
  /// bytes on the disk and closes it. Until it is complete it has the name `path`.tmp. Collective
  /// on `comm`. Throws core::SystemError, for a full disk too.
  static void create(const std::filesystem::path& path, comm::Communicator& comm,
                     const std::vector<DatasetSpec>& datasets);
  /// Collective on `comm`: MPI-IO where it is MPI's, plain I/O where it is not.
  static Hdf5File open_for_writing(const std::filesystem::path& path, comm::Communicator& comm);
  /// Throws core::InputError where the file is missing or is no HDF5 file.
  static Hdf5File open_for_reading(const std::filesystem::path& path);

  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) noexcept;
  ~Hdf5File();

  /// Shape of a dataset. Throws core::InputError where it is missing.
  std::vector<std::int64_t> shape(const std::string& dataset) const;
  /// The bytes of the file that hold the dataset's rows, in their order; none of an empty one.
  /// Throws core::InputError where it is missing.
  core::Range bytes_of(const std::string& dataset) const;

  /// Writes rows [first_row, first_row + bytes / row bytes); the type must be the stored one.
  template <class T>
  void write_rows(const std::string& dataset, std::int64_t first_row, std::span<const T> values) {
    write_bytes(dataset, first_row, std::as_bytes(values));
  }
  /// Reads `values.size()` values (whole rows) from first_row on.
  template <class T>
  void read_rows(const std::string& dataset, std::int64_t first_row, std::span<T> values) const {
    read_bytes(dataset, first_row, std::as_writable_bytes(values));
  }
  template <class T>
  std::vector<T> read_all(const std::string& dataset) const {
    std::int64_t count = 1;
    for (const auto extent : shape(dataset)) count *= extent;
    std::vector<T> values(static_cast<std::size_t>(count));
    read_rows(dataset, 0, std::span<T>(values));
    return values;
  }
  void write_bytes(const std::string& dataset, std::int64_t first_row,
                   std::span<const std::byte> bytes);
  void read_bytes(const std::string& dataset, std::int64_t first_row,
                  std::span<std::byte> bytes) const;

  /// Makes what was written durable (fdatasync).
  void sync();
  /// Closes the file and reports what went wrong; collective where opening was.
  void close();

 private:
  struct State;
  explicit Hdf5File(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace knnseq::store

// HDF5 files of fixed size: created once on a communicator, then written at known offsets.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "comm/communicator.hpp"
#include "core/types.hpp"

namespace knnseq::store {

enum class DataType { float16, bfloat16, float32, uint8, int32, uint32, int64 };

/// The type whose values are read and written as T; uint16_t holds the bits of float16. (Those of
/// bfloat16 are read as bytes.)
template <class T>
constexpr DataType data_type_of() {
  if constexpr (std::is_same_v<T, std::uint16_t>) return DataType::float16;
  if constexpr (std::is_same_v<T, float>) return DataType::float32;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DataType::uint8;
  if constexpr (std::is_same_v<T, std::int32_t>) return DataType::int32;
  if constexpr (std::is_same_v<T, std::uint32_t>) return DataType::uint32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DataType::int64;
}

/// One dataset of a file: contiguous, allocated early, never extended.
struct DatasetSpec {
  std::string name;
  DataType type = DataType::int64;
  std::vector<std::int64_t> shape;                ///< [rows] or [rows, columns]
  std::map<std::string, std::string> attributes;  ///< units, provenance
  /// Copies of rows that are elsewhere in the file: not part of what its stage's manifest stands
  /// for.
  bool auxiliary = false;
};

/// What a file says of itself in attributes of its root, for people and other programs.
using FileLabel = std::map<std::string, std::string>;

/// {"format": "knnseq KIND", "version": that of manifests}, and more.
FileLabel make_label(const std::string& kind, const FileLabel& more = {});

/// An open HDF5 file. Reading and writing of rows is independent (not collective). A dataset must
/// be one that create() could have made: at the file's root and in the file itself, contiguous,
/// without filters, of one of the types, with one or two dimensions, whole. All functions that name
/// one throw core::InputError if it is missing or different, since the HDF5 library would follow
/// links to other files and convert what it finds.
class Hdf5File {
 public:
  /// Creates the file with all datasets, without time stamps and without fill values, allocates its
  /// bytes on the disk and closes it. Until it is complete it has the name `path`.tmp. Collective
  /// on `comm`. Throws core::SystemError, for a full disk too.
  static void create(const std::filesystem::path& path, comm::Communicator& comm,
                     const std::vector<DatasetSpec>& datasets, const FileLabel& label = {});
  /// Collective on `comm`: MPI-IO if it is MPI's, plain I/O if it is not.
  static Hdf5File open_for_writing(const std::filesystem::path& path, comm::Communicator& comm);
  /// Throws core::InputError if the file is missing or not an HDF5 file.
  static Hdf5File open_for_reading(const std::filesystem::path& path);

  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) noexcept;
  ~Hdf5File();

  /// The type of a dataset.
  DataType type_of(const std::string& dataset) const;
  /// Shape of a dataset, which must be of this type and have this many dimensions.
  std::vector<std::int64_t> shape(const std::string& dataset, DataType type,
                                  std::size_t dimensions) const;
  /// The bytes of the file that hold the dataset's rows, in their order; empty for an empty one.
  core::Range bytes_of(const std::string& dataset) const;
  /// Whether the file has a dataset of this name.
  bool has(const std::string& dataset) const;
  /// What create() made a dataset of, but for `auxiliary`, which the file does not say.
  DatasetSpec describe(const std::string& dataset) const;
  /// What create() was told of the file.
  FileLabel label() const;

  /// Writes rows [first_row, first_row + bytes / row bytes); the type must be the stored one.
  template <class T>
  void write_rows(const std::string& dataset, std::int64_t first_row, std::span<const T> values) {
    write_bytes(dataset, first_row, std::as_bytes(values));
  }
  /// Reads `values.size()` values (whole rows) from first_row on. Throws core::InputError if
  /// the dataset is of another type or has no such rows.
  template <class T>
  void read_rows(const std::string& dataset, std::int64_t first_row, std::span<T> values) const {
    require_type(dataset, data_type_of<T>());
    read_bytes(dataset, first_row, std::as_writable_bytes(values));
  }
  /// All values of a dataset, row by row.
  template <class T>
  std::vector<T> read_all(const std::string& dataset) const {
    std::vector<T> values(static_cast<std::size_t>(bytes_of(dataset).size()) / sizeof(T));
    read_rows(dataset, 0, std::span<T>(values));
    return values;
  }
  void write_bytes(const std::string& dataset, std::int64_t first_row,
                   std::span<const std::byte> bytes);
  /// Whole rows of any type. Throws core::InputError if the dataset has no such rows.
  void read_bytes(const std::string& dataset, std::int64_t first_row,
                  std::span<std::byte> bytes) const;

  /// Makes what was written durable (fdatasync).
  void sync();
  /// Closes the file and reports what went wrong; collective if opening was.
  void close();

 private:
  struct State;
  void require_type(const std::string& dataset, DataType type) const;
  explicit Hdf5File(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace knnseq::store

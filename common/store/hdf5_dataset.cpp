#include "store/hdf5_dataset.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::store {

namespace {

/// A floating-point type of 16 bits, which HDF5 has no name for: sign 1, exponent, mantissa.
Hdf5Handle short_float(const char* name, std::size_t exponent_bits, std::size_t bias) {
  const std::size_t mantissa_bits = 15 - exponent_bits;
  Hdf5Handle type(KNNSEQ_HDF5(name, H5Tcopy, H5T_IEEE_F32LE), H5Tclose);
  KNNSEQ_HDF5(name, H5Tset_fields, type.id(), 15, mantissa_bits, exponent_bits, 0, mantissa_bits);
  KNNSEQ_HDF5(name, H5Tset_size, type.id(), 2);
  KNNSEQ_HDF5(name, H5Tset_ebias, type.id(), bias);
  return type;
}

}  // namespace

Hdf5Handle stored_type(DataType type) {
  const auto copy = [](hid_t id) { return Hdf5Handle(KNNSEQ_HDF5("type", H5Tcopy, id), H5Tclose); };
  switch (type) {
    case DataType::float16:
      return short_float("float16", 5, 15);  // IEEE's, as h5py and NumPy name it
    case DataType::bfloat16:
      return short_float("bfloat16", 8, 127);  // the upper half of a float32
    case DataType::float32:
      return copy(H5T_IEEE_F32LE);
    case DataType::uint8:
      return copy(H5T_STD_U8LE);
    case DataType::int32:
      return copy(H5T_STD_I32LE);
    case DataType::uint32:
      return copy(H5T_STD_U32LE);
    case DataType::int64:
      return copy(H5T_STD_I64LE);
  }
  throw std::logic_error("unknown data type");
}

namespace {

/// Checks what a dataset must be; fills `found`.
class Opening {
 public:
  Opening(const std::filesystem::path& path, const std::string& name, Hdf5Dataset& found)
      : path_(path), name_(name), found_(found) {}

  /// A link to elsewhere is not followed.
  void open(hid_t file) {
    const bool plain = !name_.empty() && name_ != "." && name_.find('/') == name_.npos;
    if (!plain || H5Lexists(file, name_.c_str(), H5P_DEFAULT) <= 0) {
      throw core::InputError(path_, fmt::format("has no dataset '{}'", name_));
    }
    H5L_info_t link;
    require(H5Lget_info(file, name_.c_str(), &link, H5P_DEFAULT) >= 0 && link.type == H5L_TYPE_HARD,
            "is a link to elsewhere");
    const hid_t id = H5Dopen2(file, name_.c_str(), H5P_DEFAULT);
    require(id >= 0, "is not a dataset that can be opened");
    found_.handle = Hdf5Handle(id, H5Dclose);
  }

  void require_plain_layout() const {
    const Hdf5Handle properties(H5Dget_create_plist(found_.handle.id()), H5Pclose);
    require(H5Pget_layout(properties.id()) == H5D_CONTIGUOUS &&
                H5Pget_nfilters(properties.id()) == 0 &&
                H5Pget_external_count(properties.id()) == 0,
            "is not stored in one piece in the file");
  }

  void read_type() {
    const Hdf5Handle type(H5Dget_type(found_.handle.id()), H5Tclose);
    for (const auto known : {DataType::float16, DataType::bfloat16, DataType::float32,
                             DataType::uint8, DataType::int32, DataType::uint32, DataType::int64}) {
      if (H5Tequal(type.id(), stored_type(known).id()) <= 0) continue;
      found_.type = known;
      return;
    }
    require(false, "is of another type");
  }

  void read_shape() {
    const Hdf5Handle space(H5Dget_space(found_.handle.id()), H5Sclose);
    const int dimensions = H5Sget_simple_extent_ndims(space.id());
    require(
        H5Sget_simple_extent_type(space.id()) == H5S_SIMPLE && (dimensions == 1 || dimensions == 2),
        "has neither one dimension nor two");
    std::vector<hsize_t> extents(dimensions);
    std::vector<hsize_t> largest(extents.size());
    H5Sget_simple_extent_dims(space.id(), extents.data(), largest.data());
    require(extents == largest, "is not of fixed size");
    found_.shape.assign(extents.begin(), extents.end());
    read_bytes(extents);
  }

 private:
  void require(bool holds, const char* message) const {
    if (!holds) throw core::InputError(path_, fmt::format("dataset '{}' {}", name_, message));
  }

  /// All of its values must be where the library says.
  void read_bytes(const std::vector<hsize_t>& extents) {
    const auto file_bytes = static_cast<hsize_t>(std::filesystem::file_size(path_));
    hsize_t bytes = H5Tget_size(stored_type(found_.type).id());
    for (const auto extent : extents) {
      require(extent <= file_bytes, "is larger than the file");
      bytes = extent == 0 || bytes <= file_bytes / extent ? bytes * extent : file_bytes + 1;
      require(bytes <= file_bytes, "is larger than the file");
    }
    require(H5Dget_storage_size(found_.handle.id()) == bytes, "is not whole");
    if (bytes == 0) return;
    const haddr_t begin = H5Dget_offset(found_.handle.id());
    require(begin != HADDR_UNDEF && begin <= file_bytes - bytes, "is outside the file");
    found_.bytes = {static_cast<std::int64_t>(begin), static_cast<std::int64_t>(begin + bytes)};
  }

  const std::filesystem::path& path_;
  const std::string& name_;
  Hdf5Dataset& found_;
};

}  // namespace

Hdf5Dataset open_dataset(const std::filesystem::path& path, hid_t file, const std::string& name) {
  Hdf5Dataset found;
  Opening opening(path, name, found);
  opening.open(file);
  opening.require_plain_layout();
  opening.read_type();
  opening.read_shape();
  return found;
}

}  // namespace knnseq::store

#include "store/hdf5_file.hpp"

#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/agreement.hpp"
#include "comm/mpi_handle.hpp"
#include "core/error.hpp"
#include "core/own_files.hpp"
#include "store/hdf5_call.hpp"
#include "store/hdf5_dataset.hpp"
#include "store/manifest.hpp"

namespace knnseq::store {

namespace fs = std::filesystem;

/// The name of a file as MPI-IO can take it.
/// ROMIO takes what stands before a colon for the name of a file system, and Open MPI's shared file
/// pointers, which every file has, end the process if a path does not fit into 256 bytes. Such a
/// path is given as one below /proc/self/fd, which leads to the same folder as long as this object
/// lives; all others are given as they are.
class MpiPath {
 public:
  explicit MpiPath(const fs::path& path) : text_(path.string()) {
    constexpr std::size_t most_bytes = 128;  // Open MPI adds to it
    if (text_.size() <= most_bytes && text_.find(':') == std::string::npos) return;
    const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    folder_ = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder_ < 0) throw core::SystemError("open", folder, errno);
    text_ = fmt::format("/proc/self/fd/{}/{}", folder_, path.filename().string());
  }
  ~MpiPath() {
    if (folder_ >= 0) ::close(folder_);
  }
  MpiPath(const MpiPath&) = delete;
  MpiPath& operator=(const MpiPath&) = delete;

  const char* c_str() const { return text_.c_str(); }

 private:
  int folder_ = -1;
  std::string text_;
};

namespace {

/// Linux sometimes took 0.5 GB/s of writes of 32 MiB at a time into its page cache, where it
/// took 2.8 of these of these on the same disk.
constexpr std::int64_t write_bytes_at_once = std::int64_t{1} << 20;

/// MPI-IO if the communicator is MPI's, else plain I/O; no file locks (many file systems of
/// clusters have none), no time stamps.
Hdf5Handle access_properties(const comm::Communicator* comm) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // errors become exceptions, not prints
  Hdf5Handle access(KNNSEQ_HDF5("access", H5Pcreate, H5P_FILE_ACCESS), H5Pclose);
  const MPI_Comm handle = comm != nullptr ? comm::mpi_handle(*comm) : MPI_COMM_NULL;
  if (handle != MPI_COMM_NULL) {
    KNNSEQ_HDF5("access", H5Pset_fapl_mpio, access.id(), handle, MPI_INFO_NULL);
  } else {
    KNNSEQ_HDF5("access", H5Pset_file_locking, access.id(), false, true);
  }
  return access;
}

/// Texts that describe a dataset or a file.
void write_attributes(hid_t object, const std::map<std::string, std::string>& attributes) {
  for (const auto& [name, text] : attributes) {
    const Hdf5Handle text_type(KNNSEQ_HDF5(name, H5Tcopy, H5T_C_S1), H5Tclose);
    KNNSEQ_HDF5(name, H5Tset_size, text_type.id(), text.size() + 1);
    KNNSEQ_HDF5(name, H5Tset_cset, text_type.id(), H5T_CSET_UTF8);
    const Hdf5Handle scalar(KNNSEQ_HDF5(name, H5Screate, H5S_SCALAR), H5Sclose);
    const Hdf5Handle attribute(KNNSEQ_HDF5(name, H5Acreate2, object, name.c_str(), text_type.id(),
                                           scalar.id(), H5P_DEFAULT, H5P_DEFAULT),
                               H5Aclose);
    KNNSEQ_HDF5(name, H5Awrite, attribute.id(), text_type.id(), text.c_str());
  }
}

/// What write_attributes() wrote.
std::map<std::string, std::string> read_attributes(hid_t object, const std::string& place) {
  std::map<std::string, std::string> attributes;
  H5O_info_t info;
  KNNSEQ_HDF5(place, H5Oget_info, object, &info);
  for (hsize_t i = 0; i < info.num_attrs; ++i) {
    const Hdf5Handle attribute(KNNSEQ_HDF5(place, H5Aopen_by_idx, object, ".", H5_INDEX_NAME,
                                           H5_ITER_INC, i, H5P_DEFAULT, H5P_DEFAULT),
                               H5Aclose);
    const Hdf5Handle type(KNNSEQ_HDF5(place, H5Aget_type, attribute.id()), H5Tclose);
    const Hdf5Handle space(KNNSEQ_HDF5(place, H5Aget_space, attribute.id()), H5Sclose);
    const bool text = H5Tget_class(type.id()) == H5T_STRING && H5Tis_variable_str(type.id()) == 0 &&
                      H5Sget_simple_extent_npoints(space.id()) == 1;
    if (!text) throw core::InputError(place, "has an attribute that is no text of knnseq");
    const auto name_size = KNNSEQ_HDF5(place, H5Aget_name, attribute.id(), std::size_t{0}, nullptr);
    std::string name(static_cast<std::size_t>(name_size), '\0');
    KNNSEQ_HDF5(place, H5Aget_name, attribute.id(), name.size() + 1, name.data());
    std::string value(H5Tget_size(type.id()), '\0');
    KNNSEQ_HDF5(place, H5Aread, attribute.id(), type.id(), value.data());
    attributes[name] = value.c_str();  // without what fills it up
  }
  return attributes;
}

void create_dataset(hid_t file, const DatasetSpec& spec) {
  const std::vector<hsize_t> shape(spec.shape.begin(), spec.shape.end());
  const Hdf5Handle space(KNNSEQ_HDF5(spec.name, H5Screate_simple, static_cast<int>(shape.size()),
                                     shape.data(), nullptr),
                         H5Sclose);
  const Hdf5Handle properties(KNNSEQ_HDF5(spec.name, H5Pcreate, H5P_DATASET_CREATE), H5Pclose);
  KNNSEQ_HDF5(spec.name, H5Pset_layout, properties.id(), H5D_CONTIGUOUS);
  KNNSEQ_HDF5(spec.name, H5Pset_alloc_time, properties.id(), H5D_ALLOC_TIME_EARLY);
  KNNSEQ_HDF5(spec.name, H5Pset_fill_time, properties.id(), H5D_FILL_TIME_NEVER);
  KNNSEQ_HDF5(spec.name, H5Pset_obj_track_times, properties.id(), false);
  const Hdf5Handle type = stored_type(spec.type);
  const Hdf5Handle dataset(KNNSEQ_HDF5(spec.name, H5Dcreate2, file, spec.name.c_str(), type.id(),
                                       space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
                           H5Dclose);
  write_attributes(dataset.id(), spec.attributes);
}

/// MPI-IO does not say that a write failed for lack of space, so that is checked before.
void require_space(const fs::path& path, const std::vector<DatasetSpec>& datasets) {
  constexpr std::uintmax_t structure_bytes = 16384;  // more than all that is not a row
  std::uintmax_t needed = structure_bytes;
  for (const auto& spec : datasets) {
    std::uintmax_t bytes = H5Tget_size(stored_type(spec.type).id());
    for (const auto extent : spec.shape) bytes *= static_cast<std::uintmax_t>(extent);
    needed += bytes;
  }
  std::error_code error;
  const auto space = fs::space(path.parent_path(), error);
  if (error || space.available >= needed) return;  // a file system that does not say
  throw core::SystemError(fmt::format("{} bytes are needed, {} are free", needed, space.available),
                          path, ENOSPC);
}

/// HDF5's early allocation leaves a sparse file: a full disk would be noticed hours later.
void allocate_on_disk(const fs::path& path) {
  const int fd = core::open_own_file(path, O_RDWR);
  struct stat info {};
  int failed = ::fstat(fd, &info) != 0 ? errno : 0;
  if (failed == 0 && info.st_size > 0) failed = ::posix_fallocate(fd, 0, info.st_size);
  if (failed == EOPNOTSUPP || failed == EINVAL) failed = 0;  // a file system without it
  if (failed == 0 && ::fsync(fd) != 0) failed = errno;
  ::close(fd);
  if (failed != 0) {
    throw core::SystemError(fmt::format("allocating {} bytes", info.st_size), path, failed);
  }
}

}  // namespace

FileLabel make_label(const std::string& kind, const FileLabel& more) {
  FileLabel label = {{"format", "knnseq " + kind}, {"version", std::to_string(manifest_version)}};
  label.insert(more.begin(), more.end());
  return label;
}

struct Hdf5File::State {
  fs::path path;
  std::optional<MpiPath> mpi_path;  ///< if it is open for writing
  Hdf5Handle file;
  std::map<std::string, Hdf5Dataset> datasets;
  int fd = -1;                               ///< for fdatasync
  std::shared_ptr<comm::Watchdog> watchdog;  ///< if opening and closing are collective

  /// Closes what close() did not. If that would be collective it is left open: an exception may
  /// be unwinding this rank alone, and the others would wait for ever.
  ~State() {
    if (fd >= 0) ::close(fd);
    if (watchdog == nullptr) return;
    for (auto& [name, dataset] : datasets) dataset.handle.release();
    file.release();
  }
  std::string place_of(const std::string& name) const { return path.string() + "/" + name; }

  const Hdf5Dataset& dataset(const std::string& name) {
    auto found = datasets.find(name);
    if (found == datasets.end()) {
      found = datasets.emplace(name, open_dataset(path, file.id(), name)).first;
    }
    return found->second;
  }
  /// Rows that `bytes` bytes fill; −1 if these are not whole rows, or the dataset does not have
  /// them.
  static std::int64_t rows_in(const Hdf5Dataset& dataset, std::int64_t first_row,
                              std::size_t bytes) {
    const auto row_bytes = dataset.row_bytes();
    const auto size = static_cast<std::int64_t>(bytes);
    if (row_bytes == 0 || size % row_bytes != 0 || first_row < 0) return -1;
    const auto rows = size / row_bytes;
    return rows <= dataset.shape[0] && first_row <= dataset.shape[0] - rows ? rows : -1;
  }
  /// Rows of a dataset as a selection in its space; also gives the dataset's own type.
  struct Selection {
    Hdf5Handle file_space, memory_space, type;
  };
  Selection select(const std::string& name, std::int64_t first_row, std::int64_t rows) {
    const Hdf5Dataset& found = dataset(name);
    const std::string object = place_of(name);
    Selection selection;
    selection.type = Hdf5Handle(KNNSEQ_HDF5(object, H5Dget_type, found.handle.id()), H5Tclose);
    selection.file_space =
        Hdf5Handle(KNNSEQ_HDF5(object, H5Dget_space, found.handle.id()), H5Sclose);
    std::vector<hsize_t> start(found.shape.size(), 0);
    std::vector<hsize_t> count(found.shape.begin(), found.shape.end());
    start[0] = static_cast<hsize_t>(first_row);
    count[0] = static_cast<hsize_t>(rows);
    KNNSEQ_HDF5(object, H5Sselect_hyperslab, selection.file_space.id(), H5S_SELECT_SET,
                start.data(), nullptr, count.data(), nullptr);
    selection.memory_space =
        Hdf5Handle(KNNSEQ_HDF5(object, H5Screate_simple, static_cast<int>(count.size()),
                               count.data(), nullptr),
                   H5Sclose);
    return selection;
  }
};

Hdf5File::Hdf5File(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File& Hdf5File::operator=(Hdf5File&&) noexcept = default;
Hdf5File::~Hdf5File() = default;

void Hdf5File::create(const fs::path& path, comm::Communicator& comm,
                      const std::vector<DatasetSpec>& datasets, const FileLabel& label) {
  const fs::path temporary = path.string() + ".tmp";
  comm::on_root(comm, [&] {
    require_space(path, datasets);
    core::remove_own_file(temporary);  // left by a kill: H5F_ACC_EXCL follows no link
  });
  const auto watchdog = comm::watchdog_of(comm);
  comm::agree(comm, [&] {
    const comm::Watchdog::Guard guard(watchdog.get(), "creating an HDF5 file");
    const MpiPath mpi_path(temporary);
    const Hdf5Handle access = access_properties(&comm);
    const Hdf5Handle creation(KNNSEQ_HDF5(path, H5Pcreate, H5P_FILE_CREATE), H5Pclose);
    KNNSEQ_HDF5(path, H5Pset_obj_track_times, creation.id(), false);
    Hdf5Handle file(
        KNNSEQ_HDF5(path, H5Fcreate, mpi_path.c_str(), H5F_ACC_EXCL, creation.id(), access.id()),
        H5Fclose);
    try {
      write_attributes(file.id(), label);
      for (const auto& spec : datasets) create_dataset(file.id(), spec);
      KNNSEQ_HDF5(path, H5Fflush, file.id(), H5F_SCOPE_GLOBAL);
    } catch (...) {  // as in ~State: closing is collective
      if (watchdog != nullptr) file.release();
      throw;
    }
    check_hdf5(file.close(), "H5Fclose", path);
  });
  comm::on_root(comm, [&] {
    allocate_on_disk(temporary);
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      throw core::SystemError("rename to", path, errno);
    }
  });
}

Hdf5File Hdf5File::open_for_writing(const fs::path& path, comm::Communicator& comm) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->watchdog = comm::watchdog_of(comm);
  comm.barrier();
  comm::agree(comm, [&] {
    state->mpi_path.emplace(path);
    state->fd = core::open_own_file(path, O_RDWR);
  });
  comm::agree(comm, [&] {
    const comm::Watchdog::Guard guard(state->watchdog.get(), "opening an HDF5 file");
    const Hdf5Handle access = access_properties(&comm);
    state->file = Hdf5Handle(
        KNNSEQ_HDF5(path, H5Fopen, state->mpi_path->c_str(), H5F_ACC_RDWR, access.id()), H5Fclose);
  });
  return Hdf5File(std::move(state));
}

Hdf5File Hdf5File::open_for_reading(const fs::path& path) {
  if (!fs::is_regular_file(path)) throw core::InputError(path, "does not exist");
  auto state = std::make_unique<State>();
  state->path = path;
  const Hdf5Handle access = access_properties(nullptr);
  const hid_t id = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id());
  if (id < 0) throw core::InputError(path, "is not a readable HDF5 file");
  state->file = Hdf5Handle(id, H5Fclose);
  return Hdf5File(std::move(state));
}

DataType Hdf5File::type_of(const std::string& dataset) const {
  return state_->dataset(dataset).type;
}

void Hdf5File::require_type(const std::string& dataset, DataType type) const {
  if (state_->dataset(dataset).type == type) return;
  throw core::InputError(state_->path, fmt::format("dataset '{}' is of another type", dataset));
}

std::vector<std::int64_t> Hdf5File::shape(const std::string& dataset, DataType type,
                                          std::size_t dimensions) const {
  require_type(dataset, type);
  const auto& shape = state_->dataset(dataset).shape;
  if (shape.size() == dimensions) return shape;
  throw core::InputError(state_->path, fmt::format("dataset '{}' has {} dimensions instead of {}",
                                                   dataset, shape.size(), dimensions));
}

core::Range Hdf5File::bytes_of(const std::string& dataset) const {
  return state_->dataset(dataset).bytes;
}

bool Hdf5File::has(const std::string& dataset) const {
  return H5Lexists(state_->file.id(), dataset.c_str(), H5P_DEFAULT) > 0;
}

DatasetSpec Hdf5File::describe(const std::string& dataset) const {
  const auto& found = state_->dataset(dataset);
  return {dataset, found.type, found.shape,
          read_attributes(found.handle.id(), state_->place_of(dataset))};
}

FileLabel Hdf5File::label() const {
  return read_attributes(state_->file.id(), state_->path.string());
}

void Hdf5File::write_bytes(const std::string& dataset, std::int64_t first_row,
                           std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  const auto rows = State::rows_in(state_->dataset(dataset), first_row, bytes.size());
  KNNSEQ_ASSERT(rows >= 0, state_->place_of(dataset) + ": rows outside the dataset");
  const auto row_bytes = static_cast<std::int64_t>(bytes.size()) / rows;
  const auto step = std::max<std::int64_t>(write_bytes_at_once / row_bytes, 1);
  for (std::int64_t row = 0; row < rows; row += step) {
    const auto selection = state_->select(dataset, first_row + row, std::min(step, rows - row));
    KNNSEQ_HDF5(state_->place_of(dataset), H5Dwrite, state_->dataset(dataset).handle.id(),
                selection.type.id(), selection.memory_space.id(), selection.file_space.id(),
                H5P_DEFAULT, bytes.data() + row * row_bytes);
  }
}

void Hdf5File::read_bytes(const std::string& dataset, std::int64_t first_row,
                          std::span<std::byte> bytes) const {
  if (bytes.empty()) return;
  const auto rows = State::rows_in(state_->dataset(dataset), first_row, bytes.size());
  if (rows < 0) {
    throw core::InputError(
        state_->path, fmt::format("dataset '{}' does not have the {} bytes from row {} on", dataset,
                                  bytes.size(), first_row));
  }
  const auto selection = state_->select(dataset, first_row, rows);
  KNNSEQ_HDF5(state_->place_of(dataset), H5Dread, state_->dataset(dataset).handle.id(),
              selection.type.id(), selection.memory_space.id(), selection.file_space.id(),
              H5P_DEFAULT, bytes.data());
}

void Hdf5File::sync() {
  if (::fdatasync(state_->fd) != 0) throw core::SystemError("fdatasync", state_->path, errno);
}

void Hdf5File::close() {
  for (auto& [name, dataset] : state_->datasets) {
    check_hdf5(dataset.handle.close(), "H5Dclose", state_->place_of(name));
  }
  state_->datasets.clear();
  const comm::Watchdog::Guard guard(state_->watchdog.get(), "closing an HDF5 file");
  check_hdf5(state_->file.close(), "H5Fclose", state_->path);
}

}  // namespace knnseq::store

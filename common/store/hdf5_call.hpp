// The one place where HDF5's return codes are checked, and handles that close themselves.
#pragma once

#include <string>
#include <utility>

#include <hdf5.h>

namespace knnseq::store {

/// Throws core::SystemError with the call, the object and HDF5's innermost message.
[[noreturn]] void hdf5_failed(const char* call, const std::string& object);

/// Passes a non-negative result on; throws as above for a negative one.
template <class T>
T check_hdf5(T result, const char* call, const std::string& object) {
  if (result < 0) hdf5_failed(call, object);
  return result;
}

/// Owns an HDF5 identifier. The destructor closes silently; files are closed explicitly.
class Hdf5Handle {
 public:
  using Closer = herr_t (*)(hid_t);
  Hdf5Handle() = default;
  Hdf5Handle(hid_t id, Closer closer) : id_(id), closer_(closer) {}
  Hdf5Handle(Hdf5Handle&& other) noexcept
      : id_(std::exchange(other.id_, -1)), closer_(other.closer_) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(closer_, other.closer_);
    return *this;
  }
  ~Hdf5Handle() {
    if (id_ >= 0) closer_(id_);
  }
  hid_t id() const { return id_; }
  /// Gives the identifier up without closing it.
  void release() { id_ = -1; }
  /// Closes now and returns HDF5's code.
  herr_t close() { return id_ >= 0 ? closer_(std::exchange(id_, -1)) : 0; }

 private:
  hid_t id_ = -1;
  Closer closer_ = nullptr;
};

}  // namespace knnseq::store

/// KNNSEQ_HDF5(path, H5Dopen2, file, name, H5P_DEFAULT): calls and checks.
#define KNNSEQ_HDF5(object, function, ...) \
  ::knnseq::store::check_hdf5(function(__VA_ARGS__), #function, object)

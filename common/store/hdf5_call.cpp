#include "store/hdf5_call.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::store {

void hdf5_failed(const char* call, const std::string& object) {
  std::string reason = "no reason given";
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_DOWNWARD,
      [](unsigned, const H5E_error2_t* error, void* into) -> herr_t {
        if (error->desc != nullptr) *static_cast<std::string*>(into) = error->desc;
        return 0;
      },
      &reason);
  // The text of a failed system call comes last, after times, addresses and line ends.
  const std::string mark = "error message = '";
  if (const auto at = reason.find(mark); at != reason.npos) {
    const auto begin = at + mark.size();
    reason = reason.substr(0, reason.find(':')) + ": " +
             reason.substr(begin, reason.find('\'', begin) - begin);
  }
  throw core::SystemError(fmt::format("{}: {}: {}", object, call, core::first_line(reason)));
}

}  // namespace knnseq::store

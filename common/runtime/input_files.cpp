#include "runtime/input_files.hpp"

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/file_identity.hpp"

namespace knnseq::runtime {

namespace {

core::fs::path path_of(const core::Json& stamp) { return stamp.at("path").get<std::string>(); }

bool is_same(const core::Json& stamp, const core::Json& identity,
             std::initializer_list<const char*> names) {
  return std::all_of(names.begin(), names.end(),
                     [&](const char* name) { return stamp.at(name) == identity.at(name); });
}

}  // namespace

void require_unchanged_inputs(StageContext& context) {
  comm::agree(context.comm, [&] {
    for (const auto& stamp : context.input_stamps) {
      const auto now = core::file_identity(path_of(stamp));
      if (is_same(stamp, now, {"bytes", "modified_ns", "changed_ns", "inode", "device"})) continue;
      throw core::InputError(now.at("path"), "has changed while it was being read; run again");
    }
  });
}

void require_unedited_inputs(const StageContext& context) {
  for (const auto& stamp : context.input_stamps) {
    const auto path = path_of(stamp);
    if (!core::fs::exists(path)) continue;
    if (!is_same(stamp, core::file_identity(path), {"inode", "device"})) continue;
    if (core::stamp_file(path, stamp).at("fingerprint") == stamp.at("fingerprint")) continue;
    throw core::InputError(path,
                           "was edited while the stage was at work, which therefore starts "
                           "over; run again");
  }
}

}  // namespace knnseq::runtime

#include "store/sealed_json.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "store/json_numbers.hpp"

namespace knnseq::store {

namespace {

core::Json seal_of(const core::Json& object, const std::string& owner) {
  return core::fingerprint(owner + "\n" + object.dump());
}

}  // namespace

void write_sealed(const std::filesystem::path& path, const std::string& owner, core::Json object) {
  require_finite(object);
  object["checksum"] = seal_of(object, owner);
  core::write_file_durably(path, object.dump() + "\n");
}

core::Json read_sealed(const std::filesystem::path& path, const std::string& owner) {
  core::Json object = core::read_json(path);
  const core::Json seal =
      object.is_object() ? object.value("checksum", core::Json()) : core::Json();
  if (!seal.is_null()) object.erase("checksum");
  if (seal.is_null() || seal != seal_of(object, owner)) {
    throw core::InputError(path, "is damaged (its content does not match its checksum)");
  }
  check_counts(object, path);
  return object;
}

}  // namespace knnseq::store

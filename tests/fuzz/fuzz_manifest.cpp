// Manifests and sealed files: any bytes, then the same JSON with version and checksum set right, of
// which the reader has to take all that it accepts.
#include <string>

#include "core/hash.hpp"
#include "core/parse_json.hpp"
#include "fuzz.hpp"
#include "memory_file.hpp"
#include "store/manifest.hpp"
#include "store/sealed_json.hpp"

using namespace knnseq;

namespace {

void read_whole(const std::string& content) {
  const fuzz::MemoryFile file(content);
  const auto manifest = store::read_manifest(file.path());
  fuzz::require(manifest.has_value(), "there is a file");
  const auto& inputs = manifest->inputs;
  fuzz::require(store::describe_changes(inputs, inputs).empty(), "nothing changed");
  const auto& content_part = manifest->content;
  store::describe_changes(inputs, content_part);
  const auto again = store::make_manifest(manifest->stage, inputs, content_part);
  fuzz::require(again.at("version") == store::manifest_version, "a manifest can be made of it");
}

constexpr const char* owner = "shard 7";

core::Json read_seal(const std::string& content) {
  const fuzz::MemoryFile file(content);
  return store::read_sealed(file.path(), owner);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::as_text(data, size);
  fuzz::read([&] { read_whole(std::string(text)); });
  fuzz::read([&] { read_seal(std::string(text)); });
  fuzz::read([&] {
    core::Json json = core::parse_json(text, "input");
    if (!json.is_object()) return;
    json.erase("checksum");
    core::Json sealed = json;
    sealed["checksum"] = core::fingerprint(std::string(owner) + "\n" + json.dump());
    fuzz::require(read_seal(sealed.dump()) == json, "what was sealed is read back");
  });
  fuzz::read([&] {
    core::Json json = core::parse_json(text, "input");
    if (!json.is_object()) return;
    json.erase("checksum");
    json["version"] = store::manifest_version;
    json["checksum"] = core::fingerprint(json.dump());
    read_whole(json.dump());
  });
  return 0;
}

#include "text/pieces/tokenizer_json.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::text {

using core::Json;
namespace fs = std::filesystem;

Json read_object(const fs::path& path) {
  if (!fs::exists(path)) return Json::object();
  Json json = core::read_json(path);
  if (!json.is_object()) throw core::InputError(path, "must be an object");
  return json;
}

void read_flag(const Json& json, const fs::path& path, const char* key, bool& value) {
  if (!json.contains(key) || json[key].is_null()) return;
  if (!json[key].is_boolean()) {
    throw core::InputError(path, fmt::format("'{}' must be true or false", key));
  }
  value = json[key].get<bool>();
}

std::string token_text(const Json& value, const fs::path& path, const std::string& key) {
  const Json& text = value.is_object() && value.contains("content") ? value["content"] : value;
  if (!text.is_string() || text.get_ref<const std::string&>().empty()) {
    throw core::InputError(path, fmt::format("'{}' must be a token", key));
  }
  return text.get<std::string>();
}

void refuse_sampling(const Json& json, const fs::path& path) {
  if (json.contains("sp_model_kwargs") && !json["sp_model_kwargs"].empty()) {
    throw core::InputError(path, "'sp_model_kwargs' is not supported");
  }
}

}  // namespace knnseq::text

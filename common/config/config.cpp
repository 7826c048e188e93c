#include "config/config.hpp"

#include "config/yaml_document.hpp"
#include "core/error.hpp"
#include "core/input_file.hpp"

namespace knnseq::config {

Config Config::load(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  return parse(core::read_whole(file, most_config_bytes), file.string(), overrides);
}

Config Config::parse(const std::string& text, const std::string& name,
                     const std::vector<std::string>& overrides) {
  return Config(parse_yaml(text, name, overrides));
}

Section Config::root() const { return {state_, state_->root}; }

std::vector<std::filesystem::path> Config::included() const {
  std::vector<std::filesystem::path> paths;
  for (std::size_t i = 1; i < state_->files.size(); ++i) paths.push_back(state_->files[i].name);
  return paths;
}

std::vector<std::string> Config::notices() const { return state_->notices; }

std::vector<KnownKey> Config::known() const { return known_keys(*state_->root); }

void Config::finish() const {
  note_unknown_keys(*state_, *state_->root);
  if (!state_->problems.empty()) throw core::InputError(state_->problems);
}

std::string Config::resolved() const { return emit(*state_->root); }

std::string Config::explained() const { return emit_with_origins(*state_); }

}  // namespace knnseq::config

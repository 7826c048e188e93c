// The config's keys as a JSON schema, for editors.
#pragma once

#include <span>

#include "config/config.hpp"

namespace knnseq::stages {

/// JSON schema (draft 2020-12) of a config with these keys: types, ranges, names, defaults, and
/// which are required. docs/config.schema.json is that of config_keys().
core::Json config_schema(std::span<const config::KnownKey> keys);

}  // namespace knnseq::stages

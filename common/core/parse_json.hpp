// Parses untrusted JSON.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace knnseq::core {

/// How deeply parse_json lets arrays and objects nest. Values are copied, compared and
/// dumped by recursion, so that without a limit a file could overflow the stack.
inline constexpr int deepest_json = 100;

/// `where` names the file in errors. Throws InputError if the text is malformed or nested too
/// deeply. Values of the key `without`, at any depth, are read but not kept.
nlohmann::json parse_json(std::string_view text, const std::string& where,
                          std::string_view without = {});

}  // namespace knnseq::core

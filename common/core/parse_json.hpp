// Parses JSON that came from outside.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace knnseq::core {

/// Arrays and objects inside one another that parse_json takes. Values are copied, compared and
/// dumped by recursion, so that without a limit a file could overflow the stack.
inline constexpr int deepest_json = 100;

/// `where` names the file in errors. Throws InputError where the text is malformed or nested too
/// deeply. Values of a key `without`, wherever it stands, are read but not kept.
nlohmann::json parse_json(std::string_view text, const std::string& where,
                          std::string_view without = {});

}  // namespace knnseq::core

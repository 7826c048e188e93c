// Text that is compressed.
#pragma once

#include <string>
#include <string_view>

namespace knnseq::text {

/// As gzip has it (RFC 1952); the same bytes each time.
std::string encode_gzip(std::string_view text);

}  // namespace knnseq::text

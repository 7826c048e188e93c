// The header of a safetensors file: names, dtypes, shapes and places of its tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace knnseq::model {

struct SafetensorsEntry {
  std::string dtype;                ///< as in the file: "F16", "BF16", …
  std::vector<std::int64_t> shape;  ///< row major
  std::size_t begin = 0;            ///< bytes from the start of the file
  std::size_t bytes = 0;
};

/// Bytes of one element; 0 for a dtype that is not supported.
std::size_t safetensors_element_bytes(const std::string& dtype);

/// Reads and checks the header: 8 bytes length (little endian), JSON, then the data, which the
/// tensors fill without gaps or overlaps (safetensors format, github.com/huggingface/safetensors).
/// `file` is only named in errors. Throws InputError naming file and tensor; tensors of unknown
/// dtype pass here, so that they are refused only if somebody asks for them.
std::map<std::string, SafetensorsEntry> parse_safetensors_header(std::span<const std::byte> bytes,
                                                                 const std::string& file);

}  // namespace knnseq::model

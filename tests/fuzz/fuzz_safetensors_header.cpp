// The header of safetensors files: all tensors lie inside the file and fit their shapes.
#include <algorithm>
#include <string>

#include "fuzz.hpp"
#include "model/safetensors/safetensors_header.hpp"

using namespace knnseq;

namespace {

void try_file(std::string_view file) {
  fuzz::read([&] {
    std::size_t tensor_bytes = 0;
    for (const auto& [name, entry] :
         model::parse_safetensors_header(std::as_bytes(std::span(file)), "input")) {
      fuzz::require(entry.begin >= 8 && entry.begin <= file.size(), "a tensor begins in the file");
      fuzz::require(entry.bytes <= file.size() - entry.begin, "a tensor ends in the file");
      tensor_bytes += entry.bytes;
      std::size_t bytes = model::safetensors_element_bytes(entry.dtype);
      if (bytes == 0) continue;
      for (const auto size : entry.shape) bytes *= static_cast<std::size_t>(size);
      fuzz::require(bytes == entry.bytes, "a tensor fits its shape");
    }
    fuzz::require(tensor_bytes <= file.size(), "no two tensors overlap");
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::as_text(data, size);
  try_file(input);
  // Changing the JSON rarely keeps the lengths right, so once more with right lengths: all is
  // header, and as many bytes of data follow as its first two bytes say.
  if (size < 2) return 0;
  const auto json = input.substr(2);
  std::string file(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(json.size() >> (8 * i) & 0xFF);
  file += json;
  file.append(data[0] + 256u * data[1], '\0');
  try_file(file);
  return 0;
}

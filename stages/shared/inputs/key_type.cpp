#include "stages/shared/inputs/key_type.hpp"

#include <bit>
#include <stdexcept>

namespace knnseq::stages {

static_assert(std::endian::native == std::endian::little);

store::DataType data_type_of(KeyType type) {
  switch (type) {
    case KeyType::fp16:
      return store::DataType::float16;
    case KeyType::fp32:
      return store::DataType::float32;
    case KeyType::bf16:
      return store::DataType::bfloat16;
  }
  throw std::logic_error("unknown type of keys");
}

at::ScalarType scalar_type_of(KeyType type) { return scalar_type_of(data_type_of(type)); }

at::ScalarType scalar_type_of(store::DataType type) {
  switch (type) {
    case store::DataType::float16:
      return at::kHalf;
    case store::DataType::bfloat16:
      return at::kBFloat16;
    case store::DataType::float32:
      return at::kFloat;
    default:
      throw std::logic_error("no floating-point type");
  }
}

std::span<const std::byte> bytes_of(const at::Tensor& values) {
  return {static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()};
}

}  // namespace knnseq::stages

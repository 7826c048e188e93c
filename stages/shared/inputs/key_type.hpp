// What keys are stored as, in files and in memory.
#pragma once

#include <span>

#include <ATen/core/Tensor.h>

#include "stages/shared/options/options.hpp"
#include "store/hdf5_file.hpp"

namespace knnseq::stages {

store::DataType data_type_of(KeyType type);
at::ScalarType scalar_type_of(KeyType type);
/// Of float16, bfloat16 and float32; throws std::logic_error for others.
at::ScalarType scalar_type_of(store::DataType type);

/// The bytes of a contiguous tensor's values, as files take them (little-endian).
std::span<const std::byte> bytes_of(const at::Tensor& values);

}  // namespace knnseq::stages

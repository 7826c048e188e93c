// For kernels: what the file that includes this is compiled for. knnseq_kernels() of
// scripts/cmake/Modules.cmake compiles a kernel's file once for each instruction set, with
// KNNSEQ_INSTRUCTION_SET as its name.
//
// Such a file keeps to what is always inlined or has internal linkage, the compiler's builtins and
// its own anonymous namespace. Of anything else that is inline (std::min, std::vector) the linker
// would keep one copy for the whole program, perhaps one that this CPU cannot run.
#pragma once

#include "core/instruction_set.hpp"

namespace knnseq::core {

constexpr InstructionSet compiled_for = InstructionSet::KNNSEQ_INSTRUCTION_SET;

/// Floats in a vector register.
constexpr int float_lanes = compiled_for >= InstructionSet::avx512 ? 16
                            : compiled_for == InstructionSet::avx2 ? 8
                                                                   : 4;

}  // namespace knnseq::core

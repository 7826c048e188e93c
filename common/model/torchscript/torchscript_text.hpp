// Messages about TorchScript; for the .cpp files of this module.
#pragma once

#include <exception>
#include <string>

namespace c10 {
struct FunctionSchema;
}

namespace knnseq::model {

/// Types of a method's arguments and result: "(Tensor, bool) -> Tensor".
std::string describe(const c10::FunctionSchema& schema);

/// The line of the interpreter's message that says what went wrong.
std::string what_failed(const std::exception& error);

}  // namespace knnseq::model

#include "model/torchscript/torchscript_text.hpp"

#include <string_view>

#include <ATen/core/function_schema.h>
#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::model {

std::string describe(const c10::FunctionSchema& schema) {
  std::string arguments;
  for (std::size_t i = 1; i < schema.arguments().size(); ++i) {  // 0 is self
    arguments += (i > 1 ? ", " : "") + schema.arguments()[i].type()->annotation_str();
  }
  return fmt::format("({}) -> {}", arguments, schema.returns().at(0).type()->annotation_str());
}

std::string what_failed(const std::exception& error) {
  const std::string text = error.what();
  constexpr std::string_view mark = "Error: ";
  const auto trace = text.find("Traceback of TorchScript");
  const auto found = trace == std::string::npos ? trace : text.find(mark, trace);
  return core::first_line(found == std::string::npos ? text : text.substr(found + mark.size()));
}

}  // namespace knnseq::model

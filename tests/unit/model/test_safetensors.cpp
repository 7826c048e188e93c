// Sound files are read, damaged ones are refused with file and tensor named.
#include <cstring>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "model/families/weight_reader.hpp"
#include "model/safetensors/safetensors.hpp"
#include "support/temporary_folder.hpp"

namespace knnseq::model {

namespace {

using Catch::Contains;

std::string length_prefix(std::uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, bytes.size());
  return bytes;
}

std::string file_of(const std::string& header, const std::string& data) {
  return length_prefix(header.size()) + header + data;
}

/// One tensor "w" with this description, over 16 bytes of data.
std::string one_tensor(const std::string& description) {
  return file_of(R"({"w":)" + description + "}", std::string(16, 'x'));
}

}  // namespace

TEST_CASE("safetensors of every dtype", "[model]") {
  const test::TemporaryFolder folder;
  struct Case {
    std::string dtype;
    at::ScalarType type;
    std::size_t bytes;
  };
  for (const auto& [dtype, type, bytes] : std::vector<Case>{{"F64", at::kDouble, 8},
                                                            {"F32", at::kFloat, 4},
                                                            {"F16", at::kHalf, 2},
                                                            {"BF16", at::kBFloat16, 2},
                                                            {"I64", at::kLong, 8},
                                                            {"I32", at::kInt, 4},
                                                            {"U8", at::kByte, 1}}) {
    const at::Tensor values = at::arange(6, at::kLong).to(type).view({2, 3});
    // An odd header length and a leading tensor leave the data unaligned.
    const std::string header = R"({"__metadata__":{"a":"b"},"first":{"dtype":"U8","shape":[1],)"
                               R"("data_offsets":[0,1]},"t":{"dtype":")" +
                               dtype + R"(","shape":[2,3],"data_offsets":[1,)" +
                               std::to_string(1 + 6 * bytes) + "]}}";
    const std::string data(static_cast<const char*>(values.const_data_ptr()), values.nbytes());
    const SafetensorsFile file(folder.write("fine", file_of(header, "x" + data)));
    INFO(dtype);
    CHECK(file.names() == std::vector<std::string>{"first", "t"});
    CHECK(file.tensor("t").equal(values));
    CHECK(file.tensor("t").scalar_type() == type);
  }
}

TEST_CASE("an empty tensor and an empty file of tensors", "[model]") {
  const test::TemporaryFolder folder;
  const SafetensorsFile none(folder.write("none", file_of("{}", "")));
  CHECK(none.names().empty());
  const SafetensorsFile empty(folder.write(
      "empty", file_of(R"({"e":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]}})", "")));
  CHECK(empty.tensor("e").sizes() == at::IntArrayRef{0, 4});
}

TEST_CASE("damaged safetensors are refused by name", "[model]") {
  const test::TemporaryFolder folder;
  struct Case {
    std::string name;
    std::string content;
    std::string message;
  };
  const std::string sound = one_tensor(R"({"dtype":"F32","shape":[4],"data_offsets":[0,16]})");
  const std::vector<Case> cases = {
      {"nothing", "", "too short"},
      {"five bytes", "12345", "too short"},
      {"header beyond the end", length_prefix(100) + "{}", "claims a header of 100 bytes"},
      {"huge header", length_prefix(~std::uint64_t{0}) + "{}", "claims a header"},
      {"truncated data", sound.substr(0, sound.size() - 1), "tensor 'w': data_offsets [0, 16]"},
      {"data too many", sound + "x", "holds 17 bytes of data"},
      {"no JSON", file_of("{\"w\":", ""), "not valid JSON"},
      {"bad UTF-8", file_of("{\"\xff\":1}", ""), "not valid JSON"},
      {"a list", file_of("[]", ""), "not a JSON object"},
      {"no object", one_tensor("3"), "tensor 'w': its description"},
      {"no dtype", one_tensor(R"({"shape":[4],"data_offsets":[0,16]})"), "tensor 'w': dtype"},
      {"no shape", one_tensor(R"({"dtype":"F32","data_offsets":[0,16]})"), "tensor 'w': shape"},
      {"negative size", one_tensor(R"({"dtype":"F32","shape":[-4],"data_offsets":[0,16]})"),
       "tensor 'w': shape"},
      {"fraction", one_tensor(R"({"dtype":"F32","shape":[4.0],"data_offsets":[0,16]})"),
       "tensor 'w': shape"},
      {"no offsets", one_tensor(R"({"dtype":"F32","shape":[4]})"), "tensor 'w': data_offsets"},
      {"one offset", one_tensor(R"({"dtype":"F32","shape":[4],"data_offsets":[16]})"),
       "tensor 'w': data_offsets"},
      {"offsets turned", one_tensor(R"({"dtype":"F32","shape":[4],"data_offsets":[16,0]})"),
       "tensor 'w': data_offsets [16, 0]"},
      {"offset outside", one_tensor(R"({"dtype":"F32","shape":[4],"data_offsets":[4,20]})"),
       "tensor 'w': data_offsets [4, 20]"},
      {"offset huge",
       one_tensor(R"({"dtype":"F32","shape":[4],"data_offsets":[0,18446744073709551615]})"),
       "tensor 'w': data_offsets"},
      {"gap", one_tensor(R"({"dtype":"F32","shape":[3],"data_offsets":[4,16]})"),
       "tensor 'w': starts at byte 4"},
      {"wrong size", one_tensor(R"({"dtype":"F32","shape":[5],"data_offsets":[0,16]})"),
       "tensor 'w': F32 of shape [5] takes 20 bytes"},
      {"overflow",
       one_tensor(R"({"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]})"),
       "tensor 'w': its shape overflows"},
      {"overlap",
       file_of(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},)"
               R"("b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
               std::string(16, 'x')),
       "tensor 'b': starts at byte 8"}};
  for (const Case& damaged : cases) {
    const auto path = folder.write("damaged.safetensors", damaged.content);
    INFO(damaged.name);
    CHECK_THROWS_AS(SafetensorsFile(path), core::InputError);
    CHECK_THROWS_WITH(SafetensorsFile(path),
                      Contains("damaged.safetensors") && Contains(damaged.message));
  }
  CHECK_THROWS_WITH(SafetensorsFile(folder.path() / "absent"), Contains("absent"));
  CHECK_THROWS_AS(SafetensorsFile(folder.path()), core::InputError);
}

TEST_CASE("every truncation of a sound file is refused", "[model]") {
  const test::TemporaryFolder folder;
  const std::string sound =
      file_of(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})", std::string(4, 'x'));
  for (std::size_t length = 0; length < sound.size(); ++length) {
    const auto path = folder.write("short", sound.substr(0, length));
    INFO(length << " bytes");
    CHECK_THROWS_AS(SafetensorsFile(path), core::InputError);
  }
}

TEST_CASE("tensors that are missing or not what was expected", "[model]") {
  const test::TemporaryFolder folder;
  const SafetensorsFile odd(
      folder.write("odd", one_tensor(R"({"dtype":"F8_E4M3","shape":[16],"data_offsets":[0,16]})")));
  CHECK_THROWS_WITH(odd.tensor("w"), Contains("tensor 'w'") && Contains("F8_E4M3"));
  CHECK_THROWS_WITH(odd.tensor("v"), Contains("odd") && Contains("tensor 'v': is missing"));

  folder.write("model.safetensors",
               one_tensor(R"({"dtype":"I32","shape":[2,2],"data_offsets":[0,16]})"));
  const SafetensorsFolder files(folder.path());
  WeightReader reader(files, {});
  CHECK_THROWS_WITH(reader.table("w", {4}), Contains("tensor 'w': has shape [2, 2], not [4]"));
  CHECK_THROWS_WITH(reader.table("w", {2, 2}), Contains("tensor 'w'") && Contains("integers"));
  CHECK_THROWS_WITH(WeightReader(files, {}).finish(), Contains("unknown tensors") && Contains("w"));
}

TEST_CASE("weights in several files", "[model]") {
  const test::TemporaryFolder folder;
  const auto one = one_tensor(R"({"dtype":"I32","shape":[2,2],"data_offsets":[0,16]})");
  CHECK_THROWS_WITH(SafetensorsFolder(folder.path()), Contains("model.safetensors: is missing"));
  folder.write("pytorch_model.bin", "");
  CHECK_THROWS_WITH(SafetensorsFolder(folder.path()), Contains("scripts/to_safetensors.py"));
  const auto index = [&](const std::string& map) {
    folder.write("model.safetensors.index.json", R"({"weight_map":)" + map + "}");
    return SafetensorsFolder(folder.path());
  };
  CHECK_THROWS_WITH(index(R"({"w":"a.safetensors"})"), Contains("a.safetensors"));
  folder.write("a.safetensors", one);
  CHECK(index(R"({"w":"a.safetensors"})").tensor("w").sizes() == at::IntArrayRef{2, 2});
  CHECK(safetensors_files(folder.path()).size() == 2);
  CHECK_THROWS_WITH(index(R"({"w":"a.safetensors","v":"a.safetensors"})"),
                    Contains("a.safetensors: tensor 'v'") && Contains("is missing"));
  CHECK_THROWS_WITH(index(R"({"w":"../a.safetensors"})"), Contains("is not a file name"));
  CHECK_THROWS_WITH(index("[]"), Contains("weight_map"));
  folder.write("b.safetensors", one);
  CHECK_THROWS_WITH(index(R"({"w":"a.safetensors","v":"b.safetensors"})"),
                    Contains("tensor 'w'") && Contains("too"));
}

}  // namespace knnseq::model

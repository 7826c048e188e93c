// Weights that are not finite, or that the dtype cannot hold, are found when they are read.
#include <cmath>
#include <cstring>
#include <limits>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "demo_model.hpp"
#include "model/base/transformer_config.hpp"
#include "model/families/weight_reader.hpp"
#include "model/safetensors/largest_magnitude.hpp"
#include "model/safetensors/safetensors_folder.hpp"
#include "support/temporary_folder.hpp"
#include "support/torchscript_models.hpp"

namespace knnseq::model {

namespace {

using Catch::Contains;

constexpr double infinity = std::numeric_limits<double>::infinity();
const double nan = std::nan("");

/// model.safetensors with one tensor "w" of these values.
void write_weights(const test::TemporaryFolder& folder, const at::Tensor& values,
                   const std::string& dtype) {
  std::string header = fmt::format(R"({{"w":{{"dtype":"{}","shape":[{}],"data_offsets":[0,{}]}}}})",
                                   dtype, fmt::join(values.sizes().vec(), ","), values.nbytes());
  const std::uint64_t length = header.size();
  std::string prefix(sizeof length, '\0');
  std::memcpy(prefix.data(), &length, prefix.size());
  const std::string data(static_cast<const char*>(values.const_data_ptr()), values.nbytes());
  folder.write("model.safetensors", prefix + header + data);
}

/// A copy of the demo model whose tensor has this value (fp16) at its end.
std::string demo_with(const test::TemporaryFolder& folder, const std::string& tensor, float value) {
  for (const char* name : {"config.json", "generation_config.json"}) {
    std::filesystem::copy_file(testing::demo_folder / name, folder / name,
                               std::filesystem::copy_options::overwrite_existing);
  }
  std::string content = core::read_file(testing::demo_folder / "model.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, content.data(), sizeof length);
  const auto header = core::Json::parse(content.substr(sizeof length, length));
  const auto end = header.at(tensor).at("data_offsets").at(1).get<std::size_t>();
  const at::Half half(value);
  std::memcpy(content.data() + sizeof length + length + end - sizeof half, &half, sizeof half);
  folder.write("model.safetensors", content);
  try {
    load_model(folder.path());
  } catch (const core::InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the largest magnitude, or NaN, of numbers of any dtype", "[model]") {
  const at::Tensor values = at::cat({at::linspace(-3, 2, 1001), at::tensor({-7.5})});
  for (const auto dtype : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16}) {
    const auto largest = [&](const at::Tensor& of) {
      const at::Tensor made = of.to(dtype).contiguous();
      std::string bytes = "x";  // which leaves them unaligned
      bytes.append(static_cast<const char*>(made.const_data_ptr()), made.nbytes());
      return largest_magnitude(std::as_bytes(std::span(bytes)).subspan(1), dtype);
    };
    CHECK(largest(values) == 7.5);
    CHECK(largest(at::empty({0})) == 0);
    for (const std::int64_t place : {0, 500, 1001}) {
      at::Tensor other = values.to(at::kDouble).clone();
      other[place] = -infinity;
      CHECK(largest(other) == infinity);
      other[1001 - place] = nan;
      CHECK(std::isnan(largest(other)));
      other[1001 - place] = -nan;
      CHECK(std::isnan(largest(other)));
    }
  }
}

TEST_CASE("weights that are not finite are refused, whichever way they are taken", "[model]") {
  const test::TemporaryFolder folder;
  const auto take = [&](const at::Tensor& values, const std::string& dtype, at::ScalarType as) {
    write_weights(folder, values, dtype);
    const SafetensorsFolder files(folder.path());
    WeightReader(files, {as, at::kCPU, LinearKernel::plain}).projection("w", {2, 3}, "");
  };
  at::Tensor values = at::ones({2, 3});
  CHECK_NOTHROW(take(values, "F32", at::kFloat));
  values[1][2] = 1e6;
  CHECK_NOTHROW(take(values, "F32", at::kBFloat16));
  CHECK_THROWS_WITH(take(values, "F32", at::kHalf),
                    Contains("model.safetensors: tensor 'w': holds a number of magnitude 1e+06") &&
                        Contains("Half cannot hold"));
  CHECK_THROWS_WITH(take(values.to(at::kDouble) * 1e40, "F64", at::kFloat),
                    Contains("Float cannot hold"));
  for (const double bad : {nan, infinity, -infinity}) {
    values[1][2] = bad;
    const auto message =
        Contains(fmt::format("model.safetensors: tensor 'w': holds {}: the file is damaged",
                             std::isnan(bad) ? "NaN" : "an infinite number"));
    CHECK_THROWS_WITH(take(values, "F32", at::kFloat), message);
    CHECK_THROWS_WITH(take(values.to(at::kBFloat16), "BF16", at::kFloat), message);
    const SafetensorsFolder files(folder.path());
    CHECK_THROWS_WITH(WeightReader(files, {}).table("w", {2, 3}), message);
  }
}

TEST_CASE("an output can be switched off by a bias of minus infinity", "[model]") {
  const test::TemporaryFolder folder;
  CHECK(demo_with(folder, "final_logits_bias", -std::numeric_limits<float>::infinity()).empty());
  CHECK_THAT(demo_with(folder, "final_logits_bias", std::numeric_limits<float>::infinity()),
             Contains("tensor 'final_logits_bias': holds an infinite number"));
  CHECK_THAT(demo_with(folder, "final_logits_bias", std::nanf("")),
             Contains("tensor 'final_logits_bias': holds NaN"));
}

TEST_CASE("every part of a model is looked at", "[model]") {
  const test::TemporaryFolder folder;
  for (const std::string name : {"model.shared.weight", "model.encoder.layers.0.fc1.weight",
                                 "model.decoder.layers.2.encoder_attn.v_proj.bias",
                                 "model.decoder.layers.1.final_layer_norm.weight"}) {
    CHECK_THAT(demo_with(folder, name, std::nanf("")),
               Contains("model.safetensors: tensor '" + name + "': holds NaN"));
    CHECK_THAT(demo_with(folder, name, -std::numeric_limits<float>::infinity()),
               Contains("tensor '" + name + "': holds an infinite number"));
  }
}

TEST_CASE("sizes of a model have bounds that no product overflows", "[model]") {
  const auto config = [](const std::string& key, std::int64_t value) {
    core::Json json = core::read_json(testing::demo_folder / "config.json");
    json[key] = value;
    const test::TemporaryFolder folder;
    folder.write("config.json", json.dump());
    try {
      read_model_info(folder.path());
    } catch (const core::InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(config("encoder_layers", most_layers).empty());
  for (const char* key : {"encoder_layers", "decoder_layers", "d_model", "encoder_ffn_dim",
                          "decoder_ffn_dim", "max_position_embeddings", "vocab_size",
                          "decoder_attention_heads", "encoder_attention_heads"}) {
    INFO(key);
    for (const std::int64_t value : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{2147483647},
                                     std::numeric_limits<std::int64_t>::max()}) {
      CHECK_THAT(config(key, value), Contains("config.json"));
    }
  }
}

TEST_CASE("a weights file that is something else is called so", "[model]") {
  const test::TemporaryFolder folder;
  const auto open = [&](const std::string& content) {
    SafetensorsFile(folder.write("model.safetensors", content));
  };
  CHECK_THROWS_WITH(open("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"),
                    Contains("model.safetensors: is a pointer of git-lfs"));
  CHECK_THROWS_WITH(open("<!DOCTYPE html>\n<html>"), Contains("is a web page"));
  CHECK_THROWS_WITH(open(std::string("PK\x03\x04\0\0\x08\x08", 8) + std::string(90, '\0')),
                    Contains("torch.save") && Contains("scripts/to_safetensors.py"));
  CHECK_THROWS_WITH(open("\x80\x02}q\x01(X\x05"), Contains("scripts/to_safetensors.py"));
  CHECK_THROWS_WITH(open("\x1F\x8B\x08\x08 packed"), Contains("compressed by gzip"));
  CHECK_THROWS_WITH(load_model(testing::demo_folder / "model.safetensors"),
                    Contains("model.safetensors: is no TorchScript archive; of other models give"));
  folder.write("model.pt", "version https://git-lfs.github.com/spec/v1\noid sha256:1\n");
  CHECK_THROWS_WITH(load_model(folder / "model.pt"), Contains("model.pt: is a pointer of git-lfs"));
}

}  // namespace knnseq::model

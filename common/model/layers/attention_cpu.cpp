#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/types.hpp"
#include "model/layers/attention.hpp"
#include "model/layers/attention_kernel.hpp"

namespace knnseq::model {

namespace {

HeadRows head_rows(const at::Tensor& matrix, std::int64_t row, std::int64_t column) {
  return {matrix.const_data_ptr<float>() + row * matrix.stride(0) + column, matrix.stride(0)};
}

void check(const at::Tensor& matrix) {
  KNNSEQ_ASSERT(matrix.dim() == 2 && matrix.scalar_type() == at::kFloat &&
                    matrix.device().is_cpu() && (matrix.size(1) == 1 || matrix.stride(1) == 1),
                "attention takes fp32 matrices on the CPU");
}

/// Segments and heads a thread takes at once, so that small batches are not split.
std::int64_t jobs_at_once(std::int64_t jobs, std::int64_t products) {
  constexpr std::int64_t worthwhile = 1 << 18;  // multiplications
  return std::max<std::int64_t>(1, jobs * worthwhile / std::max<std::int64_t>(products, 1));
}

/// Makes the memory that jobs of so many keys work in.
void reserve(std::vector<float>& scratch, std::int64_t keys, std::int64_t head_width) {
  const auto size = static_cast<std::size_t>(attention_scratch(keys, head_width));
  if (scratch.size() < size) scratch.resize(size);
}

}  // namespace

const std::vector<AttentionKernel>& attention_kernels() {
  static const auto kernels =
      core::kernels_of_this_cpu([]<core::InstructionSet set>() { return attention_kernel<set>(); });
  return kernels;
}

at::Tensor attend(const AttentionInputs& given, std::span<const AttentionSegment> segments) {
  AttentionInputs inputs = given;
  for (auto* matrix : {&inputs.queries, &inputs.keys, &inputs.values}) {
    *matrix = matrix->to(at::kFloat);
  }
  for (const auto& matrix : {inputs.queries, inputs.keys, inputs.values}) check(matrix);
  const std::int64_t rows = inputs.queries.size(0);
  const std::int64_t width = inputs.queries.size(1);
  const std::int64_t head_width = width / inputs.heads;
  at::Tensor out = at::empty({rows, width}, inputs.queries.options());
  std::int64_t covered = 0;
  std::int64_t products = 0;
  for (const auto& segment : segments) {
    KNNSEQ_ASSERT(segment.query_begin == covered && segment.key_begin < segment.key_end,
                  "segments leave no gaps and have keys");
    covered = segment.query_end;
    products += (segment.query_end - segment.query_begin) * (segment.key_end - segment.key_begin) *
                width * 2;
  }
  KNNSEQ_ASSERT(covered <= rows, "segments go beyond the queries");
  if (covered < rows) out.narrow(0, covered, rows - covered).zero_();

  const auto& kernel = attention_kernels().front();
  float* out_data = out.mutable_data_ptr<float>();
  const auto jobs = static_cast<std::int64_t>(segments.size()) * inputs.heads;
  at::parallel_for(
      0, jobs, jobs_at_once(jobs, products), [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> scratch;
        for (std::int64_t i = begin; i < end; ++i) {
          const auto& segment = segments[i / inputs.heads];
          const std::int64_t column = i % inputs.heads * head_width;
          const std::int64_t key_count = segment.key_end - segment.key_begin;
          reserve(scratch, key_count, head_width);
          kernel.attend({.queries = head_rows(inputs.queries, segment.query_begin, column),
                         .keys = head_rows(inputs.keys, segment.key_begin, column),
                         .values = head_rows(inputs.values, segment.key_begin, column),
                         .out = out_data + segment.query_begin * width + column,
                         .out_stride = width,
                         .query_count = segment.query_end - segment.query_begin,
                         .key_count = key_count,
                         .head_width = head_width,
                         .causal = inputs.causal},
                        scratch.data());
        }
      });
  return out.to(given.queries.scalar_type());
}

at::Tensor attend_history(const at::Tensor& queries, const AttentionHistory& history,
                          std::int64_t heads) {
  const at::Tensor now = queries.to(at::kFloat);
  check(now);
  const std::int64_t width = now.size(1);
  const std::int64_t head_width = width / heads;
  const auto steps = history.steps.size();
  const auto rows = static_cast<std::int64_t>(history.rows.size());
  at::Tensor out = at::empty({now.size(0), width}, now.options());
  if (rows < now.size(0)) out.narrow(0, rows, now.size(0) - rows).zero_();

  std::vector<const float*> blocks;
  for (const auto& step : history.steps) blocks.push_back(step.const_data_ptr<float>());
  const auto& kernel = attention_kernels().front();
  float* out_data = out.mutable_data_ptr<float>();
  const auto* query_data = now.const_data_ptr<float>();
  const auto products = rows * static_cast<std::int64_t>(steps) * width * 2;
  at::parallel_for(
      0, rows, jobs_at_once(rows, products), [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> scratch;
        reserve(scratch, static_cast<std::int64_t>(steps), head_width);
        std::vector<const float*> keys(steps);
        std::vector<const float*> values(steps);
        for (std::int64_t i = begin; i < end; ++i) {
          const auto& chain = history.rows[i];
          KNNSEQ_ASSERT(chain.size() == steps, "a row's history must reach back to the first step");
          for (std::int64_t head = 0; head < heads; ++head) {
            for (std::size_t t = 0; t < steps; ++t) {
              keys[t] = blocks[t] + std::int64_t{chain[t]} * 2 * width + head * head_width;
              values[t] = keys[t] + width;
            }
            kernel.attend_chain({.query = query_data + i * now.stride(0) + head * head_width,
                                 .keys = keys.data(),
                                 .values = values.data(),
                                 .out = out_data + i * width + head * head_width,
                                 .count = static_cast<std::int64_t>(steps),
                                 .head_width = head_width},
                                scratch.data());
          }
        }
      });
  return out.to(queries.scalar_type());
}

}  // namespace knnseq::model

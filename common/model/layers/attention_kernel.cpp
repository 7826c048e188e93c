// Loops have fixed trip counts over small arrays, which compilers keep in registers.
#include "model/layers/attention_kernel.hpp"

#include "core/compiled_for.hpp"
#include "model/layers/exponential.hpp"

namespace knnseq::model {

namespace {

constexpr std::int64_t lanes = core::float_lanes;
constexpr std::int64_t query_tile = attention_query_tile;
constexpr std::int64_t column_tile = 2 * lanes;
static_assert(attention_column_tile % column_tile == 0);

inline std::int64_t least(std::int64_t a, std::int64_t b) { return b < a ? b : a; }

/// In place: exp((score − greatest)·scale) of the first `seen` scores, 0 behind them up to
/// `padded`, a multiple of `lanes`. Returns their sum, added up in a fixed order.
inline float exponentials(float* row, std::int64_t seen, std::int64_t padded, float scale) {
  for (std::int64_t j = seen; j < padded; ++j) row[j] = -__builtin_inff();
  Floats lane = load(row);
  for (std::int64_t j = lanes; j < padded; j += lanes) {
    const Floats here = load(row + j);
    lane = here > lane ? here : lane;
  }
  const float most = largest_lane(lane);
  Floats sums = {};
  for (std::int64_t j = 0; j < padded; j += lanes) {
    const Floats weights = exponential((load(row + j) - most) * scale);
    store(weights, row + j);
    sums += weights;
  }
  return sum_of_lanes(sums);
}

/// scores[r·padded + l] = q_r·k_l for a tile; `keys` is transposed: [head_width, padded].
inline void score_tile(const float* const* queries, const float* keys, std::int64_t padded,
                       std::int64_t head_width, float* scores) {
  float sums[query_tile][column_tile] = {};
  for (std::int64_t c = 0; c < head_width; ++c) {
    const float* row = keys + c * padded;
    for (std::int64_t r = 0; r < query_tile; ++r) {
      const float q = queries[r][c];
      for (std::int64_t l = 0; l < column_tile; ++l) sums[r][l] += q * row[l];
    }
  }
  for (std::int64_t r = 0; r < query_tile; ++r) {
    for (std::int64_t l = 0; l < column_tile; ++l) scores[r * padded + l] = sums[r][l];
  }
}

/// What one tile of queries has so far: weights [query_tile, padded] and their sums.
struct Weights {
  const float* rows = nullptr;
  std::int64_t padded = 0;
  std::int64_t seen = 0;  ///< keys that have a weight
  const float* sums = nullptr;
};

/// Writes `width` columns of the output for the queries from `first` on, at most query_tile.
template <std::int64_t width>
inline void mix(const AttentionJob& job, const Weights& weights, std::int64_t first,
                std::int64_t column) {
  float sums[query_tile][width] = {};
  for (std::int64_t j = 0; j < weights.seen; ++j) {
    const float* row = job.values.data + j * job.values.stride + column;
    for (std::int64_t r = 0; r < query_tile; ++r) {
      const float w = weights.rows[r * weights.padded + j];
      for (std::int64_t l = 0; l < width; ++l) sums[r][l] += w * row[l];
    }
  }
  for (std::int64_t r = 0; r < query_tile; ++r) {
    if (first + r >= job.query_count) break;
    float* out = job.out + (first + r) * job.out_stride + column;
    const float scale = 1.0f / weights.sums[r];
    for (std::int64_t l = 0; l < width; ++l) out[l] = sums[r][l] * scale;
  }
}

void attend_many(const AttentionJob& job, float* scratch) {
  const std::int64_t padded = (job.key_count + column_tile - 1) / column_tile * column_tile;
  float* keys = scratch;
  float* scores = keys + job.head_width * padded;
  for (std::int64_t j = 0; j < padded; ++j) {
    const float* row = job.keys.data + least(j, job.key_count - 1) * job.keys.stride;
    for (std::int64_t c = 0; c < job.head_width; ++c) keys[c * padded + j] = row[c];
  }
  const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(job.head_width));
  for (std::int64_t first = 0; first < job.query_count; first += query_tile) {
    const std::int64_t last = least(first + query_tile, job.query_count) - 1;
    const std::int64_t seen = job.causal ? last + 1 : job.key_count;
    const float* queries[query_tile];
    for (std::int64_t r = 0; r < query_tile; ++r) {
      queries[r] = job.queries.data + least(first + r, last) * job.queries.stride;
    }
    for (std::int64_t j = 0; j < seen; j += column_tile) {
      score_tile(queries, keys + j, padded, job.head_width, scores + j);
    }
    const std::int64_t used = (seen + column_tile - 1) / column_tile * column_tile;
    float sums[query_tile];
    for (std::int64_t r = 0; r < query_tile; ++r) {
      const std::int64_t own = job.causal ? least(first + r, last) + 1 : seen;
      sums[r] = exponentials(scores + r * padded, own, used, scale);
    }
    const Weights weights{scores, padded, seen, sums};
    std::int64_t column = 0;
    for (; column + column_tile <= job.head_width; column += column_tile) {
      mix<column_tile>(job, weights, first, column);
    }
    for (; column < job.head_width; ++column) mix<1>(job, weights, first, column);
  }
}

template <std::int64_t count>
struct Vector {
  using Type [[gnu::vector_size(count * sizeof(float))]] = float;
};

/// The vector's sum: the upper half is added to the lower one until one number is left.
template <std::int64_t count>
[[gnu::always_inline]] inline float sum_of(typename Vector<count>::Type vector) {
  if constexpr (count == 2) {
    return vector[0] + vector[1];
  } else {
    typename Vector<count / 2>::Type halves[2];
    __builtin_memcpy(halves, &vector, sizeof(vector));
    return sum_of<count / 2>(halves[0] + halves[1]);
  }
}

inline float dot(const float* a, const float* b, std::int64_t size) {
  Floats lane{};
  std::int64_t c = 0;
  for (; c + lanes <= size; c += lanes) lane += load(a + c) * load(b + c);
  float sum = 0.0f;
  for (; c < size; ++c) sum += a[c] * b[c];
  return sum + sum_of<lanes>(lane);
}

/// Columns of the weighted sum of values: so many vectors from `column` on.
template <std::int64_t vectors, class Row>
inline void mix_one(const float* weights, std::int64_t count, const Row& value, std::int64_t column,
                    float scale, float* out) {
  Floats sums[vectors] = {};
  for (std::int64_t j = 0; j < count; ++j) {
    const float* row = value(j) + column;
    for (std::int64_t v = 0; v < vectors; ++v) sums[v] += weights[j] * load(row + v * lanes);
  }
  for (std::int64_t v = 0; v < vectors; ++v) {
    const Floats scaled = sums[v] * scale;
    __builtin_memcpy(out + column + v * lanes, &scaled, sizeof(scaled));
  }
}

/// One query over keys and values, each of which a function tells by its number.
template <class Key, class Value>
inline void attend_one(const float* query, const Key& key, const Value& value, std::int64_t count,
                       std::int64_t head_width, float* out, float* weights) {
  const std::int64_t padded = (count + lanes - 1) / lanes * lanes;
  for (std::int64_t j = 0; j < count; ++j) weights[j] = dot(query, key(j), head_width);
  const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(head_width));
  const float per_sum = 1.0f / exponentials(weights, count, padded, scale);
  std::int64_t column = 0;
  for (; column + 4 * lanes <= head_width; column += 4 * lanes) {
    mix_one<4>(weights, count, value, column, per_sum, out);
  }
  for (; column + lanes <= head_width; column += lanes) {
    mix_one<1>(weights, count, value, column, per_sum, out);
  }
  for (; column < head_width; ++column) {
    float sum = 0.0f;
    for (std::int64_t j = 0; j < count; ++j) sum += weights[j] * value(j)[column];
    out[column] = sum * per_sum;
  }
}

/// For so few queries turning the keys around takes longer than it saves.
constexpr std::int64_t few_queries = 8;

void attend(const AttentionJob& job, float* scratch) {
  if (job.query_count > few_queries || job.causal) return attend_many(job, scratch);
  for (std::int64_t i = 0; i < job.query_count; ++i) {
    attend_one(
        job.queries.data + i * job.queries.stride,
        [&](std::int64_t j) { return job.keys.data + j * job.keys.stride; },
        [&](std::int64_t j) { return job.values.data + j * job.values.stride; }, job.key_count,
        job.head_width, job.out + i * job.out_stride, scratch);
  }
}

void attend_chain(const ChainJob& job, float* scratch) {
  attend_one(
      job.query, [&](std::int64_t j) { return job.keys[j]; },
      [&](std::int64_t j) { return job.values[j]; }, job.count, job.head_width, job.out, scratch);
}

}  // namespace

template <>
AttentionKernel attention_kernel<core::compiled_for>() {
  return {core::compiled_for, attend, attend_chain};
}

}  // namespace knnseq::model

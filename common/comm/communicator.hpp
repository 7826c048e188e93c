// The collectives the pipeline uses, behind one interface: MPI, or one process without MPI.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "core/types.hpp"

namespace knnseq::comm {

enum class Reduction { sum, min, max };

/// Values gathered from all ranks: rank r's are values[starts[r] … starts[r + 1]).
template <class T>
struct Gathered {
  std::vector<T> values;
  std::vector<std::int64_t> starts;  ///< [size + 1]

  std::span<const T> of(int rank) const {
    const auto begin = static_cast<std::size_t>(starts[rank]);
    const auto end = static_cast<std::size_t>(starts[static_cast<std::size_t>(rank) + 1]);
    return std::span<const T>(values).subspan(begin, end - begin);
  }
};

/// A group of ranks. Every function but rank(), size(), post() and poll() is collective: all ranks
/// call it in the same order. Counts are 64-bit. Throws core::SystemError if a call fails.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  bool is_root() const { return rank() == 0; }

  virtual void barrier() = 0;
  virtual void broadcast_bytes(std::span<std::byte> bytes, int root) = 0;
  virtual void all_reduce(std::span<std::int64_t> values, Reduction reduction) = 0;
  virtual void all_reduce(std::span<double> values, Reduction reduction) = 0;
  /// Each rank's bytes, concatenated in rank order; counts may differ and may be 0.
  virtual Gathered<std::byte> all_gather_bytes(std::span<const std::byte> mine) = 0;
  /// `mine` holds counts[0] bytes for rank 0, then counts[1] for rank 1, …; returns what all sent
  /// to this rank, in rank order.
  virtual Gathered<std::byte> all_to_all_bytes(std::span<const std::byte> mine,
                                               std::span<const std::int64_t> counts) = 0;
  /// The ranks that gave the same colour, in the order of this communicator.
  virtual std::unique_ptr<Communicator> split(int color) = 0;
  /// The ranks on this rank's node, in the order of this communicator.
  virtual std::unique_ptr<Communicator> split_by_node() = 0;

  /// Sends a small message without waiting for its receipt; not collective. Used for progress.
  virtual void post(int destination, std::span<const std::int64_t> message) = 0;
  /// A posted message, if one has arrived; not collective.
  virtual std::optional<std::vector<std::int64_t>> poll() = 0;

  // Exchanges that are under way while the ranks do other work. Several may be; they are collected
  // in the order in which they were started, the same on all ranks.

  /// Starts an exchange in which all ranks get `mine`. Waits for nobody.
  virtual void start_all_gather(std::vector<std::byte> mine) = 0;
  /// Starts one in which rank r gets parts[r] [size]; any may be empty. Waits for nobody.
  virtual void start_all_to_all(std::vector<std::vector<std::byte>> parts) = 0;
  /// What each rank sent to this one, in rank order, in the exchange that was started first among
  /// those that are under way. Waits for the others to have started it.
  virtual std::vector<std::vector<std::byte>> collect() = 0;

  // Typed conveniences over the above, for trivially copyable T.

  template <class T>
  void broadcast(std::span<T> values, int root = 0) {
    static_assert(std::is_trivially_copyable_v<T>);
    broadcast_bytes(std::as_writable_bytes(values), root);
  }
  /// A string of any length from `root`.
  std::string broadcast_string(const std::string& mine, int root = 0);

  std::int64_t all_reduce(std::int64_t value, Reduction reduction) {
    all_reduce(std::span(&value, 1), reduction);
    return value;
  }
  double all_reduce(double value, Reduction reduction) {
    all_reduce(std::span(&value, 1), reduction);
    return value;
  }
  /// Whether `mine` is true on all ranks.
  bool all(bool mine) { return all_reduce(std::int64_t{mine}, Reduction::min) != 0; }
  /// Sum of the values of all lower ranks (0 on rank 0).
  std::int64_t exclusive_scan(std::int64_t value);

  template <class T>
  Gathered<T> all_gather(std::span<const T> mine) {
    return typed<T>(all_gather_bytes(std::as_bytes(mine)));
  }
  /// Counts are in values of T.
  template <class T>
  Gathered<T> all_to_all(std::span<const T> mine, std::span<const std::int64_t> counts) {
    std::vector<std::int64_t> byte_counts(counts.begin(), counts.end());
    for (auto& count : byte_counts) count *= static_cast<std::int64_t>(sizeof(T));
    return typed<T>(all_to_all_bytes(std::as_bytes(mine), byte_counts));
  }

 private:
  template <class T>
  static Gathered<T> typed(const Gathered<std::byte>& raw) {
    static_assert(std::is_trivially_copyable_v<T>);
    Gathered<T> result;
    result.values.resize(raw.values.size() / sizeof(T));
    if (!raw.values.empty()) {
      std::copy(raw.values.begin(), raw.values.end(),
                reinterpret_cast<std::byte*>(result.values.data()));
    }
    result.starts = raw.starts;
    for (auto& start : result.starts) start /= static_cast<std::int64_t>(sizeof(T));
    return result;
  }
};

}  // namespace knnseq::comm

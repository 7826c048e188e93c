// Runs the body of a CUDA kernel on the host, so that kernels can be tested where there is no GPU.
// Include it before the kernel's body (*_kernel.cuh).
//
// Blocks run one after another; a block's threads are fibres of one host thread. A fibre runs until
// it waits for its block or its warp, so that atomics need no more than plain arithmetic; the order
// in which fibres run is turned round at each barrier, and shared memory starts out as garbage.
// What this cannot show are races between barriers whose outcome the two orders hide, and time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <c10/util/Half.h>
#include <ucontext.h>

namespace knnseq::cuda_emulation {

struct Dim3 {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;
};

struct Launch {
  Dim3 grid;
  unsigned threads = 1;  ///< of a block, a multiple of 32
  std::size_t shared_bytes = 0;
};

inline constexpr unsigned warp_size = 32;

/// One block at work.
class Block {
 public:
  /// Where a thread stands. Those of one warp must wait for each other at the same operation.
  enum class State { ready, at_barrier, at_shuffle, at_ballot, at_warp_barrier, left };

  Block(const Launch& launch, const std::function<void()>& body)
      : shared(launch.shared_bytes + 16, 0xA5), threads_(launch.threads), body_(&body) {
    if (launch.threads == 0 || launch.threads % warp_size != 0) {
      throw std::logic_error("a block must be of whole warps");
    }
    static std::vector<std::unique_ptr<char[]>> stacks;  // of all blocks, one after another
    while (stacks.size() < threads_.size()) {
      stacks.push_back(std::make_unique_for_overwrite<char[]>(stack_bytes));
    }
    for (std::size_t i = 0; i < threads_.size(); ++i) prepare(threads_[i], stacks[i].get());
  }

  /// Runs all threads to their ends. Throws std::logic_error if some have left, or wait
  /// elsewhere, while others wait.
  void run() {
    running_ = this;
    bool backwards = false;
    while (!all_in(State::left)) {
      for (unsigned i = 0; i < threads_.size(); ++i) {
        current = backwards ? static_cast<unsigned>(threads_.size()) - 1 - i : i;
        if (threads_[current].state != State::ready) continue;
        if (swapcontext(&scheduler_, &threads_[current].context) != 0) {
          throw std::logic_error("swapcontext failed");
        }
        if (failure_) std::rethrow_exception(failure_);
      }
      backwards = !backwards;
      release();
    }
  }

  /// Called by a thread: waits until its block or warp has come to the same point.
  void wait(State state) {
    Thread& self = threads_[current];
    self.state = state;
    if (swapcontext(&self.context, &scheduler_) != 0) throw std::logic_error("swapcontext failed");
  }

  /// Called by a thread: gives a value to its warp, whose others' of_lane() then returns.
  void give(std::uint64_t value, State operation) {
    Thread& self = threads_[current];
    // Two places in turn: nobody is more than one exchange ahead of its warp.
    self.values[self.exchanges++ % 2] = value;
    wait(operation);
  }

  /// Called by a thread after give(): what a lane of its warp gave.
  std::uint64_t of_lane(unsigned lane) const {
    const unsigned place = (threads_[current].exchanges - 1) % 2;
    return threads_[current / warp_size * warp_size + lane].values[place];
  }

  /// Called by a thread: waits for the block; whether any thread of it voted true.
  bool any_of_block(bool vote) {
    const unsigned place = threads_[current].voted++ % 2;
    threads_[current].votes[place] = vote;
    wait(State::at_barrier);
    return std::any_of(threads_.begin(), threads_.end(),
                       [&](const Thread& thread) { return thread.votes[place]; });
  }

  static Block& running() { return *running_; }

  std::vector<unsigned char> shared;
  unsigned current = 0;

 private:
  static constexpr std::size_t stack_bytes = std::size_t{64} << 10;

  struct Thread {
    ucontext_t context = {};
    State state = State::ready;
    std::uint64_t values[2] = {};
    unsigned exchanges = 0;
    bool votes[2] = {};
    unsigned voted = 0;
  };

  void prepare(Thread& thread, char* stack) {
    if (getcontext(&thread.context) != 0) throw std::logic_error("getcontext failed");
    thread.context.uc_stack.ss_sp = stack;
    thread.context.uc_stack.ss_size = stack_bytes;
    thread.context.uc_link = &scheduler_;
    makecontext(&thread.context, &Block::enter, 0);
  }

  static void enter() {
    Block& block = running();
    try {
      (*block.body_)();
    } catch (...) {
      block.failure_ = std::current_exception();
    }
    block.threads_[block.current].state = State::left;
  }

  bool all_in(State state) const {
    return std::all_of(threads_.begin(), threads_.end(),
                       [&](const Thread& thread) { return thread.state == state; });
  }

  /// Lets those go on whose warp or block is complete.
  void release() {
    bool released = false;
    for (std::size_t first = 0; first < threads_.size(); first += warp_size) {
      const State state = threads_[first].state;
      if (state == State::ready || state == State::at_barrier || state == State::left) continue;
      const auto warp = threads_.begin() + static_cast<std::ptrdiff_t>(first);
      const bool complete = std::all_of(
          warp, warp + warp_size, [&](const Thread& thread) { return thread.state == state; });
      if (!complete) continue;
      std::for_each(warp, warp + warp_size, [](Thread& thread) { thread.state = State::ready; });
      released = true;
    }
    if (released || all_in(State::left)) return;
    if (!all_in(State::at_barrier)) diverged();
    for (Thread& thread : threads_) thread.state = State::ready;
  }

  [[noreturn]] void diverged() const {
    static const char* const names[] = {"ready",       "at __syncthreads", "at a shuffle",
                                        "at a ballot", "at __syncwarp",    "gone"};
    std::string text = "threads of a block wait for each other at different places:";
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      if (i > 0 && threads_[i].state == threads_[i - 1].state) continue;
      text += " from " + std::to_string(i) + " " + names[static_cast<int>(threads_[i].state)];
    }
    throw std::logic_error(text);
  }

  static inline Block* running_ = nullptr;
  std::vector<Thread> threads_;
  const std::function<void()>* body_;
  ucontext_t scheduler_ = {};
  std::exception_ptr failure_ = nullptr;
};

inline Dim3 block_index;
inline Dim3 block_size;
inline Dim3 grid_size;

/// Dynamic shared memory, aligned as the device's.
inline unsigned char* shared_memory() {
  void* start = Block::running().shared.data();
  std::size_t space = Block::running().shared.size();
  return static_cast<unsigned char*>(std::align(16, space - 15, start, space));
}

/// Runs the body for every thread of the grid. Throws what a thread throws, and std::logic_error
/// if a block's threads wait for each other for ever.
inline void launch(const Launch& launch, const std::function<void()>& body) {
  grid_size = launch.grid;
  block_size = {launch.threads, 1, 1};
  for (unsigned z = 0; z < launch.grid.z; ++z) {
    for (unsigned y = 0; y < launch.grid.y; ++y) {
      for (unsigned x = 0; x < launch.grid.x; ++x) {
        block_index = {x, y, z};
        Block(launch, body).run();
      }
    }
  }
}

template <class T>
T exchange(T value, unsigned lane) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  Block::running().give(bits, Block::State::at_shuffle);
  bits = Block::running().of_lane(lane);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

inline unsigned lane() { return Block::running().current % warp_size; }

}  // namespace knnseq::cuda_emulation

// The names that kernels use.
#define __device__
#define __host__
#define __forceinline__ inline
#define threadIdx \
  (::knnseq::cuda_emulation::Dim3{::knnseq::cuda_emulation::Block::running().current, 0, 0})
#define blockIdx (::knnseq::cuda_emulation::block_index)
#define blockDim (::knnseq::cuda_emulation::block_size)
#define gridDim (::knnseq::cuda_emulation::grid_size)

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct __half {
  std::uint16_t bits;
};

inline __half __float2half_rn(float value) {
  return {c10::detail::fp16_ieee_from_fp32_value(value)};
}
inline float __half2float(__half value) { return c10::detail::fp16_ieee_to_fp32_value(value.bits); }
// Never contracted to one rounding, as on the device: the tests' instruction set has no such thing.
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline long long __double_as_longlong(double value) { return __builtin_bit_cast(long long, value); }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
template <class T>
T __ldg(const T* from) {
  return *from;
}

inline void __syncthreads() {
  using knnseq::cuda_emulation::Block;
  Block::running().wait(Block::State::at_barrier);
}
inline int __syncthreads_or(int vote) {
  return knnseq::cuda_emulation::Block::running().any_of_block(vote != 0) ? 1 : 0;
}
inline void __syncwarp() {
  using knnseq::cuda_emulation::Block;
  Block::running().wait(Block::State::at_warp_barrier);
}
template <class T>
T __shfl_sync(unsigned /*all*/, T value, unsigned lane) {
  return knnseq::cuda_emulation::exchange(value, lane);
}
template <class T>
T __shfl_xor_sync(unsigned /*all*/, T value, unsigned mask) {
  return knnseq::cuda_emulation::exchange(value, knnseq::cuda_emulation::lane() ^ mask);
}
template <class T>
T __shfl_up_sync(unsigned /*all*/, T value, unsigned delta) {
  const unsigned lane = knnseq::cuda_emulation::lane();
  return knnseq::cuda_emulation::exchange(value, lane < delta ? lane : lane - delta);
}
template <class T>
T __shfl_down_sync(unsigned /*all*/, T value, unsigned delta) {
  const unsigned lane = knnseq::cuda_emulation::lane();
  const unsigned from = lane + delta;
  return knnseq::cuda_emulation::exchange(value,
                                          from < knnseq::cuda_emulation::warp_size ? from : lane);
}
inline unsigned __ballot_sync(unsigned /*all*/, bool predicate) {
  using namespace knnseq::cuda_emulation;
  Block& block = Block::running();
  block.give(predicate ? 1 : 0, Block::State::at_ballot);
  unsigned result = 0;
  for (unsigned i = 0; i < warp_size; ++i) result |= static_cast<unsigned>(block.of_lane(i)) << i;
  return result;
}
template <class T>
T atomicAdd(T* at, T value) {
  const T before = *at;
  *at = static_cast<T>(before + value);
  return before;
}
template <class T>
T atomicMin(T* at, T value) {
  const T before = *at;
  *at = std::min(before, value);
  return before;
}

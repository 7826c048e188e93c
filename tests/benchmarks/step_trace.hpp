// What a decoding step asks of libtorch, and where its time goes, part by part.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace knnseq::benchmarks {

/// Of one part of the step, summed over all steps.
struct StepPart {
  std::map<std::string, std::int64_t> operators;  ///< how often each was called, by name
  double host_seconds = 0;                        ///< in which the host was in this part
  double device_seconds = 0;                      ///< of a GPU, idle time included

  std::int64_t calls() const {
    std::int64_t sum = 0;
    for (const auto& [name, count] : operators) sum += count;
    return sum;
  }
};

/// While it lives it counts the operators that this thread sends through libtorch's dispatcher, for
/// the part switched to last: those with a kernel of a backend's own, each of which launches at
/// least one kernel on a GPU. Of operators made of others only these are counted, and nothing of
/// what is below an operator that counts; views and allocations launch nothing. What cannot be seen
/// on CPU tensors are copies between host and device: calls of `to` that did nothing are counted
/// under that name.
class StepTrace {
 public:
  /// Times on `device`, by events of its current stream.
  explicit StepTrace(at::Device device) : device_(device) {
    current() = this;
    callback_ =
        at::addThreadLocalCallback(at::RecordFunctionCallback(&StepTrace::begin, &StepTrace::end)
                                       .scopes({at::RecordScope::FUNCTION}));
    mark();
  }
  ~StepTrace() {
    at::removeCallback(callback_);
    current() = nullptr;
  }
  StepTrace(const StepTrace&) = delete;
  StepTrace& operator=(const StepTrace&) = delete;

  /// Returns the part there was.
  std::string switch_to(std::string part) {
    mark();
    return std::exchange(part_, std::move(part));
  }

  /// Kernels that do not pass the dispatcher.
  void launched(const std::string& name, std::int64_t count) {
    parts_[part_].operators[name] += count;
  }

  /// Waits for the device.
  std::map<std::string, StepPart> take() {
    mark();
    if (!events_.empty()) events_.back().second.synchronize();
    for (std::size_t i = 0; i + 1 < events_.size(); ++i) {
      parts_[events_[i + 1].first].device_seconds +=
          events_[i].second.elapsedTime(events_[i + 1].second) / 1e3;
    }
    return parts_;
  }

 private:
  enum class Kind { nothing, own_kernel, made_of_others };
  struct Call : at::ObserverContext {
    Kind kind = Kind::nothing;
    bool hidden = false;  ///< below one that counts, or that launches nothing
    bool did = false;     ///< something of what it is made of was counted
    Call* caller = nullptr;
  };

  static StepTrace*& current() {
    static thread_local StepTrace* trace = nullptr;
    return trace;
  }

  static Kind kind_of(const at::RecordFunction& function) {
    static const std::set<std::string_view> nothing = {
        "aten::view",   "aten::_unsafe_view", "aten::_reshape_alias", "aten::slice",
        "aten::select", "aten::squeeze",      "aten::unsqueeze",      "aten::transpose",
        "aten::t",      "aten::permute",      "aten::expand",         "aten::as_strided",
        "aten::split",  "aten::alias",        "aten::detach",         "aten::unfold",
        "aten::empty",  "aten::empty_like",   "aten::empty_strided",  "aten::resize_",
        "aten::set_",   "aten::lift_fresh"};
    static std::map<std::string, Kind> known;
    const auto name = function.operator_name();
    if (!name) return Kind::made_of_others;
    const auto [at, is_new] = known.try_emplace(c10::toString(*name), Kind::made_of_others);
    if (!is_new) return at->second;
    const auto schema = c10::Dispatcher::singleton().findSchema(*name);
    if (nothing.contains(function.name())) {
      at->second = Kind::nothing;
    } else if (function.name() ==
                   std::string_view("aten::copy_") ||  // one function for all backends
               (schema && schema->hasKernelForDispatchKey(c10::DispatchKey::CPU))) {
      at->second = Kind::own_kernel;
    }
    return at->second;
  }

  static std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function) {
    auto call = std::make_unique<Call>();
    StepTrace* trace = current();
    if (trace == nullptr) return call;
    call->kind = kind_of(function);
    call->caller = std::exchange(trace->call_, call.get());
    const Call* caller = call->caller;
    call->hidden = caller != nullptr && (caller->hidden || caller->kind != Kind::made_of_others);
    return call;
  }

  static void end(const at::RecordFunction& function, at::ObserverContext* context) {
    StepTrace* trace = current();
    if (trace == nullptr) return;
    const auto& call = *static_cast<Call*>(context);
    trace->call_ = call.caller;
    const bool counts = !call.hidden && call.kind == Kind::own_kernel;
    if (call.caller != nullptr && (counts || call.did)) call.caller->did = true;
    const bool idle_copy =
        !call.hidden && !call.did && function.name() == std::string_view("aten::to");
    if (counts || idle_copy) ++trace->parts_[trace->part_].operators[function.name()];
  }

  /// The time since the last mark was the present part's.
  void mark() {
    const auto now = Clock::now();
    parts_[part_].host_seconds += std::chrono::duration<double>(now - last_).count();
    last_ = now;
    if (!device_.is_cuda()) return;
    events_.emplace_back(part_, c10::Event(device_.type(), c10::EventFlag::BACKEND_DEFAULT));
    events_.back().second.record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  }

  using Clock = std::chrono::steady_clock;
  at::Device device_;
  at::CallbackHandle callback_ = {};
  std::string part_ = "the rest";
  std::map<std::string, StepPart> parts_;
  Clock::time_point last_ = Clock::now();
  Call* call_ = nullptr;
  std::vector<std::pair<std::string, c10::Event>> events_;  ///< each at its part's end
};

/// A part's name while it lives; nothing without a trace.
class InPart {
 public:
  InPart(StepTrace* trace, std::string part) : trace_(trace) {
    if (trace_ != nullptr) before_ = trace_->switch_to(std::move(part));
  }
  ~InPart() {
    if (trace_ != nullptr) trace_->switch_to(before_);
  }
  InPart(const InPart&) = delete;
  InPart& operator=(const InPart&) = delete;

 private:
  StepTrace* trace_;
  std::string before_;
};

}  // namespace knnseq::benchmarks

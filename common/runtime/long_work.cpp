#include "runtime/long_work.hpp"

#include <chrono>
#include <exception>
#include <future>
#include <system_error>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"

namespace knnseq::runtime {

namespace {

std::future<void> start(const std::function<void()>& work) {
  try {
    return std::async(std::launch::async, work);
  } catch (const std::system_error& e) {  // what the system says does not name the cause
    throw core::SystemError(fmt::format(
        "no thread can be started, for want of memory or of threads that may run: {}", e.what()));
  }
}

}  // namespace

void run_beside(Progress& progress, const std::function<void()>& work,
                const std::function<std::int64_t()>& items_done) {
  auto result = start(work);
  while (result.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
    progress.add(items_done());
  }
  progress.add(items_done());
  result.get();
}

void agree_on_long_work(StageContext& context, const std::function<void()>& work) {
  Progress signs_of_life(context, "", 0);
  std::exception_ptr failure;
  try {
    run_beside(signs_of_life, work, [] { return 0; });
  } catch (...) {
    failure = std::current_exception();
  }
  signs_of_life.finish();
  comm::agree(context.comm, [&] {
    if (failure) std::rethrow_exception(failure);
  });
}

}  // namespace knnseq::runtime

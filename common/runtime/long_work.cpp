#include "runtime/long_work.hpp"

#include <chrono>
#include <exception>
#include <future>

#include "comm/agreement.hpp"

namespace knnseq::runtime {

void run_beside(Progress& progress, const std::function<void()>& work,
                const std::function<std::int64_t()>& items_done) {
  auto result = std::async(std::launch::async, work);
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

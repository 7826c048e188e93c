// Long local work during which the ranks keep giving each other signs of life.
#pragma once

#include <functional>

#include "runtime/progress.hpp"
#include "runtime/stage_context.hpp"

namespace knnseq::runtime {

/// Runs `work` on a thread beside this one and returns when it is done, or throws what it threw.
/// Meanwhile this thread adds to `progress` what `items_done` says has been done since it was asked
/// last, and gives the other ranks signs of life. `work` must call neither MPI nor HDF5.
void run_beside(Progress& progress, const std::function<void()>& work,
                const std::function<std::int64_t()>& items_done);

/// comm::agree() for work that may take longer than context.timeout_seconds on some ranks and not
/// on others, such as a user's filter or the unpacking of a large file: no rank takes a busy one
/// for dead. `work` must call neither MPI nor HDF5. Collective.
void agree_on_long_work(StageContext& context, const std::function<void()>& work);

}  // namespace knnseq::runtime

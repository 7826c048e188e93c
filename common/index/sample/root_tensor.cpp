#include "index/sample/root_tensor.hpp"

#include <algorithm>
#include <string>

#include "comm/agreement.hpp"
#include "core/error.hpp"

namespace knnseq::index {

at::Tensor compute_on_root(comm::Communicator& comm, at::IntArrayRef shape,
                           const std::function<at::Tensor()>& compute) {
  at::Tensor result = at::empty(shape, at::kFloat);
  comm::agree(comm, [&] {
    if (!comm.is_root()) return;
    try {
      result.copy_(compute());
    } catch (const c10::Error& e) {
      throw core::SystemError(std::string("a matrix decomposition failed: ") +
                              e.what_without_backtrace());
    }
  });
  comm.broadcast(std::span(result.mutable_data_ptr<float>(), result.numel()));
  return result;
}

}  // namespace knnseq::index

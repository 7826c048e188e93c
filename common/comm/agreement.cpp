#include "comm/agreement.hpp"

#include <new>
#include <string>

#include <fmt/format.h>

namespace knnseq::comm {

void agree(Communicator& comm, const std::function<void()>& work) {
  std::int64_t code = 0;
  std::string message;
  try {
    work();
  } catch (const core::Error& e) {
    code = static_cast<std::int64_t>(e.code());
    message = e.what();
  } catch (const std::bad_alloc&) {
    code = static_cast<std::int64_t>(core::ExitCode::failure);
    message = "out of memory";
  } catch (const std::runtime_error& e) {
    code = static_cast<std::int64_t>(core::ExitCode::failure);
    message = e.what();
  }
  const std::int64_t none = comm.size();
  const std::int64_t first =
      comm.all_reduce(code == 0 ? none : std::int64_t{comm.rank()}, Reduction::min);
  if (first == none) return;
  const int source = static_cast<int>(first);
  comm.broadcast(std::span(&code, 1), source);
  message = comm.broadcast_string(message, source);
  const auto exit_code = static_cast<core::ExitCode>(code);
  if (exit_code == core::ExitCode::failure && comm.size() > 1) {
    message = fmt::format("rank {}: {}", source, message);
  }
  throw AgreedError(core::Error(exit_code, message), comm);
}

}  // namespace knnseq::comm

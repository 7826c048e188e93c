#include "comm/agreement.hpp"

#include <array>
#include <new>
#include <string>

namespace knnseq::comm {

void agree(Communicator& comm, const std::function<void()>& work) {
  std::int64_t code = 0;
  std::int64_t is_list = 0;
  std::string message;
  try {
    work();
  } catch (const core::Error& e) {
    code = static_cast<std::int64_t>(e.code());
    is_list = e.is_list() ? 1 : 0;
    message = e.what();
  } catch (const std::bad_alloc&) {
    code = static_cast<std::int64_t>(core::ExitCode::failure);
    message = "out of memory";
  } catch (const std::logic_error&) {
    throw;
  } catch (const std::exception& e) {  // libtorch's have a backtrace after the first line
    code = static_cast<std::int64_t>(core::ExitCode::failure);
    message = core::first_line(e.what());
  }
  const std::int64_t none = comm.size();
  std::array<std::int64_t, 2> least = {code == 0 ? none : comm.rank(), code == 0 ? 0 : 1};
  comm.all_reduce(least, Reduction::min);
  const auto [first, of_all] = least;
  if (first == none) return;
  const int source = static_cast<int>(first);
  std::array<std::int64_t, 2> kind = {code, is_list};
  comm.broadcast(std::span<std::int64_t>(kind), source);
  message = comm.broadcast_string(message, source);
  throw AgreedError(core::Error(static_cast<core::ExitCode>(kind[0]), message, kind[1] != 0), comm,
                    source, of_all != 0);
}

void on_root(Communicator& comm, const std::function<void()>& work) {
  agree(comm, [&] {
    if (comm.is_root()) work();
  });
}

}  // namespace knnseq::comm

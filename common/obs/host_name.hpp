// The name of the machine, for messages.
#pragma once

#include <string>

#include <unistd.h>

namespace knnseq::obs {

inline std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof(name) - 1);
  return name;
}

}  // namespace knnseq::obs

# Writes ${OUTPUT}, which says of which commit ${SOURCE} is, if it does not say so already. Run at each build,
# since the commit changes without CMake's knowledge.
find_program(GIT git)
set(commit unknown)
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} describe --always --dirty --abbrev=12
    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(commit ${found})
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[#include "stages/build_commit.hpp"

namespace knnseq::stages {
const char* const build_commit = "@commit@";
}
]] @ONLY)

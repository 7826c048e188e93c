# How targets of this project are made: one library per module, tests with their ranks and time-outs.
add_library(knnseq_flags INTERFACE)
target_include_directories(knnseq_flags INTERFACE ${CMAKE_SOURCE_DIR}/common)
# MPI's old C++ bindings, which mpi.h would pull in.
target_compile_definitions(knnseq_flags INTERFACE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)
target_compile_options(knnseq_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wpedantic
  -Wno-maybe-uninitialized  # GCC 12 reports it falsely in nlohmann::json
  $<$<BOOL:${KNNSEQ_WERROR}>:-Werror>)
if(KNNSEQ_SANITIZE)
  target_compile_options(knnseq_flags INTERFACE -fsanitize=${KNNSEQ_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(knnseq_flags INTERFACE -fsanitize=${KNNSEQ_SANITIZE})
endif()

# Translation units with libtorch share one precompiled header: without it each costs 15 seconds.
file(WRITE ${CMAKE_BINARY_DIR}/torch_pch.cpp "")
add_library(knnseq_torch_pch OBJECT ${CMAKE_BINARY_DIR}/torch_pch.cpp)
target_link_libraries(knnseq_torch_pch PUBLIC knnseq_flags libtorch)
target_precompile_headers(knnseq_torch_pch PRIVATE <ATen/ATen.h>)

# knnseq_module(NAME SOURCES … [PUBLIC libs …] [PRIVATE libs …] [TORCH])
# One module of common/: the library knnseq_NAME. TORCH: its sources include ATen.
function(knnseq_module name)
  cmake_parse_arguments(arg "TORCH" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(knnseq_${name} STATIC ${arg_SOURCES})
  target_link_libraries(knnseq_${name} PUBLIC knnseq_flags ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  if(arg_TORCH)
    target_link_libraries(knnseq_${name} PUBLIC libtorch)
    target_precompile_headers(knnseq_${name} REUSE_FROM knnseq_torch_pch)
  endif()
endfunction()

set(knnseq_test_environment
  OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
  OMPI_MCA_btl_vader_single_copy_mechanism=none)

# knnseq_test(NAME SOURCES … LIBS … [RANKS 1 2 …] [TIMEOUT seconds] [TORCH])
# One Catch2 executable; with RANKS it is started by mpiexec once for each number of ranks.
function(knnseq_test name)
  cmake_parse_arguments(arg "TORCH" "TIMEOUT" "SOURCES;LIBS;RANKS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_compile_definitions(${name} PRIVATE KNNSEQ_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  if(arg_TORCH)
    target_link_libraries(${name} PRIVATE libtorch)
    target_precompile_headers(${name} REUSE_FROM knnseq_torch_pch)
  endif()
  if(arg_RANKS)
    target_link_libraries(${name} PRIVATE knnseq_test_mpi_main ${arg_LIBS})
    foreach(ranks ${arg_RANKS})
      add_test(NAME ${name}.${ranks}ranks
        COMMAND ${MPIEXEC_EXECUTABLE} -n ${ranks} $<TARGET_FILE:${name}>)
      set_tests_properties(${name}.${ranks}ranks PROPERTIES TIMEOUT ${arg_TIMEOUT}
        LABELS mpi PROCESSORS ${ranks} ENVIRONMENT "${knnseq_test_environment}")
    endforeach()
  else()
    target_link_libraries(${name} PRIVATE knnseq_test_main ${arg_LIBS})
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS unit
      ENVIRONMENT "${knnseq_test_environment}")
  endif()
endfunction()

# How targets of this project are made: one library per module, tests with their ranks and time-outs.
add_library(knnseq_flags INTERFACE)
target_include_directories(knnseq_flags INTERFACE ${CMAKE_SOURCE_DIR}/common)
# MPI's old C++ bindings, which mpi.h would pull in.
target_compile_definitions(knnseq_flags INTERFACE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)
set(shadow -Wshadow)
if(CMAKE_UNITY_BUILD)  # a parameter may have the name of another file's constant
  set(shadow $<$<CXX_COMPILER_ID:GNU>:-Wshadow=local>)
endif()
target_compile_options(knnseq_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;${shadow};-Wnon-virtual-dtor;-Wpedantic>"
  # GCC 12 reports it falsely in nlohmann::json
  $<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${KNNSEQ_WERROR}>>:-Werror>)
if(KNNSEQ_SANITIZE)
  # -O1: faster to compile, and its stack traces can be read. The standard library's own checks find
  # what stays inside an allocation.
  target_compile_options(knnseq_flags INTERFACE -fsanitize=${KNNSEQ_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g1)
  target_compile_definitions(knnseq_flags INTERFACE _GLIBCXX_ASSERTIONS)
  target_link_options(knnseq_flags INTERFACE -fsanitize=${KNNSEQ_SANITIZE})
endif()

# Translation units with libtorch share one precompiled header: without it each costs 15 seconds.
if(KNNSEQ_LIBTORCH)
  file(WRITE ${CMAKE_BINARY_DIR}/torch_pch.cpp "")
  add_library(knnseq_torch_pch OBJECT ${CMAKE_BINARY_DIR}/torch_pch.cpp)
  target_link_libraries(knnseq_torch_pch PUBLIC knnseq_flags libtorch)
  target_precompile_headers(knnseq_torch_pch PRIVATE <ATen/ATen.h>)
endif()

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

# knnseq_kernels(MODULE SOURCES …)
# Files of a module that are compiled once for each instruction set of core::InstructionSet, with its
# instructions switched on. core/compiled_for.hpp says what they must keep to.
set(knnseq_avx2_flags -mavx2 -mfma)
set(knnseq_avx512_flags ${knnseq_avx2_flags} -mavx512f -mavx512bw -mavx512dq -mavx512vl)
set(knnseq_avx512_vbmi_flags ${knnseq_avx512_flags} -mavx512vbmi)
function(knnseq_kernels module)
  cmake_parse_arguments(arg "" "" "SOURCES" ${ARGN})
  set(instruction_sets baseline)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(APPEND instruction_sets avx2 avx512 avx512_vbmi)
  endif()
  foreach(set ${instruction_sets})
    set(name knnseq_${module}_${set})
    add_library(${name} OBJECT ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE knnseq_flags)
    # GCC's default: products are fused with sums if the instruction set can. clang's is another.
    set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)  # they differ in their options
    target_compile_options(${name} PRIVATE -ffp-contract=fast ${knnseq_${set}_flags})
    target_compile_definitions(${name} PRIVATE KNNSEQ_INSTRUCTION_SET=${set})
    target_sources(knnseq_${module} PRIVATE $<TARGET_OBJECTS:${name}>)
  endforeach()
endfunction()

set(knnseq_test_environment
  OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
  OMPI_MCA_btl_vader_single_copy_mechanism=none
  OMPI_MCA_mpi_yield_when_idle=1)  # ranks that wait leave their core to other tests
set(knnseq_slowdown 1)  # of tests
if(KNNSEQ_SANITIZE)
  set(knnseq_slowdown 10)
  set(support ${CMAKE_SOURCE_DIR}/tests/support)
  set(leaks LSAN_OPTIONS=suppressions=${support}/library_leaks.supp:print_suppressions=0)
  list(APPEND knnseq_test_environment
    ${leaks}
    UBSAN_OPTIONS=print_stacktrace=1
    TSAN_OPTIONS=ignore_noninstrumented_modules=1)
  # Open MPI's plug-ins are built without frame pointers: only the slow unwinder sees who allocated.
  # use_tls=0: the search for leaks crashes in the thread-local memory of its threads.
  set(knnseq_mpi_test_environment ASAN_OPTIONS=fast_unwind_on_malloc=0 ${leaks}:use_tls=0)
endif()

# knnseq_test(NAME SOURCES … LIBS … [RANKS 1 2 …] [TIMEOUT seconds] [TORCH] [OPTIMISED])
# One Catch2 executable; with RANKS it is started by mpiexec once for each number of ranks.
function(knnseq_test name)
  cmake_parse_arguments(arg "TORCH;OPTIMISED" "TIMEOUT" "SOURCES;LIBS;RANKS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  math(EXPR arg_TIMEOUT "${arg_TIMEOUT} * ${knnseq_slowdown}")
  add_executable(${name} ${arg_SOURCES})
  add_dependencies(knnseq_tests ${name})
  if(KNNSEQ_SANITIZE)
    target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/keep_libraries.cpp)
    set_target_properties(${name} PROPERTIES ENABLE_EXPORTS ON)
  endif()
  target_compile_definitions(${name} PRIVATE KNNSEQ_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  if(NOT arg_OPTIMISED)
    target_compile_options(${name} PRIVATE -O1)  # what they test is optimised; they compile faster
  endif()
  if(arg_TORCH)
    target_link_libraries(${name} PRIVATE libtorch knnseq_without_cuda)
    target_precompile_headers(${name} REUSE_FROM knnseq_torch_pch)
  endif()
  if(arg_RANKS)
    target_link_libraries(${name} PRIVATE knnseq_test_mpi_main ${arg_LIBS})
    foreach(ranks ${arg_RANKS})
      add_test(NAME ${name}.${ranks}ranks
        COMMAND ${MPIEXEC_EXECUTABLE} -n ${ranks} $<TARGET_FILE:${name}>)
      set_tests_properties(${name}.${ranks}ranks PROPERTIES TIMEOUT ${arg_TIMEOUT}
        LABELS mpi PROCESSORS ${ranks}
        ENVIRONMENT "${knnseq_test_environment};${knnseq_mpi_test_environment}")
    endforeach()
  else()
    target_link_libraries(${name} PRIVATE knnseq_test_main ${arg_LIBS})
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS unit
      ENVIRONMENT "${knnseq_test_environment}")
  endif()
endfunction()

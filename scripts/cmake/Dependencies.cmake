# Third-party libraries, each as an imported target. What CMAKE_PREFIX_PATH points at is taken first.
find_package(Threads REQUIRED)
find_package(MPI REQUIRED COMPONENTS C)
find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
find_package(ZLIB REQUIRED)
find_package(nlohmann_json REQUIRED)
set(HDF5_PREFER_PARALLEL TRUE)
find_package(HDF5 REQUIRED COMPONENTS C)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "This HDF5 was built without MPI. Install libhdf5-openmpi-dev, or point "
                      "HDF5_ROOT at a parallel build.")
endif()
find_package(PkgConfig REQUIRED)
pkg_check_modules(sentencepiece REQUIRED IMPORTED_TARGET sentencepiece)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)

if(NOT KNNSEQ_LIBTORCH)
  return()
endif()

# libtorch: the wheel that scripts/install_deps.sh unpacked, or the user's own. Its find_package
# looks for CUDA even where only the CPU library is wanted, so the two libraries are named here.
set(libtorch_fallback ${CMAKE_SOURCE_DIR}/.deps/libtorch/torch)
find_path(LIBTORCH_INCLUDE_DIR ATen/ATen.h PATHS ${libtorch_fallback}/include)
find_library(LIBTORCH_CPU torch_cpu PATHS ${libtorch_fallback}/lib)
find_library(LIBTORCH_C10 c10 PATHS ${libtorch_fallback}/lib)
if(NOT LIBTORCH_INCLUDE_DIR OR NOT LIBTORCH_CPU OR NOT LIBTORCH_C10)
  message(FATAL_ERROR "libtorch was not found. Run scripts/install_deps.sh, or give your own with "
                      "-DCMAKE_PREFIX_PATH=/path/to/libtorch.")
endif()
# Its own OpenMP runtime serves the whole program: two of them in one process fight over the cores.
get_filename_component(libtorch_folder ${LIBTORCH_CPU} DIRECTORY)
if(EXISTS ${libtorch_folder}/libgomp.so.1)
  set(OpenMP_gomp_LIBRARY ${libtorch_folder}/libgomp.so.1 CACHE FILEPATH "OpenMP runtime")
endif()

find_package(OpenMP REQUIRED)  # faiss's own CMake file needs it to be found first
find_package(faiss REQUIRED)

# libtorch's include folder also holds other libraries' headers (fmt, pybind11, …) that would shadow
# the ones used here, so the compiler sees links to its own four folders only.
set(libtorch_headers ${CMAKE_BINARY_DIR}/libtorch-include)
file(MAKE_DIRECTORY ${libtorch_headers})
foreach(folder ATen c10 caffe2 torch)
  file(CREATE_LINK ${LIBTORCH_INCLUDE_DIR}/${folder} ${libtorch_headers}/${folder} SYMBOLIC)
endforeach()
add_library(libtorch INTERFACE)
target_include_directories(libtorch SYSTEM INTERFACE ${libtorch_headers})
# OpenMP: at::parallel_for is inlined, and runs serially in code compiled without it.
target_link_libraries(libtorch INTERFACE ${LIBTORCH_CPU} ${LIBTORCH_C10} OpenMP::OpenMP_CXX)
# First on the link line, so that libtorch's own BLAS serves it and faiss. The other way round
# libtorch's matrix products would be served by the system's BLAS, and round as that one does.
# Only SentencePiece comes before it: both export a FLAGS_minloglevel, of 4 bytes in libc10 and of 32 in
# libsentencepiece, which fills all of whichever comes first; over libc10's it would destroy a mutex.
find_library(SENTENCEPIECE sentencepiece PATHS ${sentencepiece_LIBRARY_DIRS} REQUIRED)
target_link_options(libtorch INTERFACE
  "SHELL:-Wl,--push-state,--no-as-needed ${SENTENCEPIECE} ${LIBTORCH_CPU} -Wl,--pop-state")

# Third-party libraries, each as an imported target. What CMAKE_PREFIX_PATH points at is taken first.
find_package(Threads REQUIRED)
find_package(MPI REQUIRED COMPONENTS C)
find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
find_package(BZip2 REQUIRED)
find_package(LibLZMA REQUIRED)
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
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
pkg_check_modules(crypto REQUIRED IMPORTED_TARGET libcrypto)  # what its headers call, since 0.18
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
# The allocator of the programs. Nothing calls it by name, so it must not be dropped as unneeded. Sanitizers have
# one of their own.
add_library(knnseq_allocator INTERFACE)
if(KNNSEQ_TCMALLOC AND NOT KNNSEQ_SANITIZE)
  pkg_check_modules(tcmalloc IMPORTED_TARGET libtcmalloc_minimal)
  if(NOT tcmalloc_FOUND)
    message(FATAL_ERROR "gperftools was not found (libtcmalloc_minimal.pc). Install libgoogle-perftools-dev, or "
                        "do without by -DKNNSEQ_TCMALLOC=OFF: decoding takes 2 to 5 % longer.")
  endif()
  target_link_options(knnseq_allocator INTERFACE
    "SHELL:-Wl,--push-state,--no-as-needed ${tcmalloc_LINK_LIBRARIES} -Wl,--pop-state")
endif()

if(NOT KNNSEQ_LIBTORCH)
  return()
endif()

# libtorch: the wheel that scripts/install_deps.sh unpacked, or the user's own. Its find_package
# looks for CUDA even if only the CPU library is wanted, so the two libraries are named here.
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
find_package(faiss REQUIRED PATHS ${CMAKE_SOURCE_DIR}/.deps/faiss)  # where docs/install.md puts Ubuntu's

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

if(KNNSEQ_CUDA)
  # The CUDA half of the same libtorch, and what it needs in order to link and to start.
  find_package(CUDAToolkit 12 REQUIRED)
  find_library(LIBTORCH_CUDA torch_cuda PATHS ${libtorch_fallback}/lib)
  find_library(LIBTORCH_C10_CUDA c10_cuda PATHS ${libtorch_fallback}/lib)
  find_library(NCCL_LIBRARY nccl HINTS ${CUDAToolkit_LIBRARY_DIR})
  find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  if(NOT LIBTORCH_CUDA OR NOT LIBTORCH_C10_CUDA)
    message(FATAL_ERROR "-DKNNSEQ_CUDA=ON needs a libtorch with CUDA. Run scripts/install_deps.sh "
                        "--cuda, or give your own with -DCMAKE_PREFIX_PATH=/path/to/libtorch.")
  endif()
  if(NOT NCCL_LIBRARY OR NOT NCCL_INCLUDE_DIR)
    message(FATAL_ERROR "-DKNNSEQ_CUDA=ON needs NCCL (libnccl.so and nccl.h); give its folder with "
                        "-DCMAKE_PREFIX_PATH.")
  endif()
  add_library(libtorch_cuda INTERFACE)
  target_include_directories(libtorch_cuda SYSTEM INTERFACE
    ${CUDAToolkit_INCLUDE_DIRS} ${NCCL_INCLUDE_DIR})
  # libtorch_cuda registers its operators when it is loaded: it must not be dropped as unneeded.
  target_link_options(libtorch_cuda INTERFACE
    "SHELL:-Wl,--push-state,--no-as-needed ${LIBTORCH_CUDA} -Wl,--pop-state")
  target_link_libraries(libtorch_cuda INTERFACE
    libtorch ${LIBTORCH_CUDA} ${LIBTORCH_C10_CUDA} CUDA::cudart ${NCCL_LIBRARY})
  # What scripts/install_deps.sh --cuda installed. As the old kind of path, which also holds for the
  # libraries that libtorch_cuda looks for.
  target_link_options(libtorch_cuda INTERFACE LINKER:--disable-new-dtags)
  file(GLOB libtorch_wheels ${CMAKE_SOURCE_DIR}/.deps/libtorch-cuda/nvidia/*/lib)
  foreach(folder ${libtorch_wheels} ${CUDAToolkit_LIBRARY_DIR})
    target_link_options(libtorch_cuda INTERFACE "LINKER:-rpath-link,${folder}" "LINKER:-rpath,${folder}")
  endforeach()
  # faiss's own index for GPUs: an alternative to ours if this faiss was built with it. Debian's was not.
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_LIBRARIES faiss CUDA::cudart CUDA::cublas)
  check_cxx_source_compiles("
    #include <faiss/gpu/GpuIndexIVFPQ.h>
    #include <faiss/gpu/StandardGpuResources.h>
    int main() {
      faiss::gpu::StandardGpuResources resources;
      return faiss::gpu::GpuIndexIVFPQ(&resources, 8, 1, 8, 8).getNumSubQuantizers();
    }" KNNSEQ_FAISS_GPU)
  unset(CMAKE_REQUIRED_LIBRARIES)
endif()

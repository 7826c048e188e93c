"""A Spack package of knnseq for CPUs. In a repository of one's own:

    spack repo create my-repo && spack repo add my-repo
    mkdir -p my-repo/packages/knnseq && cp scripts/recipes/spack/package.py my-repo/packages/knnseq/
    spack dev-build -d /path/to/this/project knnseq@main

docs/install.md says how far this was tried.
"""
from spack.package import *  # noqa: F403


class Knnseq(CMakePackage):  # noqa: F405
    """kNN machine translation as a pipeline of MPI processes."""

    license("MIT")  # noqa: F405
    version("main")  # noqa: F405  # by dev-build: the sources are those of the project's folder

    depends_on("c", type="build")  # noqa: F405
    depends_on("cxx", type="build")  # noqa: F405
    depends_on("cmake@3.25:", type="build")  # noqa: F405
    depends_on("ninja", type="build")  # noqa: F405
    depends_on("pkgconfig", type="build")  # noqa: F405
    depends_on("mpi")  # noqa: F405
    depends_on("hdf5@1.10:+mpi")  # noqa: F405
    depends_on("faiss@1.7.3:~cuda~python")  # noqa: F405
    depends_on("blas")  # noqa: F405
    depends_on("lapack")  # noqa: F405
    depends_on("py-torch@2.11:~cuda", type=("build", "link", "run"))  # noqa: F405
    for name in ("yaml-cpp@0.7:", "fmt@9:", "nlohmann-json@3.11:", "xxhash@0.8:", "sentencepiece@0.1.97:",
                 "cpp-httplib@0.11:+ssl", "gperftools@2.10:", "zlib-api", "bzip2", "xz", "zstd"):
        depends_on(name)  # noqa: F405

    def cmake_args(self):
        torch = join_path(self.spec["py-torch"].prefix, python_platlib, "torch")  # noqa: F405
        return [self.define("KNNSEQ_TESTS", False), self.define("CMAKE_PREFIX_PATH", torch)]

# cmake --install: the program and what its users need beside it. docs/install.md says what lies where.
include(GNUInstallDirs)
set(programs knnseq)
if(KNNSEQ_CUDA)
  list(APPEND programs knnseq-cuda)
endif()
# Installed programs look for libtorch and the others where they were built with them. CMake leaves folders of
# this project out by itself, as .deps is.
set_target_properties(${programs} PROPERTIES
  INSTALL_RPATH_USE_LINK_PATH ON INSTALL_RPATH ${libtorch_folder})
install(TARGETS ${programs} RUNTIME)

set(data ${CMAKE_INSTALL_DATADIR}/knnseq)
foreach(script check_datastore export_sentence_encoder export_torchscript import_fairseq reference_knnmt to_safetensors)
  install(PROGRAMS scripts/${script}.py DESTINATION ${data}/scripts)
endforeach()
foreach(module knnseq knn_mixing python_packages reference_fairseq reference_policies reference_subset run_files
    tensor_files)
  install(FILES scripts/${module}.py DESTINATION ${data}/scripts)
endforeach()
install(FILES scripts/requirements-dev.txt DESTINATION ${data}/scripts)
install(DIRECTORY configs DESTINATION ${data})
install(DIRECTORY slurm DESTINATION ${data} USE_SOURCE_PERMISSIONS PATTERN cluster.sh EXCLUDE)
install(FILES scripts/knnseq-completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME knnseq)
install(FILES README.md LICENSE CITATION.cff DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})

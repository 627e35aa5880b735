# The libraries that a cross build needs, from headers and sources that know no architecture. Only
# their own folders are shown to the compiler: the other headers beside them are this machine's.
set(header_only ${CMAKE_BINARY_DIR}/header_only)
foreach(name fmt spdlog boost)
  if(NOT EXISTS /usr/include/${name})
    message(FATAL_ERROR "/usr/include/${name} is missing: run tools/setup.sh aarch64")
  endif()
  file(MAKE_DIRECTORY ${header_only})
  file(CREATE_LINK /usr/include/${name} ${header_only}/${name} SYMBOLIC)
endforeach()

function(quire_header_only target)
  add_library(${target} INTERFACE IMPORTED)
  target_include_directories(${target} INTERFACE ${header_only})
  target_compile_definitions(${target} INTERFACE ${ARGN})
endfunction()
quire_header_only(fmt::fmt FMT_HEADER_ONLY)
quire_header_only(spdlog::spdlog SPDLOG_FMT_EXTERNAL FMT_HEADER_ONLY)
quire_header_only(Boost::headers)

add_subdirectory(/usr/src/googletest ${CMAKE_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)

# quire_room(NAME LINKS targets... [APART folders...]): one folder of src/ is one static library
# `quire_NAME`, one test program `NAME_test` (all *_test.cc of the folder) and one benchmark program
# `NAME_bench`. A folder of headers alone becomes an interface library.

# The same few headers open most units: with QUIRE_COMMON_HEADERS they are read once for all rooms;
# where it is TESTS, once more for tests, with those of the test library. That each unit names what
# it uses is shown unit by unit for our own headers (release) and folder by folder for these (tsan).
# Not <filesystem>: it brings std::quoted.
set(quire_common_headers <algorithm> <array> <atomic> <chrono> <cmath> <condition_variable>
    <cstring> <deque> <fstream> <functional> <limits> <map> <memory> <mutex> <numeric> <optional>
    <random> <set> <span> <sstream> <string> <string_view> <thread> <unordered_map> <utility>
    <variant> <vector> <fmt/format.h>)
function(quire_use_common_headers target)
  if(NOT QUIRE_COMMON_HEADERS)
    return()
  elseif(target STREQUAL quire_base)
    target_precompile_headers(${target} PRIVATE ${quire_common_headers})
  else()
    target_precompile_headers(${target} REUSE_FROM quire_base)
  endif()
  # In headers that were read beforehand GCC 12 reports what it keeps silent about in the system's:
  # overflows in std::string's own operator+.
  target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow)
endfunction()

# A program of tests. What it is compiled with costs more than what it runs for, so an optimised
# build optimises tests little; what they test it optimises as ever.
function(quire_test_program target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  if(QUIRE_COMMON_HEADERS STREQUAL TESTS)
    if(target STREQUAL base_test)
      target_precompile_headers(${target} PRIVATE ${quire_common_headers} <gmock/gmock.h>
                                                  <gtest/gtest.h>)
    else()
      target_precompile_headers(${target} REUSE_FROM base_test)
    endif()
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow)
  endif()
endfunction()

# Where the sources are, for those that ask: a path in the flags of all the others would keep one
# checkout from using what ccache has compiled for another.
function(quire_tell_source_dir)
  foreach(source ${ARGN})
    file(STRINGS ${source} asks REGEX QUIRE_SOURCE_DIR LIMIT_COUNT 1)
    if(asks)
      set_property(SOURCE ${source} APPEND PROPERTY COMPILE_DEFINITIONS
                   QUIRE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    endif()
  endforeach()
endfunction()

# Where QUIRE_UNITY names a room, the units of each of its folders are compiled as one, its tests as
# another: what a unit costs is mostly the templates that it shares with its neighbours, and the
# sanitizers double that. So two units of one folder give no two things the same name. `apart` are
# folders whose units are tables of one pattern, with the same names in each.
function(quire_unite target name apart)
  if(NOT name IN_LIST QUIRE_UNITY)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  # What is local to a unit is taken for a header's, since another file includes it.
  target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  get_target_property(sources ${target} SOURCES)
  foreach(source ${sources})
    cmake_path(GET source PARENT_PATH folder)
    file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR}/src ${folder})
    if(NOT folder IN_LIST apart)
      string(REPLACE / _ group ${folder})
      set_property(SOURCE ${source} PROPERTY UNITY_GROUP ${group})
    endif()
  endforeach()
endfunction()

function(quire_room name)
  cmake_parse_arguments(ROOM "" "" "LINKS;APART" ${ARGN})
  set(folder ${CMAKE_SOURCE_DIR}/src/${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cc)
  set(tests ${sources})
  set(benches ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|/main)\\.cc$")

  if(sources)
    add_library(quire_${name} STATIC ${sources})
    target_include_directories(quire_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(quire_${name} PUBLIC ${ROOM_LINKS})
    set_property(GLOBAL APPEND PROPERTY quire_libraries quire_${name})
    quire_use_common_headers(quire_${name})
    quire_unite(quire_${name} ${name} "${ROOM_APART}")
  else()
    add_library(quire_${name} INTERFACE)
    target_include_directories(quire_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(quire_${name} INTERFACE ${ROOM_LINKS})
  endif()

  if(QUIRE_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE quire_${name} GTest::gmock GTest::gtest_main)
    quire_tell_source_dir(${tests})
    quire_test_program(${name}_test)
    quire_unite(${name}_test ${name} "${ROOM_APART}")
    add_test(NAME ${name} COMMAND ${name}_test)
  endif()
  if(QUIRE_BENCHES AND benches)
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE quire_${name} benchmark::benchmark_main)
    quire_tell_source_dir(${benches})
  endif()
endfunction()

# The fuzzers: quire_fuzz, one program for all of tests/fuzz/targets (tests/fuzz/libfuzzer.cc). Our
# units are compiled by GCC with -fsanitize-coverage, the loop around them is libFuzzer's library of
# Debian's libclang-rt-14-dev; tests/fuzz/counters.cc joins the two. Of the front door only what
# reads bytes is compiled; what such a unit calls in functions that nobody calls is never linked
# (--gc-sections).
file(GLOB fuzz_runtime /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a)
if(NOT fuzz_runtime)
  message(FATAL_ERROR "libFuzzer's library is missing: run tools/setup.sh fuzz")
endif()
list(GET fuzz_runtime -1 fuzz_runtime)

set(serve ${CMAKE_SOURCE_DIR}/src/serve)
file(GLOB fuzz_readers CONFIGURE_DEPENDS ${serve}/answer/formats/*.cc)
list(FILTER fuzz_readers EXCLUDE REGEX "_test\\.cc$")
foreach(unit argument_types call_reader literals parts value_scan)
  list(APPEND fuzz_readers ${serve}/answer/${unit}.cc)
endforeach()
foreach(unit api_error field_notes fields generation)
  list(APPEND fuzz_readers ${serve}/intake/${unit}.cc)
endforeach()
foreach(unit infer_json inference/tensor)
  list(APPEND fuzz_readers ${serve}/dialects/kserve/${unit}.cc)
endforeach()
foreach(unit store/modelfile/modelfile store/modelfile/model_dress
        host/repository/config_schema host/repository/config_text host/repository/config_values
        host/repository/model_config host/repository/expression/value
        host/repository/expression/texts host/repository/expression/shapes
        host/repository/expression/functions host/repository/expression/expression)
  list(APPEND fuzz_readers ${CMAKE_SOURCE_DIR}/src/${unit}.cc)
endforeach()
foreach(unit asio_source message quality request_gate request_head body/content_coding)
  list(APPEND fuzz_readers ${serve}/http/${unit}.cc)
endforeach()

add_executable(quire_fuzz ${fuzz_sources} ${fuzz_readers}
               ${CMAKE_SOURCE_DIR}/tests/fuzz/libfuzzer.cc
               ${CMAKE_SOURCE_DIR}/tests/fuzz/planted.cc
               ${CMAKE_SOURCE_DIR}/tests/fuzz/counters.cc)
target_include_directories(quire_fuzz PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz)
target_link_libraries(quire_fuzz PRIVATE quire_text quire_formats quire_core Boost::headers
                      OpenSSL::Crypto ZLIB::ZLIB PkgConfig::libzstd ${fuzz_runtime})
target_link_options(quire_fuzz PRIVATE -Wl,--wrap=__sanitizer_cov_trace_pc)
quire_use_common_headers(quire_fuzz)

# Programs under tests/ that need both wings: golden tokens and batch invariance against references,
# the step contract on every executor,
# the grammars of others that tests/holds/schemas reads, the logits that tests/holds/triton_client
# compares with,
# what the fuzzers begin with and have found, without a fuzzer (cmake/fuzz.cmake),
# and the hash of logits that tests/holds/equal_builds compares between builds.
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/target.cc
     ${CMAKE_SOURCE_DIR}/tests/fuzz/targets/*.cc)
if(QUIRE_TESTS)
  file(GLOB golden CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/golden/*.cc
       ${CMAKE_SOURCE_DIR}/tests/golden/*/*.cc)
  if(golden)
    add_executable(golden_test ${golden})
    target_include_directories(golden_test PRIVATE ${CMAKE_SOURCE_DIR}/tests
                                                   ${CMAKE_SOURCE_DIR}/tests/golden
                                                   ${CMAKE_SOURCE_DIR}/tests/golden/tiny)
    target_link_libraries(golden_test PRIVATE quire_engine quire_lab GTest::gmock GTest::gtest_main)
    quire_tell_source_dir(${golden})
    quire_test_program(golden_test)
    add_test(NAME golden COMMAND golden_test)
  endif()

  file(GLOB conformance CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/conformance/*.cc)
  add_executable(conformance_test ${conformance})
  target_include_directories(conformance_test PRIVATE ${CMAKE_SOURCE_DIR}/tests/conformance)
  target_link_libraries(conformance_test PRIVATE quire_sim quire_lab GTest::gmock GTest::gtest_main)
  quire_test_program(conformance_test)
  add_test(NAME conformance COMMAND conformance_test)

  add_executable(grammar_corpus ${CMAKE_SOURCE_DIR}/tests/grammars/grammar_corpus.cc)
  target_link_libraries(grammar_corpus PRIVATE quire_text GTest::gmock GTest::gtest_main)

  add_executable(logits_rows ${CMAKE_SOURCE_DIR}/tests/logits_rows.cc
                 ${CMAKE_SOURCE_DIR}/tests/golden/testbed.cc)
  target_include_directories(logits_rows PRIVATE ${CMAKE_SOURCE_DIR}/tests/golden)
  target_link_libraries(logits_rows PRIVATE quire_engine quire_lab)
  quire_tell_source_dir(${CMAKE_SOURCE_DIR}/tests/golden/testbed.cc)

  set(replay ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_test.cc)
  add_executable(fuzz_replay_test ${fuzz_sources} ${replay})
  target_include_directories(fuzz_replay_test PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz)
  target_link_libraries(fuzz_replay_test PRIVATE quire_serve GTest::gmock GTest::gtest_main)
  quire_tell_source_dir(${replay})
  quire_test_program(fuzz_replay_test)
  add_test(NAME fuzz_replay COMMAND fuzz_replay_test)
endif()

# Its part of the lab alone: the sanitizer builds need not compile the load generator.
set(lab ${CMAKE_SOURCE_DIR}/src/lab)
add_executable(logits_hash ${CMAKE_SOURCE_DIR}/tests/logits_hash.cc
               ${lab}/logits_hash.cc ${lab}/random_model.cc ${lab}/random_blocks.cc
               ${lab}/model_cost.cc ${lab}/bench/bench_model.cc ${lab}/bench/op_times.cc)
target_link_libraries(logits_hash PRIVATE quire_runtime)

# The Rust crate text-rs as an imported static library, built by cargo with the committed lock file.
# It is shared by every preset: its folder is build/text-rs whatever the preset.
find_program(QUIRE_CARGO cargo HINTS $ENV{HOME}/.cargo/bin REQUIRED)
set(text_rs_folder ${CMAKE_SOURCE_DIR}/text-rs)
set(text_rs_target ${CMAKE_SOURCE_DIR}/build/text-rs CACHE PATH "where cargo builds")
set(text_rs_archive ${text_rs_target}/release/libquire_text.a)
file(GLOB text_rs_sources CONFIGURE_DEPENDS ${text_rs_folder}/src/*.rs)
add_custom_command(
  OUTPUT ${text_rs_archive}
  COMMAND ${CMAKE_COMMAND} -E env CARGO_TARGET_DIR=${text_rs_target}
          ${QUIRE_CARGO} build --release --locked --quiet
          --manifest-path ${text_rs_folder}/Cargo.toml
  DEPENDS ${text_rs_sources} ${text_rs_folder}/Cargo.toml ${text_rs_folder}/Cargo.lock
  COMMENT "cargo build text-rs"
  VERBATIM USES_TERMINAL)
add_custom_target(quire_text_rs_build DEPENDS ${text_rs_archive})
add_library(quire_text_rs INTERFACE)
add_dependencies(quire_text_rs quire_text_rs_build)
target_include_directories(quire_text_rs INTERFACE ${text_rs_folder}/include)
target_link_libraries(quire_text_rs INTERFACE ${text_rs_archive} Threads::Threads dl m)

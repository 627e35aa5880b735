# odr_check: every unit of the shipped program as intermediate code, joined by the compiler, which
# refuses a type or function that two units define or declare differently (the One Definition
# Rule). Nothing is optimised, and no machine code is made: -flinker-output=rel stops after joining,
# and so the crate, the page and the system's libraries are not looked at. That joining refuses
# anything is shown first, by a violation that tests/odr plants.
get_property(odr_targets GLOBAL PROPERTY quire_libraries)
list(APPEND odr_targets quire)
add_library(odr_planted OBJECT tests/odr/one.cc tests/odr/other.cc)

set(odr_objects "")
foreach(target ${odr_targets})
  list(APPEND odr_objects $<TARGET_OBJECTS:${target}>)
endforeach()

set(odr_list ${CMAKE_BINARY_DIR}/odr_objects.txt)
file(GENERATE OUTPUT ${odr_list}
     CONTENT "$<JOIN:$<FILTER:${odr_objects},EXCLUDE,[.]gch$>,\n>\n")
set(odr_join ${CMAKE_CXX_COMPILER} -O0 -flto=auto -r -flinker-output=rel -nostdlib -fuse-ld=bfd
             -Werror=odr -Werror=lto-type-mismatch -o)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/odr_planted.txt
  COMMAND sh -c "\"$@\" 2>&1 | tee odr_planted.txt | grep -q 'Werror=odr'" join
          ${odr_join} odr_planted.o $<TARGET_OBJECTS:odr_planted>
  DEPENDS $<TARGET_OBJECTS:odr_planted>
  COMMAND_EXPAND_LISTS VERBATIM
  COMMENT "a planted violation must be refused")
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/odr.o
  COMMAND ${odr_join} odr.o @${odr_list}
  DEPENDS ${odr_objects} ${odr_list} ${CMAKE_BINARY_DIR}/odr_planted.txt
  COMMAND_EXPAND_LISTS VERBATIM
  COMMENT "join all units and compare their definitions")
add_custom_target(odr_check DEPENDS ${CMAKE_BINARY_DIR}/odr.o)

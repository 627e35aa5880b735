# Messages of gRPC's services: protoc makes their code from src/rpc/proto in the build folder, so
# that nothing generated is committed. One library, which only the room rpc and its test see.
pkg_check_modules(grpcpp REQUIRED IMPORTED_TARGET grpc++ protobuf)
find_program(QUIRE_PROTOC protoc REQUIRED)
find_program(QUIRE_GRPC_PLUGIN grpc_cpp_plugin REQUIRED)

set(rpc_source ${CMAKE_SOURCE_DIR}/src/rpc)
set(rpc_output ${CMAKE_BINARY_DIR}/rpc_messages)
file(MAKE_DIRECTORY ${rpc_output})
set(rpc_generated "")
foreach(name inference model_config health)
  set(made ${rpc_output}/proto/${name})
  add_custom_command(
    OUTPUT ${made}.pb.cc ${made}.pb.h ${made}.grpc.pb.cc ${made}.grpc.pb.h
    COMMAND ${QUIRE_PROTOC} -I${rpc_source} --cpp_out=${rpc_output} --grpc_out=${rpc_output}
            --plugin=protoc-gen-grpc=${QUIRE_GRPC_PLUGIN} proto/${name}.proto
    DEPENDS ${rpc_source}/proto/inference.proto ${rpc_source}/proto/model_config.proto
            ${rpc_source}/proto/health.proto
    COMMENT "protoc ${name}.proto"
    VERBATIM)
  list(APPEND rpc_generated ${made}.pb.cc ${made}.grpc.pb.cc)
endforeach()
add_library(quire_rpc_messages STATIC ${rpc_generated})
target_include_directories(quire_rpc_messages SYSTEM PUBLIC ${rpc_output})
target_compile_options(quire_rpc_messages PRIVATE -w)
target_link_libraries(quire_rpc_messages PUBLIC PkgConfig::grpcpp)

// The functions of the table in target.cc; what each of them reads and holds to stands there.
#pragma once

#include <string>
#include <string_view>

namespace quire::fuzz {

std::string chat_template(std::string_view input);
std::string json_schema(std::string_view input);
std::string regex(std::string_view input);
std::string lark(std::string_view input);
std::string gbnf(std::string_view input);
std::string tool_calls(std::string_view input);
std::string json(std::string_view input);
std::string config_json(std::string_view input);
std::string gguf(std::string_view input);
std::string safetensors(std::string_view input);
std::string request_head(std::string_view input);
std::string modelfile(std::string_view input);
std::string go_template(std::string_view input);
std::string config_pbtxt(std::string_view input);
std::string binary_tensor(std::string_view input);
std::string expression(std::string_view input);

}  // namespace quire::fuzz

#include "serve/intake/document/field_shapes.h"

#include <algorithm>

namespace quire {
namespace {

constexpr std::string_view kAnything = "{}";
constexpr std::string_view kWords = R"({"type":["string","null"]})";
constexpr std::string_view kText = R"({"type":"string","minLength":1})";
constexpr std::string_view kObject = R"({"type":["object","null"]})";
constexpr std::string_view kTexts =
    R"({"type":["array","null"],"items":{"type":"string","minLength":1}})";
constexpr std::string_view kTextOrTexts =
    R"({"anyOf":[{"type":"string","minLength":1},)"
    R"({"type":"array","minItems":1,"items":{"type":"string","minLength":1}}]})";
constexpr std::string_view kStops =
    R"({"anyOf":[{"type":"null"},{"type":"string","minLength":1},)"
    R"({"type":"array","items":{"type":"string","minLength":1}}]})";
constexpr std::string_view kTokens =
    R"({"type":["array","null"],"minItems":1,"items":{"type":"integer","minimum":0}})";
constexpr std::string_view kTextOrTokens =
    R"({"anyOf":[{"type":"string","minLength":1},)"
    R"({"type":"array","minItems":1,"items":{"type":"string","minLength":1}},)"
    R"({"type":"array","minItems":1,"items":{"type":"integer","minimum":0}}]})";
constexpr std::string_view kTurns =
    R"({"type":"array","minItems":1,"items":{"type":"object","required":["role","content"],)"
    R"("additionalProperties":false,"properties":{"role":{"enum":["user","assistant"]},)"
    R"("content":{"anyOf":[{"type":"string","minLength":1},{"type":"array","minItems":1,)"
    R"("items":{"type":"object","required":["type","text"],"additionalProperties":false,)"
    R"("properties":{"type":{"const":"text"},"text":{"type":"string","minLength":1}}}}]}}}})";
constexpr std::string_view kConversations =
    R"({"type":"array","minItems":1,"maxItems":128,"items":{"type":"array","minItems":1,)"
    R"("items":{"type":"object","required":["role","content"],"additionalProperties":false,)"
    R"("properties":{"role":{"enum":["user","assistant"]},)"
    R"("content":{"type":"string","minLength":1}}}}})";
constexpr std::string_view kItems =
    R"({"type":"array","minItems":1,"items":{"type":"object","required":["role","content"],)"
    R"("additionalProperties":false,"properties":{"type":{"const":"message"},"content":)"
    R"({"type":"string","minLength":1},"role":{"enum":["user","assistant","system"]}}}})";
constexpr std::string_view kInput =
    R"({"anyOf":[{"type":"string","minLength":1},{"type":"array","minItems":1,"items":{"type":)"
    R"("object","required":["role","content"],"additionalProperties":false,"properties":{"type":)"
    R"({"const":"message"},"content":{"type":"string","minLength":1},"role":{"enum":["user",)"
    R"("assistant","system"]}}}}]})";
constexpr std::string_view kFunctions =
    R"({"type":["array","null"],"items":{"type":"object","required":["type","name"],)"
    R"("properties":{"type":{"const":"function"},"name":{"type":"string","minLength":1}}}})";
constexpr std::string_view kPairs =
    R"({"type":["object","null"],"maxProperties":16,"additionalProperties":{"type":"string"}})";
constexpr std::string_view kBias =
    R"({"type":["object","null"],"propertyNames":{"pattern":"^[0-9]{1,3}$"},)"
    R"("additionalProperties":{"type":"number","minimum":-100,"maximum":100}})";
constexpr std::string_view kStreamOptions =
    R"({"type":["object","null"],"additionalProperties":false,)"
    R"("properties":{"include_usage":{"type":"boolean"}}})";
constexpr std::string_view kInclude =
    R"({"type":["array","null"],"items":{"enum":["message.output_text.logprobs",)"
    R"("reasoning.encrypted_content"]}})";
constexpr std::string_view kReasoning =
    R"({"type":["object","null"],"properties":{"effort":{"enum":["none","minimal","low",)"
    R"("medium","high","xhigh","max"]},"summary":{"enum":["auto","concise","detailed"]}},)"
    R"("additionalProperties":false})";
constexpr std::string_view kPrediction =
    R"({"type":["object","null"],"required":["type","content"],"additionalProperties":false,)"
    R"("properties":{"type":{"const":"content"},"content":{"type":"string"}}})";
constexpr std::string_view kCacheControl =
    R"({"type":["object","null"],"required":["type"],"additionalProperties":false,)"
    R"("properties":{"type":{"const":"ephemeral"},"ttl":{"enum":["5m","1h"]}}})";
constexpr std::string_view kThinking =
    R"({"type":["object","null"],"required":["type"],"additionalProperties":false,)"
    R"("properties":{"type":{"enum":["disabled","adaptive"]}}})";

constexpr std::string_view kGenerate =
    R"({"type":["object","null"],"additionalProperties":false,"properties":{"max_new_tokens":)"
    R"({"type":"integer","minimum":1,"maximum":8},"do_sample":{"type":"boolean"},"temperature":)"
    R"({"type":"number","exclusiveMinimum":0,"maximum":2},"top_k":{"type":"integer","minimum":1,)"
    R"("maximum":100},"top_p":{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1},)"
    R"("typical_p":{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1},"details":)"
    R"({"type":"boolean"},"top_n_tokens":{"type":"integer","minimum":0,"maximum":5}}})";
constexpr std::string_view kOllamaTurns =
    R"({"type":["array","null"],"items":{"type":"object","required":["role","content"],)"
    R"("additionalProperties":false,"properties":{"role":{"enum":["user","assistant","system"]},)"
    R"("content":{"type":"string","minLength":1}}}})";
constexpr std::string_view kOllamaFormat =
    R"({"anyOf":[{"enum":["json","",null]},{"type":"object","additionalProperties":false,)"
    R"("properties":{"type":{"const":"object"}}}]})";
constexpr std::string_view kNothing = R"({"type":"null"})";
constexpr std::string_view kOllamaThink = R"({"enum":[false,null]})";
constexpr std::string_view kOllamaOptions =
    R"({"type":["object","null"],"additionalProperties":false,"properties":{"temperature":)"
    R"({"type":"number","minimum":0,"maximum":100},"num_predict":{"type":"integer",)"
    R"("minimum":-2,"maximum":1000},"top_k":{"type":"integer","minimum":0,"maximum":1000},)"
    R"("seed":{"type":"integer","minimum":-1,"maximum":1000000},"stop":{"type":"array",)"
    R"("maxItems":4,"items":{"type":"string"}}}})";
constexpr std::string_view kKeepAlive =
    R"({"anyOf":[{"type":"null"},{"type":"integer","minimum":-1,"maximum":1000000},)"
    R"({"enum":["5m","1h30m","300ms","-1s"]}]})";

constexpr std::string_view kTensors =
    R"({"type":"array","minItems":1,"maxItems":2,"items":{"type":"object","required":["name",)"
    R"("datatype","shape","data"],"properties":{"name":{"enum":["text_input","max_tokens",)"
    R"("input_ids"]},"datatype":{"enum":["BYTES","INT32","INT64"]},"shape":{"type":"array",)"
    R"("items":{"const":1},"minItems":1,"maxItems":2},"data":{"type":"array","minItems":1,)"
    R"("maxItems":1}}}})";
constexpr std::string_view kTensorNames =
    R"({"type":["array","null"],"items":{"type":"object","required":["name"],"properties":)"
    R"({"name":{"enum":["text_output","logits"]}}}})";

constexpr std::string_view kFileTypes =
    R"({"enum":[null,"","f16","q8_0","q4_0","q4_K_S","q4_K_M","q5_K_M","q6_K"]})";

constexpr FieldShape kShapes[] = {
    {"/api/chat", "messages", kOllamaTurns},
    {"/api/create", "files", R"({"type":["object","null"],"maxProperties":0})"},
    {"/api/create", "adapters", R"({"type":["object","null"],"maxProperties":0})"},
    {"/api/create", "draft_quantize", kNothing},
    {"/api/create", "modelfile", kNothing},
    {"/api/create", "path", kNothing},
    {"/api/create", "quantization", kFileTypes},
    {"/api/create", "quantize", kFileTypes},
    {"/api/create", "draft_files", kNothing},
    {"/api/create", "info", kObject},
    {"/api/create", "license", kStops},
    {"/api/create", "messages", kOllamaTurns},
    {"/api/create", "parameters", kObject},
    {"/api/push", "password", kWords},
    {"/api/push", "username", kWords},
    {"/api/", "template", kWords},
    {"/api/", "tools", R"({"type":["array","null"],"maxItems":0})"},
    {"/api/", "context", R"({"type":["array","null"],"items":{"type":"integer","minimum":0}})"},
    {"/api/", "format", kOllamaFormat},
    {"/api/", "images", R"({"type":["array","null"],"maxItems":0})"},
    {"/api/", "input", R"({"anyOf":[{"type":["string","null"]},{"type":"array","items":)"
                       R"({"type":"string","minLength":1}}]})"},
    {"/api/", "keep_alive", kKeepAlive},
    {"/api/", "options", kOllamaOptions},
    {"/api/", "prompt", kWords},
    {"/api/", "think", kOllamaThink},
    {"/v2/", "inputs", kTensors, true},
    {"/v2/", "outputs", kTensorNames},
    {"/v2/", "parameters", kObject},
    {"/v2/", "text_input", kText, true},
    {"/v1/batches", "endpoint", R"({"enum":["/v1/responses","/v1/chat/completions",)"
                                R"("/v1/completions","/v1/embeddings"]})"},
    {"/v1/chat/completions/batch", "messages", kConversations, true},
    {"/v1/completions", "prompt", kTextOrTokens, true},
    {"/v1/messages", "tools", R"({"type":["array","null"],"items":{"type":"object"}})"},
    {"/v1/responses", "input", kInput, true},
    {"/v1/responses", "tools", kFunctions},
    {"/v1/responses", "text", kObject},
    {"", "allowed_token_ids", kTokens},
    {"", "bad_words", kTexts},
    {"", "cache_control", kCacheControl},
    {"", "chat_template", kWords},
    {"", "chat_template_kwargs", kObject},
    {"", "client_metadata", kAnything},
    {"", "container", kWords},
    {"", "context_management", kObject},
    {"", "conversation", kWords},
    {"", "diagnostics", kAnything},
    {"", "documents", kTextOrTexts},
    {"", "embed_dtype", R"({"enum":["float32",null]})"},
    {"", "encoding_format", R"({"enum":["float","base64",null]})"},
    {"", "function_call", kAnything},
    {"", "functions", R"({"type":["array","null"],"items":{"type":"object","required":["name"],)"
                      R"("properties":{"name":{"type":"string","minLength":1}}}})"},
    {"", "grammar", R"({"type":["string","object","null"]})"},
    {"", "guided_choice", kTexts},
    {"", "guided_grammar", kWords},
    {"", "guided_json", R"({"type":["object","string","null"]})"},
    {"", "guided_regex", kWords},
    {"", "include", kInclude},
    {"", "inference_geo", kWords},
    {"", "input", kTextOrTokens, true},
    {"", "inputs", kText, true},
    {"", "instructions", kWords},
    {"", "items", kItems, true},
    {"", "json_schema", R"({"type":["object","string","null"]})"},
    {"", "logit_bias", kBias},
    {"", "logprob_token_ids", kTokens},
    {"", "mcp_servers", R"({"type":["array","null"],"maxItems":0})"},
    {"", "messages", kTurns},
    {"", "metadata", kPairs},
    {"", "output_config", kObject},
    {"", "output_expires_after", kObject},
    {"", "output_format", kObject},
    {"", "options", kObject},
    {"", "parameters", kGenerate},
    {"", "prediction", kPrediction},
    {"", "prompt", kTextOrTokens},
    {"", "prompt_cache_options", kObject},
    {"", "query", kText},
    {"", "reasoning", kReasoning},
    {"", "repetition_detection", kObject},
    {"", "request_id", R"({"type":["string","null"],"pattern":"^[A-Za-z0-9._-]{1,64}$"})"},
    {"", "response_format", kObject},
    {"", "service_tier", R"({"enum":["auto","default",null]})"},
    {"", "stop", kStops},
    {"", "stop_sequences", kTexts},
    {"", "stop_token_ids", kTokens},
    {"", "stream", R"({"type":["boolean","null"]})"},
    {"", "stream_options", kStreamOptions},
    {"", "structural_tag", kObject},
    {"", "structured_outputs", kObject},
    {"", "system", kWords},
    {"", "text", kAnything},
    {"", "text_1", kTextOrTexts},
    {"", "text_2", kTextOrTexts},
    {"", "thinking", kThinking},
    {"", "tokens", kTokens, true},
    {"", "tool_choice", kAnything},
    {"", "tools", R"({"type":["array","null"],"items":{"type":"object"}})"},
    {"", "truncation", R"({"enum":["auto","disabled",null]})"},
    {"", "truncation_side", R"({"enum":["left","right",null]})"},
};

}  // namespace

const FieldShape* find_shape(std::string_view pattern, std::string_view name) {
  const auto* row = std::find_if(std::begin(kShapes), std::end(kShapes), [&](const auto& shape) {
    return shape.name == name && pattern.starts_with(shape.path);
  });
  return row == std::end(kShapes) ? nullptr : row;
}

}  // namespace quire

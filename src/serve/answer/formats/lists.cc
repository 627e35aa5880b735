// Those that write a list of objects and differ in what they put around it: Phi-4-mini,
// Firefunction (functools), xLAM (nothing), Jamba, Hunyuan, Nemotron; and those that write one
// object, or one a line: InternLM 2, GigaChat, MiniMax M1.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kPhiMarks[] = {"<|/tool_call|>", "<|/tool|>"};
constexpr CallSyntax kPhiSyntaxes[] = {
    {.opens = "<|tool_call|>\n[", .separator = ",", .closes = "]\n<|/tool_call|>"},
    {.opens = "functools\n[", .separator = ",", .closes = "]"}};

constexpr std::string_view kFunctoolsNames[] = {"phi4_mini_json", "firefunction_v2"};
constexpr std::string_view kFunctoolsMarks[] = {"functools["};
constexpr CallSyntax kFunctoolsSyntaxes[] = {
    {.opens = "functools\n[", .separator = ",", .closes = "]"}};

constexpr std::string_view kXlamMarks[] = {"make calls in a single JSON array"};
constexpr CallSyntax kXlamSyntaxes[] = {
    {.opens = "[", .separator = ",", .closes = "]", .begins_answer = true},
    {.opens = "<tool_call>\n[", .separator = ",", .closes = "]\n</tool_call>"},
    {.opens = "[TOOL_CALLS]\n[", .separator = ",", .closes = "]"}};

constexpr CallSyntax kTagList = {
    .opens = "<tool_calls>\n[", .separator = ",", .closes = "]\n</tool_calls>"};
constexpr CallSyntax kTagLines = {.opens = "<tool_calls>", .closes = "</tool_calls>"};
constexpr std::string_view kJambaMarks[] = {"<tool_calls>"};
constexpr CallSyntax kJambaSyntaxes[] = {kTagList, kTagLines};
constexpr std::string_view kHunyuanNames[] = {"hunyuan"};
constexpr std::string_view kHunyuanMarks[] = {"<|extra_0|>", "<｜hy_"};
constexpr std::string_view kMiniMaxNames[] = {"minimax_m1"};
constexpr std::string_view kMiniMaxMarks[] = {"<tool_calls>\\n{", "<beginning_of_sentence>"};
constexpr CallSyntax kMiniMaxSyntaxes[] = {kTagLines, kTagList};

constexpr std::string_view kNemotronMarks[] = {"<TOOLCALL>"};
constexpr CallSyntax kNemotronSyntaxes[] = {
    {.opens = "<TOOLCALL>\n[", .separator = ",", .closes = "]\n</TOOLCALL>"}};

constexpr std::string_view kInternLmNames[] = {"internlm2"};
constexpr std::string_view kInternLmMarks[] = {"<|plugin|>"};
constexpr CallSyntax kInternLmSyntaxes[] = {{.call_opens = "<|action_start|>\n<|plugin|>",
                                             .call_closes = "<|action_end|>",
                                             .arguments_member = "parameters",
                                             .is_single = true}};

constexpr std::string_view kGigaChatMarks[] = {"<|function_call|>"};
constexpr CallSyntax kGigaChatSyntaxes[] = {{.call_opens = "<|function_call|>", .is_single = true}};

}  // namespace

constexpr CallFormat kPhi4Mini = {
    .name = "phi4_mini", .marks = kPhiMarks, .syntaxes = kPhiSyntaxes};
constexpr CallFormat kFunctools = {.name = "functools",
                                   .other_names = kFunctoolsNames,
                                   .marks = kFunctoolsMarks,
                                   .syntaxes = kFunctoolsSyntaxes};
constexpr CallFormat kXlam = {.name = "xlam", .marks = kXlamMarks, .syntaxes = kXlamSyntaxes};
constexpr CallFormat kJamba = {.name = "jamba", .marks = kJambaMarks, .syntaxes = kJambaSyntaxes};
constexpr CallFormat kHunyuan = {.name = "hunyuan_a13b",
                                 .other_names = kHunyuanNames,
                                 .marks = kHunyuanMarks,
                                 .syntaxes = kJambaSyntaxes};
constexpr CallFormat kMiniMaxM1 = {.name = "minimax",
                                   .other_names = kMiniMaxNames,
                                   .marks = kMiniMaxMarks,
                                   .syntaxes = kMiniMaxSyntaxes};
constexpr CallFormat kNemotron = {
    .name = "nemotron", .marks = kNemotronMarks, .syntaxes = kNemotronSyntaxes};
constexpr CallFormat kInternLm = {.name = "internlm",
                                  .other_names = kInternLmNames,
                                  .marks = kInternLmMarks,
                                  .syntaxes = kInternLmSyntaxes};
constexpr CallFormat kGigaChat = {
    .name = "gigachat3", .marks = kGigaChatMarks, .syntaxes = kGigaChatSyntaxes};

}  // namespace quire::formats

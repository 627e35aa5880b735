// Thoughts between <think> and </think>: Qwen 3, QwQ, DeepSeek, GLM, MiniMax, SmolLM3, Olmo 3 and
// whoever learnt from them; with tags around the answer too Granite 3.3, ERNIE and Hunyuan; and the
// same under other names.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kNames[] = {
    "qwen3",  "deepseek_r1", "deepseek_v3", "glm45",       "minimax_m2", "minimax_m2_append_think",
    "step3",  "step3p5",     "olmo3",       "holo2",       "smollm3",    "nemotron",
    "exaone4"};
constexpr std::string_view kMarks[] = {"<think>", "</think>"};
constexpr std::string_view kBegins[] = {"<think>"};
constexpr ThoughtSwitch kSwitches[] = {{.variable = "enable_thinking"}, {.variable = "thinking"}};
constexpr std::string_view kClosing =
    "\n\nConsidering the limited time by the user, I have to give the solution based on the "
    "thinking directly now.\n</think>\n\n";

constexpr std::string_view kResponseNames[] = {"ernie45", "granite3_3"};
constexpr std::string_view kResponseMarks[] = {"<response>"};
constexpr std::string_view kResponse[] = {"<response>", "</response>"};

constexpr std::string_view kAnswerNames[] = {"hunyuan_a13b", "hunyuan"};
constexpr std::string_view kAnswerMarks[] = {"<answer>"};
constexpr std::string_view kAnswer[] = {"<answer>", "</answer>"};

constexpr std::string_view kTriangleNames[] = {"kimi_vl"};
constexpr std::string_view kTriangleMarks[] = {"◁think▷"};
constexpr std::string_view kTriangleBegins[] = {"◁think▷"};

constexpr std::string_view kLongCatMarks[] = {"<longcat_think>"};
constexpr std::string_view kLongCatBegins[] = {"<longcat_think>"};

}  // namespace

constexpr ThoughtFormat kThink = {.name = "think",
                                  .other_names = kNames,
                                  .marks = kMarks,
                                  .begins = kBegins,
                                  .ends = "</think>",
                                  .closing_phrase = kClosing,
                                  .switches = kSwitches};

constexpr ThoughtFormat kThinkResponse = {.name = "think_response",
                                          .other_names = kResponseNames,
                                          .marks = kResponseMarks,
                                          .begins = kBegins,
                                          .ends = "</think>",
                                          .closing_phrase = kClosing,
                                          .switches = kSwitches,
                                          .hidden = kResponse};

constexpr ThoughtFormat kThinkAnswer = {.name = "think_answer",
                                        .other_names = kAnswerNames,
                                        .marks = kAnswerMarks,
                                        .begins = kBegins,
                                        .ends = "</think>",
                                        .closing_phrase = kClosing,
                                        .switches = kSwitches,
                                        .hidden = kAnswer};

constexpr ThoughtFormat kTriangles = {.name = "triangles",
                                      .other_names = kTriangleNames,
                                      .marks = kTriangleMarks,
                                      .begins = kTriangleBegins,
                                      .ends = "◁/think▷",
                                      .closing_phrase = "\n◁/think▷"};

constexpr ThoughtFormat kLongCat = {.name = "longcat",
                                    .marks = kLongCatMarks,
                                    .begins = kLongCatBegins,
                                    .ends = "</longcat_think>",
                                    .closing_phrase = "\n</longcat_think>",
                                    .switches = kSwitches};

}  // namespace quire::formats

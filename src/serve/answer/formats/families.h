// What each family's file declares: a family is a file of constants, listed here and, in the order
// in which templates are asked, in format.cc. Nothing but these tables names one of them.
// Constants. Used by format.cc and the families.
#pragma once

#include "serve/answer/formats/format.h"

namespace quire::formats {

extern const CallFormat kApertus, kCommandA, kCommandR, kDeepSeekV3, kDeepSeekV31, kDeepSeekV32,
    kFunctionGemma, kFunctionary31, kFunctionary32, kFunctools, kGemma4, kGeneric, kGigaChat, kGlm,
    kGranite, kGraniteFunctions, kHarmony, kHermes, kHunyuan, kInternLm, kJamba, kKimi, kLfm2,
    kLlama3Json, kMiniMaxM1, kMiniMaxM2, kMiroThinker, kMistral, kMistralNamed, kNemotron, kOlmo3,
    kPhi4Mini, kPythonic, kQwen3Coder, kSeed, kXlam;

extern const ThoughtFormat kApertusThoughts, kCommandThoughts, kGemmaThoughts, kGraniteThoughts,
    kHarmonyThoughts, kKimiThoughts, kLongCat, kMagistral, kSeedThoughts, kThink, kThinkAnswer,
    kThinkResponse, kTriangles;

}  // namespace quire::formats

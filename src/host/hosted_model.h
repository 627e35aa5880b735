// HostedModel: one model of this process as the front door sees it: its name, its words, its
// limits and the engine that runs it. Everything but the engine's inside is immutable once it is
// hosted, so any thread may read it. Built by apps, owned by ModelHost; everybody else holds a
// lease for as long as he needs it: a model that is leased is not unloaded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/json.h"
#include "base/status.h"
#include "core/request.h"
#include "engine/engine.h"
#include "formats/words/words.h"
#include "host/grammars.h"
#include "store/modelfile/model_dress.h"
#include "text/chat_prompt.h"
#include "text/chat_template.h"
#include "text/layout/pair_template.h"
#include "text/tokenizer.h"

namespace quire {

// The vector that a model makes of a text.
struct PooledInfo {
  std::uint32_t width = 0;       // 0: it makes none
  std::uint32_t labels = 0;      // of a classifier: it is their scores; 0: it is an embedding
  bool is_normalised = false;    // it comes of length one
  bool wants_length_one = false;  // it is meant to be so, whether or not it comes so
  bool reads_pairs = false;      // it scores how well two texts fit each other
  bool has_segments = false;     // the second text of a pair is marked
  PooledWords words;
};

// What its files say of it, for those who list models; empty or zero: not known.
struct ModelCard {
  std::string family;        // "llama"
  std::string format;        // "gguf", "safetensors"
  std::string quantization;  // of most of its weights: "Q4_1"
  std::string digest;        // 64 hexadecimal digits
  std::string path;
  std::uint64_t parameters = 0;
  std::uint64_t file_bytes = 0;
  std::uint32_t width = 0;       // of its hidden states
  std::int64_t modified_at = 0;  // seconds since 1970
  std::vector<Json::Member> keys;  // of a GGUF file, as they stand there
  struct Adapter {
    std::string path;
    float scale = 1;
  };
  std::vector<Adapter> adapters;  // that are added to its weights
};

struct ModelInfo {
  std::uint32_t context_max = 0;  // positions per sequence, prompt and answer together
  std::uint32_t vocab = 0;        // token ids are 0..vocab-1
  ChatWords words;
  std::vector<TokenId> eos_ids;
  bool generates = true;          // else it reads texts only
  bool chats = false;             // it has a template for it
  bool has_encoder = false;       // which reads the prompt; the answer is its decoder's
  std::vector<TokenId> decoder_start;  // what that answer begins with
  PooledInfo pooled;
  // Of which declared form its calls and thoughts are (serve/answer/formats), where the operator
  // says so; empty: as its chat template shows.
  std::string call_format, thought_format;
  std::vector<Json::Member> template_kwargs;  // unless a request says otherwise
  std::string chat_problem;       // why the model cannot chat although it has a template
  std::vector<KvGroup> kv_groups;  // what an instance of it remembers of a sequence
  std::uint32_t instances = 1;     // of its engine
  std::vector<std::string> warnings;  // what was guessed or left out when it was loaded
  GenerationDefaults sampling;    // in place of a protocol's own
  std::int64_t created = 0;       // seconds since 1970
  std::string isa;                // of the kernels that run it
  ModelCard card;
  std::string fingerprint;        // changes when answers may change; shown as system_fingerprint
};

// Hears of every request before its engine does: who measures and mirrors what a version gets
// (host/repository). Must not block.
class TrafficTap {
 public:
  virtual ~TrafficTap() = default;
  virtual void submitted(const Request& request) = 0;
  // The engine has not taken it after all. `comes_again`: its call waits for room.
  virtual void refused(RequestId request, bool comes_again) = 0;
};

struct HostedModel {
  std::string own_name;            // others may come and go (ModelHost)
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatTemplate> chat_template;  // null: chat is refused
  std::shared_ptr<const store::ModelDress> dress;  // of a Modelfile; null: it has none
  std::shared_ptr<const PairTemplate> pair_template;  // null: it scores no pairs of texts
  ModelInfo info;
  std::shared_ptr<const void> files;  // what the engine computes with, mapped
  std::function<Status()> health;  // not ok: it has lost a file, its answers are faults; or empty
  std::shared_ptr<Grammars> grammars;  // null: its answers cannot be constrained
  std::shared_ptr<TrafficTap> tap;  // null: nobody listens
  std::unique_ptr<Engine> engine;

  const std::string& name() const { return own_name; }
};

// Given back with its last copy; any thread. Does not outlive the ModelHost.
using ModelLease = std::shared_ptr<const HostedModel>;

}  // namespace quire

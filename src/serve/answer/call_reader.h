// CallReader: reads the calls of one section of an answer (what stands between the opening and the
// closing of a CallSyntax) from a text that is still growing, and turns their arguments into the
// text of a JSON object as they come. Every byte is looked at a bounded number of times.
// One section; one thread. Used by PartStream.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "serve/answer/argument_types.h"
#include "serve/answer/formats/format.h"
#include "serve/answer/value_scan.h"

namespace quire {

// What has been read of a call.
struct ReadCall {
  std::string name;
  std::string written_id;  // as the model wrote it, before the name; empty: it wrote none
  std::string late_id;     // the same, behind the name
  std::string arguments;   // grows at its end
  bool is_named = false;   // the name is known, and arguments may be passed on
};

enum class ReadStep : std::uint8_t {
  kWait,         // more text is needed
  kCallRead,     // call() is whole; read on for the next
  kSectionRead,  // what follows is no part of the section
  kBroken,       // this is no call
};

enum class ReadFrom : std::uint8_t { kOpens, kCallOpens, kCall };

class CallReader {
 public:
  // `from`: what of the section comes first. All of them outlive the reader.
  CallReader(const CallSyntax& syntax, const ArgumentTypes& types, ReadFrom from);

  // Reads text[at...] and moves `at`. `text` may have lost what was before `at` since the last call
  // and has gained at its end; it lost nothing behind.
  ReadStep read(std::string_view text, std::size_t& at);

  const ReadCall& call() const { return call_; }

  // Nothing but closing literals is missing of the call that is being read.
  bool lacks_only_closing() const { return phase_ == Phase::kCallCloses; }
  bool is_between_calls() const { return phase_ == Phase::kBetween; }

 private:
  enum class Phase : std::uint8_t {
    kOpens, kCallOpens, kNameOpens, kName, kId,
    kObject, kMemberKey, kMemberColon, kMemberValue, kMemberNext,
    kArguments, kJson, kTag, kTagKey, kTextValue, kJsonValue, kLooseKey, kLooseValue,
    kCallCloses, kCallRead, kBetween, kSectionRead,
  };
  enum class Went : std::uint8_t { kOn, kWait, kBroken };
  struct Place {
    std::string_view text;
    std::size_t at;
  };

  Went go(Place& place);
  Went read_literal(Place& place, std::string_view literal, Phase next);
  Went read_name_opens(Place& place);
  Went read_name(Place& place);
  Went read_id(Place& place);
  Went read_member_key(Place& place);
  Went read_member_value(Place& place);
  Went end_member();
  Went read_member_next(Place& place);
  Went read_arguments(Place& place);
  Went read_json(Place& place);
  Went read_tag(Place& place);
  Went read_tag_key(Place& place);
  Went read_text_value(Place& place);
  Went read_json_value(Place& place);
  Went read_loose_key(Place& place);
  Went read_loose_value(Place& place);
  Went read_between(Place& place);
  Went expect(Place& place, char byte, Phase next);
  Went take_name(std::string_view name);
  bool is_arguments_member() const;
  void begin_call();
  void begin_argument(std::string_view key);

  const CallSyntax& syntax_;
  const ArgumentTypes& types_;
  Phase phase_ = Phase::kCallOpens;
  ReadCall call_;
  std::string member_;          // the name of the member that is being read
  std::string value_;           // of it, as far as it has come
  std::size_t scanned_ = 0;     // behind `at`, and found to end nothing
  JsonScan scan_;
  LooseScan loose_;
  ArgumentKind kind_ = ArgumentKind::kEither;
  bool is_value_begun_ = false;
};

}  // namespace quire

// ItemStream: parts of an answer (text, a thought, a call) as items of the Responses API, whole and
// as events while they come: an item is added, its part is added, grows, and both are done.
// One answer; I/O thread. Used by answer.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "serve/answer/parts.h"

namespace quire {

class ItemStream {
 public:
  // Tells an event but for its type and sequence number; null: nobody listens.
  using Emit = std::function<void(std::string_view type, Json body)>;

  ItemStream(Emit emit, bool seals_thoughts)
      : emit_(std::move(emit)), seals_thoughts_(seals_thoughts) {}

  // `logprobs`: of the tokens since the last delta; only text has them.
  void take(const PartDelta& delta, std::vector<Json> logprobs);
  void take_scores(std::vector<Json> logprobs);  // of tokens without a text of their own
  // Nothing follows. An answer without anything gets an empty message.
  void close(bool is_complete);

  bool is_text_open() const { return is_open_ && kind_ == PartKind::kText; }
  const Json& output() const { return output_; }  // the items that are done

 private:
  void open(const PartDelta& delta);
  void open_part();
  void end(std::string_view status);
  void end_part();
  Json item(std::string_view status) const;  // the open one, as it stands
  Json part() const;
  Json place() const;  // item_id, output_index, and content_index where there is one
  void tell(std::string_view type, Json body);

  Emit emit_;
  bool seals_thoughts_;
  Json output_ = Json::array();
  bool is_open_ = false;
  PartKind kind_ = PartKind::kText;
  std::size_t index_ = 0;  // of the part that the open item shows
  std::string id_, text_, call_id_, call_name_;
  Json logprobs_ = Json::array();
};

}  // namespace quire

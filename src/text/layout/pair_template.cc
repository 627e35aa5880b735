#include "text/layout/pair_template.h"

#include <algorithm>
#include <string>

#include "base/json.h"

namespace quire {
namespace {

constexpr std::size_t kPiecesMax = 64;
constexpr std::size_t kValuesMax = std::size_t{1} << 23;  // merges of large vocabularies

std::string text_of(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

Status damaged(std::string_view what) {
  return error(StatusCode::kCorrupt, "tokenizer.json: post_processor: {}", what);
}

bool is_id(const Json& value) {
  return value.is_int() && value.as_int() >= 0 && value.as_int() < (std::int64_t{1} << 31);
}

}  // namespace

struct PairReader {
  using Piece = PairTemplate::Piece;
  std::vector<Piece> pieces;

  void text(Piece::Kind kind, bool is_second) { pieces.push_back({kind, {}, is_second}); }

  void special(std::vector<TokenId> ids, bool is_second) {
    pieces.push_back({Piece::Kind::kSpecial, std::move(ids), is_second});
  }

  // "sep": ["[SEP]", 102]
  Result<std::vector<TokenId>> named(const Json& processor, const char* key) {
    const Json* value = processor.find(key);
    if (value == nullptr || !value->is_array() || value->items().size() != 2 ||
        !is_id(value->items()[1])) {
      return damaged(fmt::format("'{}' is no token", key));
    }
    return std::vector<TokenId>{static_cast<TokenId>(value->items()[1].as_int())};
  }

  // [CLS] A [SEP] B [SEP], or <s> A </s></s> B </s> without segments.
  Status read_fixed(const Json& processor, bool is_roberta) {
    QUIRE_ASSIGN_OR_RETURN(const auto cls, named(processor, "cls"));
    QUIRE_ASSIGN_OR_RETURN(const auto sep, named(processor, "sep"));
    const bool second = !is_roberta;
    special(cls, false);
    text(Piece::Kind::kFirst, false);
    special(sep, false);
    if (is_roberta) special(sep, false);
    text(Piece::Kind::kSecond, second);
    special(sep, second);
    return ok_status();
  }

  Status read_piece(const Json& piece, const Json* tokens) {
    const Json* sequence = piece.find("Sequence");
    const Json* token = piece.find("SpecialToken");
    const Json* inner = sequence != nullptr ? sequence : token;
    if (inner == nullptr || !inner->is_object()) return damaged("a piece of 'pair' is unknown");
    const Json* type = inner->find("type_id");
    const bool is_second = type != nullptr && type->is_int() && type->as_int() > 0;
    const std::string id = text_of(*inner, "id");
    if (sequence != nullptr) {
      if (id != "A" && id != "B") return damaged("a sequence is neither A nor B");
      text(id == "A" ? Piece::Kind::kFirst : Piece::Kind::kSecond, is_second);
      return ok_status();
    }
    const Json* known = tokens != nullptr ? tokens->find(id) : nullptr;
    const Json* ids = known != nullptr ? known->find("ids") : nullptr;
    if (ids == nullptr || !ids->is_array() || ids->items().size() > kPiecesMax ||
        !std::all_of(ids->items().begin(), ids->items().end(), is_id)) {
      return damaged(fmt::format("'{}' has no ids", id.substr(0, 64)));
    }
    std::vector<TokenId> list;
    for (const Json& item : ids->items()) list.push_back(static_cast<TokenId>(item.as_int()));
    special(std::move(list), is_second);
    return ok_status();
  }

  Status read_template(const Json& processor) {
    const Json* pair = processor.find("pair");
    if (pair == nullptr || !pair->is_array() || pair->items().size() > kPiecesMax) {
      return damaged("'pair' is no short list");
    }
    for (const Json& piece : pair->items()) {
      QUIRE_RETURN_IF_ERROR(read_piece(piece, processor.find("special_tokens")));
    }
    const auto count = [&](Piece::Kind kind) {
      return std::count_if(pieces.begin(), pieces.end(),
                           [&](const Piece& piece) { return piece.kind == kind; });
    };
    if (count(Piece::Kind::kFirst) == 1 && count(Piece::Kind::kSecond) == 1) return ok_status();
    return damaged("'pair' has not each text once");
  }

  Status read(const Json& processor) {
    const std::string type = text_of(processor, "type");
    if (type == "TemplateProcessing") return read_template(processor);
    if (type == "BertProcessing") return read_fixed(processor, false);
    if (type == "RobertaProcessing") return read_fixed(processor, true);
    if (type == "ByteLevel") return ok_status();  // of offsets only
    const Json* list = type == "Sequence" ? processor.find("processors") : nullptr;
    if (list == nullptr || !list->is_array() || list->items().size() > kPiecesMax) {
      return error(StatusCode::kUnsupported, "tokenizer.json: post_processor '{}' is not known",
                   type.substr(0, 64));
    }
    for (const Json& item : list->items()) {
      if (text_of(item, "type") == "Sequence") return damaged("a list in a list");
      QUIRE_RETURN_IF_ERROR(read(item));
    }
    return ok_status();
  }
};

Result<PairTemplate> PairTemplate::from_json(std::string_view tokenizer_json) {
  JsonLimits limits;
  limits.values_max = kValuesMax;
  QUIRE_ASSIGN_OR_RETURN(const Json root, parse_json(tokenizer_json, limits));
  const Json* processor = root.find("post_processor");
  PairReader reader;
  if (processor != nullptr && !processor->is_null()) {
    QUIRE_RETURN_IF_ERROR(reader.read(*processor));
  }
  if (reader.pieces.empty()) {
    reader.text(Piece::Kind::kFirst, false);
    reader.text(Piece::Kind::kSecond, false);
  }
  PairTemplate made;
  made.pieces_ = std::move(reader.pieces);
  return made;
}

Result<PairTemplate> PairTemplate::from_text(std::string_view text, const Tokenizer& tokenizer) {
  constexpr std::string_view kFirst = "{query}", kSecond = "{document}";
  const std::size_t first = text.find(kFirst), second = text.find(kSecond);
  if (first == text.npos || second == text.npos || second < first ||
      text.find(kFirst, first + 1) != text.npos || text.find(kSecond, second + 1) != text.npos) {
    return error(StatusCode::kCorrupt,
                 "tokenizer.chat_template.rerank: it has not {{query}} and {{document}} once each");
  }
  const std::size_t close = text.rfind("|>", first);
  const std::size_t begin = close == text.npos ? 0 : close + 2;
  const std::size_t end = std::min(text.find("<|", second), text.size());
  PairTemplate made;
  made.is_text_ = true;
  made.before_ = text.substr(begin, first - begin);
  made.between_ = text.substr(first + kFirst.size(), second - first - kFirst.size());
  made.after_ = text.substr(second + kSecond.size(), end - second - kSecond.size());
  const EncodeOptions options = {.add_special = false, .parse_special = true};
  QUIRE_ASSIGN_OR_RETURN(std::vector<TokenId> head,
                         tokenizer.encode(text.substr(0, begin), options));
  QUIRE_ASSIGN_OR_RETURN(std::vector<TokenId> tail, tokenizer.encode(text.substr(end), options));
  made.pieces_ = {{Piece::Kind::kSpecial, std::move(head), false},
                  {Piece::Kind::kFirst, {}, false},
                  {Piece::Kind::kSpecial, std::move(tail), false}};
  return made;
}

std::string PairTemplate::body(std::string_view first, std::string_view second) const {
  return before_ + std::string(first) + between_ + std::string(second) + after_;
}

PairTemplate::Pair PairTemplate::join(std::span<const TokenId> first,
                                      std::span<const TokenId> second) const {
  Pair pair;
  for (const Piece& piece : pieces_) {
    if (piece.is_second_segment && pair.second == 0) {
      pair.second = static_cast<std::uint32_t>(pair.ids.size());
    }
    const std::span<const TokenId> ids = piece.kind == Piece::Kind::kFirst    ? first
                                         : piece.kind == Piece::Kind::kSecond ? second
                                                                              : piece.ids;
    pair.ids.insert(pair.ids.end(), ids.begin(), ids.end());
  }
  if (pair.second >= pair.ids.size()) pair.second = 0;  // nothing stands there
  return pair;
}

std::size_t PairTemplate::special_count() const {
  std::size_t count = 0;
  for (const Piece& piece : pieces_) count += piece.ids.size();
  return count;
}

PairLengths fit_pair(std::size_t first, std::size_t second, std::size_t tokens_max) {
  if (first + second <= tokens_max) return {first, second};
  std::size_t shorter = std::min(first, second);
  std::size_t longer = shorter > tokens_max ? shorter
                                            : std::max(shorter, tokens_max - shorter);
  if (shorter + longer > tokens_max) {
    shorter = tokens_max / 2;
    longer = shorter + tokens_max % 2;
  }
  return first > second ? PairLengths{longer, shorter} : PairLengths{shorter, longer};
}

}  // namespace quire

// The protobuf wire format, as far as sentencepiece_model.proto needs it: a field is a tag
// (number << 3 | wire type) and a varint, four or eight bytes, or a length and that many bytes.
#include "formats/words/sentencepiece.h"

#include <cstdint>
#include <cstring>
#include <string_view>

namespace quire {
namespace {

constexpr std::size_t kPiecesMax = std::size_t{4} << 20;

enum WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  std::uint32_t number = 0;
  WireType type = kVarint;
  std::uint64_t value = 0;  // of a varint or fixed field
  std::string_view bytes;   // of a length-delimited field
};

// Reads the fields of one message; `offset_` counts from the start of the file for error messages.
class MessageReader {
 public:
  MessageReader(std::string_view bytes, std::size_t offset) : bytes_(bytes), offset_(offset) {}

  bool is_done() const { return bytes_.empty(); }
  std::size_t offset() const { return offset_; }

  Status read(WireField& field) {
    std::uint64_t tag = 0;
    QUIRE_RETURN_IF_ERROR(read_varint(tag));
    field.number = static_cast<std::uint32_t>(tag >> 3);
    field.type = static_cast<WireType>(tag & 7);
    switch (field.type) {
      case kVarint:
        return read_varint(field.value);
      case kFixed64:
        return read_fixed(8, field.value);
      case kFixed32:
        return read_fixed(4, field.value);
      case kBytes:
        QUIRE_RETURN_IF_ERROR(read_varint(field.value));
        return take(field.value, field.bytes);
    }
    return error(StatusCode::kCorrupt, "tokenizer.model: wire type {} at offset {}", tag & 7,
                 offset_);
  }

 private:
  Status take(std::uint64_t size, std::string_view& out) {
    if (size > bytes_.size()) {
      return error(StatusCode::kCorrupt, "tokenizer.model: {} bytes at offset {}, but {} are left",
                   size, offset_, bytes_.size());
    }
    out = bytes_.substr(0, static_cast<std::size_t>(size));
    bytes_.remove_prefix(out.size());
    offset_ += out.size();
    return ok_status();
  }

  Status read_fixed(std::size_t size, std::uint64_t& value) {
    std::string_view raw;
    QUIRE_RETURN_IF_ERROR(take(size, raw));
    value = 0;
    std::memcpy(&value, raw.data(), size);
    return ok_status();
  }

  Status read_varint(std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      std::string_view raw;
      QUIRE_RETURN_IF_ERROR(take(1, raw));
      const auto byte = static_cast<std::uint8_t>(raw[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return ok_status();
    }
    return error(StatusCode::kCorrupt, "tokenizer.model: a number of over 64 bits at offset {}",
                 offset_);
  }

  std::string_view bytes_;
  std::size_t offset_;
};

// SentencePiece: 1 piece, 2 score, 3 type.
Status read_piece(MessageReader reader, GgufVocabulary& vocabulary) {
  std::string piece;
  float score = 0;
  std::uint64_t type = 1;
  while (!reader.is_done()) {
    WireField field;
    QUIRE_RETURN_IF_ERROR(reader.read(field));
    if (field.number == 1 && field.type == kBytes) piece = field.bytes;
    if (field.number == 2 && field.type == kFixed32) std::memcpy(&score, &field.value, 4);
    if (field.number == 3 && field.type == kVarint) type = field.value;
  }
  if (vocabulary.tokens.size() == kPiecesMax) {
    return error(StatusCode::kCorrupt, "tokenizer.model: more than {} pieces at offset {}",
                 kPiecesMax, reader.offset());
  }
  if (type < 1 || type > 6) {
    return error(StatusCode::kCorrupt, "tokenizer.model: pieces[{}].type {} before offset {}",
                 vocabulary.tokens.size(), type, reader.offset());
  }
  vocabulary.tokens.push_back(std::move(piece));
  vocabulary.scores.push_back(score);
  vocabulary.token_types.push_back(static_cast<std::int32_t>(type));
  return ok_status();
}

// TrainerSpec: 3 model_type (1 unigram, 2 BPE), 24 treat_whitespace_as_suffix, 40 unk_id,
// 41 bos_id, 42 eos_id, 43 pad_id.
Status read_trainer(MessageReader reader, GgufVocabulary& vocabulary) {
  std::uint64_t model_type = 1;
  // Ids are int32 and -1 says "none"; as a varint that is the largest 64-bit number.
  const auto id_of = [](std::uint64_t value) {
    return static_cast<std::int64_t>(value) < 0 ? std::nullopt : std::optional(value);
  };
  vocabulary.unknown = 0;
  vocabulary.bos = 1;
  vocabulary.eos = 2;
  while (!reader.is_done()) {
    WireField field;
    QUIRE_RETURN_IF_ERROR(reader.read(field));
    if (field.type != kVarint) continue;
    if (field.number == 3) model_type = field.value;
    if (field.number == 24 && field.value != 0) {
      return error(StatusCode::kUnsupported,
                   "tokenizer.model: trainer_spec.treat_whitespace_as_suffix is not supported");
    }
    if (field.number == 40) vocabulary.unknown = id_of(field.value);
    if (field.number == 41) vocabulary.bos = id_of(field.value);
    if (field.number == 42) vocabulary.eos = id_of(field.value);
    if (field.number == 43) vocabulary.padding = id_of(field.value);
  }
  if (model_type != 1 && model_type != 2) {
    return error(StatusCode::kUnsupported,
                 "tokenizer.model: trainer_spec.model_type {} is not supported; known are 1 "
                 "(unigram) and 2 (BPE)", model_type);
  }
  vocabulary.model = model_type == 1 ? "t5" : "llama";
  return ok_status();
}

// NormalizerSpec: 2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces,
// 5 escape_whitespaces.
Status read_normalizer(MessageReader reader, GgufVocabulary& vocabulary) {
  while (!reader.is_done()) {
    WireField field;
    QUIRE_RETURN_IF_ERROR(reader.read(field));
    if (field.number == 2 && field.type == kBytes) vocabulary.character_map = field.bytes;
    if (field.type != kVarint) continue;
    if (field.number == 3) vocabulary.add_space_prefix = field.value != 0;
    if (field.number == 4) vocabulary.removes_extra_spaces = field.value != 0;
    if (field.number == 5 && field.value == 0) {
      return error(StatusCode::kUnsupported,
                   "tokenizer.model: normalizer_spec.escape_whitespaces must be true");
    }
  }
  return ok_status();
}

}  // namespace

Result<GgufVocabulary> read_sentencepiece(std::span<const std::byte> file) {
  MessageReader reader({reinterpret_cast<const char*>(file.data()), file.size()}, 0);
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.add_bos = true;
  vocabulary.add_eos = false;
  vocabulary.add_space_prefix = true;  // the defaults of the message
  vocabulary.removes_extra_spaces = true;
  bool has_trainer = false;
  while (!reader.is_done()) {
    WireField field;
    QUIRE_RETURN_IF_ERROR(reader.read(field));
    if (field.type != kBytes) continue;
    const MessageReader inner(field.bytes, reader.offset() - field.bytes.size());
    if (field.number == 1) QUIRE_RETURN_IF_ERROR(read_piece(inner, vocabulary));
    if (field.number == 2) QUIRE_RETURN_IF_ERROR(read_trainer(inner, vocabulary));
    if (field.number == 3) QUIRE_RETURN_IF_ERROR(read_normalizer(inner, vocabulary));
    has_trainer |= field.number == 2;
  }
  if (vocabulary.tokens.empty()) {
    return error(StatusCode::kCorrupt, "tokenizer.model: it holds no pieces");
  }
  if (!has_trainer) {
    return error(StatusCode::kCorrupt, "tokenizer.model: it holds no trainer_spec");
  }
  vocabulary.add_bos = vocabulary.model == "llama" && vocabulary.bos.has_value();
  return vocabulary;
}

Result<std::string> sentencepiece_to_json(std::span<const std::byte> file) {
  QUIRE_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary, read_sentencepiece(file));
  return gguf_tokenizer_json(vocabulary);
}

}  // namespace quire

/* quire_text.h: the C face of the Rust crate text-rs (tokenizers, minijinja, llguidance).
 *
 * Every function returns a QuireTextStatus and unwinds nothing. On an error `message` holds a
 * sentence in UTF-8 and the out parameters are untouched. Buffers are owned by the caller after the
 * call and go back through quire_text_buffer_free. Handles are immutable after creation and may be
 * used from any thread, except QuireGrammarState (one thread at a time). All text is UTF-8 with a
 * size; nothing is NUL-terminated. Called only by src/text. */
#ifndef QUIRE_TEXT_H_
#define QUIRE_TEXT_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct QuireTokenizer QuireTokenizer;
typedef struct QuireTemplate QuireTemplate;
typedef struct QuireGrammarFactory QuireGrammarFactory;
typedef struct QuireGrammar QuireGrammar;
typedef struct QuireGrammarState QuireGrammarState;

/* Owned bytes; `capacity` belongs to the allocator. All zero is an empty buffer. */
typedef struct QuireBuffer {
  uint8_t* data;
  size_t size; /* bytes */
  size_t capacity;
} QuireBuffer;

enum {
  QUIRE_TEXT_OK = 0,
  QUIRE_TEXT_INVALID = 1, /* the caller's value is wrong */
  QUIRE_TEXT_LIMIT = 2,   /* a bound was reached: steps, output, size */
  QUIRE_TEXT_PANIC = 3,   /* a bug below, contained */
};

typedef struct QuireTextStatus {
  int32_t code;
  QuireBuffer message;
} QuireTextStatus;

void quire_text_buffer_free(QuireBuffer buffer);

/* --- tokenizer --- */

enum {
  QUIRE_TOKEN_SPECIAL = 1, /* a control token: <s>, <|im_end|> */
  QUIRE_TOKEN_ADDED = 2,   /* matched as a whole before the model sees the text */
  QUIRE_TOKEN_PRESENT = 4, /* the id is in the vocabulary at all */
  QUIRE_TOKEN_BYTE = 8,    /* a byte-fallback token: <0x0A> */
};

/* Per id: its name in the vocabulary, the bytes it stands for in text, and flags. `offsets` arrays
 * hold count + 1 little-endian uint32 values into the byte buffers. */
typedef struct QuireTokenTable {
  uint32_t count;
  uint8_t strips_leading_space; /* the decoder drops one space at the start of a text */
  QuireBuffer names;
  QuireBuffer name_offsets; /* [count + 1] */
  QuireBuffer bytes;
  QuireBuffer byte_offsets; /* [count + 1] */
  QuireBuffer flags;        /* [count] */
} QuireTokenTable;

QuireTextStatus quire_tokenizer_new(const uint8_t* json, size_t json_size, QuireTokenizer** out);
void quire_tokenizer_free(QuireTokenizer* tokenizer);
QuireTextStatus quire_tokenizer_table(const QuireTokenizer* tokenizer, QuireTokenTable* out);
/* add_special: BOS and EOS as the tokenizer's post-processor says. parse_special: text that reads
 * like a special token becomes that token. `out` holds int32 ids. */
QuireTextStatus quire_tokenizer_encode(const QuireTokenizer* tokenizer, const uint8_t* text,
                                       size_t text_size, int32_t add_special,
                                       int32_t parse_special, QuireBuffer* out);

/* --- chat template --- */

typedef struct QuireRenderLimits {
  uint64_t steps_max;       /* interpreter steps */
  uint64_t output_size_max; /* bytes */
  int64_t unix_seconds;     /* what strftime_now() reads */
  int32_t utc_offset_seconds; /* of its local time */
} QuireRenderLimits;

QuireTextStatus quire_template_new(const uint8_t* source, size_t source_size, QuireTemplate** out);
void quire_template_free(QuireTemplate* chat_template);
/* `context` is a JSON object: the template's variables. `out` is UTF-8. */
QuireTextStatus quire_template_render(const QuireTemplate* chat_template, const uint8_t* context,
                                      size_t context_size, QuireRenderLimits limits,
                                      QuireBuffer* out);
/* The names of the variables that the template reads, one a line. */
QuireTextStatus quire_template_variables(const QuireTemplate* chat_template, QuireBuffer* out);

/* --- constrained output --- */

/* The tokenizer outlives the factory and all that comes of it. `eos`: [eos_count] tokens that end a
 * text, at least one. */
QuireTextStatus quire_grammar_factory_new(const QuireTokenizer* tokenizer, const uint32_t* eos,
                                          size_t eos_count, QuireGrammarFactory** out);
void quire_grammar_factory_free(QuireGrammarFactory* factory);

#define QUIRE_GRAMMAR_SCHEMA 0
#define QUIRE_GRAMMAR_LARK 1
#define QUIRE_GRAMMAR_REGEX 2
QuireTextStatus quire_grammar_compile(const QuireGrammarFactory* factory, int32_t kind,
                                      const uint8_t* text, size_t text_size, QuireGrammar** out);
void quire_grammar_free(QuireGrammar* grammar);

/* One text's place in a grammar. */
QuireTextStatus quire_grammar_begin(const QuireGrammar* grammar, QuireGrammarState** out);
void quire_grammar_state_free(QuireGrammarState* state);
/* Bit i of `words` (uint32, little end first): token i may come next; none: nothing may. */
QuireTextStatus quire_grammar_state_mask(QuireGrammarState* state, uint32_t* words,
                                         size_t words_count);
QuireTextStatus quire_grammar_state_accept(QuireGrammarState* state, int32_t token);
QuireTextStatus quire_grammar_state_roll_back(QuireGrammarState* state, size_t tokens);
/* int32 tokens that have to come next, as far as that is known. */
QuireTextStatus quire_grammar_state_forced(QuireGrammarState* state, QuireBuffer* out);
QuireTextStatus quire_grammar_state_end(QuireGrammarState* state, uint8_t* is_over,
                                        uint8_t* may_end);
/* 0: the text is not of the grammar, 1: it is the beginning of one that is, 2: it is. */
QuireTextStatus quire_grammar_state_accepts_text(QuireGrammarState* state, const uint8_t* text,
                                                 size_t text_size, uint8_t* out);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* QUIRE_TEXT_H_ */

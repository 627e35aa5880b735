#include "apps/tokenize.h"

#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>

#include "apps/flags.h"
#include "apps/load.h"
#include "base/json.h"

namespace quire {
namespace {

struct TokenizeArguments {
  ModelArguments model;
  std::string text;
  bool adds_special = true;
  bool parses_special = false;
  bool is_ids_only = false;
};

int fail(const Status& status) {
  std::fprintf(stderr, "quire: %s\n", status.message().c_str());
  return 1;
}

int tokenize(const TokenizeArguments& arguments) {
  const auto opened = open_files(arguments.model);
  if (!opened.is_ok()) return fail(opened.status());
  const auto tokenizer = load_tokenizer(*opened->files);
  if (!tokenizer.is_ok()) return fail(tokenizer.status());
  std::string text = arguments.text;
  if (text.empty()) text.assign(std::istreambuf_iterator<char>(std::cin), {});
  const auto ids = (*tokenizer)->encode(text, {.add_special = arguments.adds_special,
                                               .parse_special = arguments.parses_special});
  if (!ids.is_ok()) return fail(ids.status());
  for (const TokenId id : *ids) {
    if (arguments.is_ids_only) {
      std::printf("%d\n", id);
    } else {
      std::printf("%7d  %s\n", id, dump(Json(std::string((*tokenizer)->token_text(id)))).c_str());
    }
  }
  if (!arguments.is_ids_only) std::printf("%zu tokens, %zu bytes\n", ids->size(), text.size());
  return 0;
}

}  // namespace

void declare_tokenize(Command& parent, std::function<int()>& chosen) {
  const auto arguments = std::make_shared<TokenizeArguments>();
  Command command = parent.command("tokenize", "Token ids of a text");
  command.value("MODEL", arguments->model.model, "file, directory or name").required();
  command.value("TEXT", arguments->text, "default: standard input");
  command.value("--tokenizer", arguments->model.tokenizer, "for models that carry none");
  command.toggle("!--no-special", arguments->adds_special, "leave BOS and EOS out");
  command.toggle("--parse-special", arguments->parses_special,
                 "read '<|...|>' as special tokens");
  command.toggle("--ids", arguments->is_ids_only, "ids only, one a line");
  command.when_chosen(
      [arguments, &chosen] { chosen = [arguments] { return tokenize(*arguments); }; });
}

}  // namespace quire

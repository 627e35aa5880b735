// Conversations in files: see chat_session.h.
#include "terminal/chat/chat_session.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/file.h"
#include "base/json.h"
#include "store/local_store.h"

namespace quire {
namespace {

constexpr std::int64_t kFormat = 1;
constexpr std::size_t kSizeMax = std::size_t{16} << 20;
constexpr std::size_t kMessagesMax = 10'000;
constexpr std::size_t kNameSizeMax = 64;
constexpr std::size_t kListedMax = 1000;
constexpr std::string_view kSuffix = ".json";

Status corrupt(std::string_view what) {
  return error(StatusCode::kCorrupt, "the session is damaged: {}", what);
}

Result<std::string> text_of(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value == nullptr || !value->is_string()) return corrupt(fmt::format("'{}' is no text", key));
  return value->as_string();
}

Status read_settings(const Json& values, ChatSettings& settings) {
  if (!values.is_object()) return corrupt("'settings' is no object");
  for (const auto& [name, value] : values.members()) {
    if (!value.is_string()) return corrupt(fmt::format("setting '{}' is no text", name));
    if (const Status status = set_value(name, value.as_string(), settings); !status.is_ok()) {
      return corrupt(status.message());
    }
  }
  return ok_status();
}

Status read_messages(const Json& values, std::vector<ChatMessage>& messages) {
  if (!values.is_array()) return corrupt("'messages' is no array");
  if (values.items().size() > kMessagesMax) return corrupt("it has over 10,000 messages");
  for (const Json& item : values.items()) {
    if (!item.is_object() || item.members().size() != 2) {
      return corrupt("a message is an object of role and content");
    }
    ChatMessage message;
    QUIRE_ASSIGN_OR_RETURN(message.role, text_of(item, "role"));
    QUIRE_ASSIGN_OR_RETURN(message.content, text_of(item, "content"));
    const std::string_view due = messages.size() % 2 == 0 ? "user" : "assistant";
    if (message.role != due) {
      return corrupt(fmt::format("message {} is by '{}', not by '{}'", messages.size() + 1,
                                 message.role, due));
    }
    messages.push_back(std::move(message));
  }
  return ok_status();
}

Result<std::string> sessions_folder() {
  QUIRE_ASSIGN_OR_RETURN(const std::string home, store::store_folder());
  return home + "/sessions";
}

}  // namespace

std::string session_text(const ChatSession& session) {
  Json settings = Json::object();
  for (const auto& [name, value] : setting_values(session.settings)) settings.set(name, value);
  Json messages = Json::array();
  for (const ChatMessage& message : session.messages) {
    messages.push(Json::object({{"role", message.role}, {"content", message.content}}));
  }
  return dump(Json::object({{"quire_session", kFormat},
                            {"model", session.model},
                            {"settings", std::move(settings)},
                            {"messages", std::move(messages)}})) + "\n";
}

Result<ChatSession> parse_session(const std::string& text, const ChatSettings& initial) {
  JsonLimits limits;
  limits.bytes_max = kSizeMax;
  limits.values_max = 8 * kMessagesMax;
  limits.depth_max = 8;
  const auto parsed = parse_json(text, limits);
  if (!parsed.is_ok()) return corrupt(parsed.status().message());
  if (!parsed->is_object()) return corrupt("it is no object");
  const Json* format = parsed->find("quire_session");
  if (format == nullptr || !format->is_int() || format->as_int() != kFormat) {
    return error(StatusCode::kUnsupported, "this is no session that this version of Quire reads");
  }
  ChatSession session;
  session.settings = initial;
  for (const auto& [key, value] : parsed->members()) {
    if (key == "settings") {
      QUIRE_RETURN_IF_ERROR(read_settings(value, session.settings));
    } else if (key == "messages") {
      QUIRE_RETURN_IF_ERROR(read_messages(value, session.messages));
    } else if (key != "model" && key != "quire_session") {
      return corrupt(fmt::format("'{}' is no field of a session", key));
    }
  }
  QUIRE_ASSIGN_OR_RETURN(session.model, text_of(*parsed, "model"));
  if (parsed->find("messages") == nullptr) return corrupt("'messages' is missing");
  return session;
}

Status check_session_name(const std::string& name) {
  const bool is_good =
      !name.empty() && name.size() <= kNameSizeMax && name[0] != '.' &&
      std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '-' || c == '_';
      });
  if (is_good) return ok_status();
  return error(StatusCode::kInvalidArgument,
               "a session's name is 1 to {} letters, digits, '.', '-' and '_', and does not begin "
               "with '.'", kNameSizeMax);
}

Result<std::string> session_path(const std::string& name) {
  QUIRE_RETURN_IF_ERROR(check_session_name(name));
  QUIRE_ASSIGN_OR_RETURN(const std::string folder, sessions_folder());
  return fmt::format("{}/{}{}", folder, name, kSuffix);
}

Status save_session(const std::string& name, const ChatSession& session) {
  QUIRE_ASSIGN_OR_RETURN(const std::string path, session_path(name));
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) {
    return error(StatusCode::kUnavailable, "{} cannot be made: {}", folder.string(),
                 failure.message());
  }
  // What is said is for the one who said it.
  ::chmod(folder.c_str(), S_IRWXU);
  const std::string text = session_text(session);
  if (text.size() > kSizeMax || session.messages.size() > kMessagesMax) {
    return error(StatusCode::kResourceExhausted,
                 "the conversation is too long for a session ({} bytes, {} messages)", text.size(),
                 session.messages.size());
  }
  return replace_file(path, text);
}

Result<ChatSession> load_session(const std::string& name, const ChatSettings& initial) {
  QUIRE_ASSIGN_OR_RETURN(const std::string path, session_path(name));
  QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kSizeMax));
  return parse_session(text, initial);
}

bool has_session(const std::string& name) {
  const auto path = session_path(name);
  std::error_code failure;
  return path.is_ok() && std::filesystem::exists(*path, failure);
}

std::vector<SessionEntry> list_sessions() {
  std::vector<SessionEntry> entries;
  const auto folder = sessions_folder();
  if (!folder.is_ok()) return entries;
  std::error_code failure;
  for (std::filesystem::directory_iterator it(*folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    const std::string file = it->path().filename().string();
    if (!file.ends_with(kSuffix)) continue;
    std::string name = file.substr(0, file.size() - kSuffix.size());
    struct stat status{};
    if (!check_session_name(name).is_ok() || ::stat(it->path().c_str(), &status) != 0) continue;
    entries.push_back({std::move(name), status.st_mtime});
  }
  std::sort(entries.begin(), entries.end(), [](const SessionEntry& a, const SessionEntry& b) {
    return std::pair(-a.saved_seconds, a.name) < std::pair(-b.saved_seconds, b.name);
  });
  if (entries.size() > kListedMax) entries.resize(kListedMax);
  return entries;
}

}  // namespace quire

// ServedNames: models in the order in which clients are to see them, and what a request that names
// none means. Versions of a model are models of the host, "NAME:VERSION", and one of them has the
// bare name, by which requests are divided among all (ModelHost::route): that one goes before the
// others, and the bare name before its own.
// Pure but for the host's lock; any thread. Used by serve's dialects.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/model_host.h"

namespace quire {

// "story:1" as a version of "story" is called. Nothing: it is a name of another kind, be it
// "story:latest". The parts are of `name`.
struct VersionParts {
  std::string_view name, version;
};
std::optional<VersionParts> version_parts(std::string_view name);

// Who has a bare name stands where the first of its versions stood.
std::vector<ModelRow> served_rows(const ModelHost& host);

// Among all names of a model, its own first: that by which its versions are asked for; else empty.
std::string_view bare_name(const std::vector<std::string>& names);

// But for kAnyName.
std::vector<std::string> served_names(const ModelRow& row);

std::optional<std::string> first_served_name(const ModelHost& host);  // nothing: there is no model
std::optional<std::string> only_served_name(const ModelHost& host);  // or one with versions

}  // namespace quire

// The OpenAPI 3.1 document of this server, made of the routes of its dialects and of what their
// parsers ask a body for (intake/field_notes.h): a field that is read is in it, with its type and
// bounds, and no field that is not. Shown at /openapi.json and by the page.
// I/O thread; takes milliseconds, so it is made once, when it is first asked for. Used by quire.
#pragma once

#include <string>

#include "serve/house.h"

namespace quire {

std::string openapi_document(const House& house);

}  // namespace quire

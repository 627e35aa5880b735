// Asio as this folder uses it: compiled once (asio_source.cc), coroutines, errors as values. Only
// .cc files and headers that no one outside of serve/http and server.cc sees may include it: it is
// heavy. Nothing else of ours stands here.
#pragma once

#ifndef BOOST_ASIO_SEPARATE_COMPILATION
#define BOOST_ASIO_SEPARATE_COMPILATION
#endif
#ifndef BOOST_BEAST_SEPARATE_COMPILATION
#define BOOST_BEAST_SEPARATE_COMPILATION
#endif
#ifndef BOOST_ASIO_NO_DEPRECATED
#define BOOST_ASIO_NO_DEPRECATED
#endif

#include <boost/asio.hpp>

namespace quire {
namespace asio = boost::asio;

// co_await operation(..., kAsTuple): (error_code, results...) instead of exceptions.
inline constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

}  // namespace quire

// The bodies of Asio and Beast, compiled here and nowhere else.
#include "serve/http/asio.h"

#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>

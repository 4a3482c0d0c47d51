#ifndef HTTP_PAGES_H
#define HTTP_PAGES_H

#include "base/slice.h"

/* The documents that are compiled in; the build makes their bytes from src/http/pages/. */
struct slice http_page_dashboard(void);
struct slice http_page_openapi(void);

#endif

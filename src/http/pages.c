#include "http/pages.h"

/* Made by the build: lists of bytes. */
static const uint8_t dashboard[] = {
#include "http/pages/dashboard.html.inc"
};
static const uint8_t openapi[] = {
#include "http/pages/openapi.json.inc"
};

struct slice http_page_dashboard(void)
{
    return (struct slice){dashboard, sizeof dashboard};
}

struct slice http_page_openapi(void)
{
    return (struct slice){openapi, sizeof openapi};
}

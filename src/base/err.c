#include "base/err.h"

const char *err_text(enum err e)
{
    static const char *const texts[] = {
#define ERR_TEXT(name, text) text,
        ERR_MAP(ERR_TEXT)
#undef ERR_TEXT
    };
    unsigned index = (unsigned)e;
    return index < sizeof texts / sizeof texts[0] ? texts[index] : "unknown error";
}

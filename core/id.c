/* Identities: 128-bit random UUIDs, made and written by libuuid. */
#include "core/id.h"

#include <string.h>

#include <uuid/uuid.h>

#include "core/err.h"

struct id id_new(void)
{
    struct id id;
    uuid_generate_random(id.bytes);
    return id;
}

bool id_is_none(struct id id)
{
    return id_equal(id, (struct id){{0}});
}

bool id_equal(struct id a, struct id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

const char *id_format(struct id id, char text[static ID_TEXT_SIZE])
{
    uuid_unparse_lower(id.bytes, text);
    return text;
}

int id_parse(struct id *id, const char *text)
{
    struct id read;
    if (strlen(text) != ID_TEXT_SIZE - 1 || uuid_parse(text, read.bytes) != 0)
        return ERR_INVALID;
    *id = read;
    return 0;
}

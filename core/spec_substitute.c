/* ${name} in commands. A parameter goes before budget, trial, attempt, seed and ablated if it has one of
 * these names. */
#include <inttypes.h>
#include <string.h>

#include "core/spec_reader.h"

struct piece next_piece(const char **at)
{
    const char *start = *at;
    if (!*start)
        return (struct piece){PIECE_END, start, 0};
    if (start[0] == '$' && start[1] == '$') {
        *at += 2;
        return (struct piece){PIECE_DOLLAR, start, 1};
    }
    if (start[0] == '$' && start[1] == '{') {
        size_t size = strcspn(start + 2, "}");
        bool is_closed = start[2 + size] == '}';
        *at += 2 + size + is_closed;
        return (struct piece){is_closed ? PIECE_NAME : PIECE_UNCLOSED, start + 2, size};
    }
    size_t size = 1 + strcspn(start + 1, "$"); /* a $ alone is text: $HOME is the shell's */
    *at += size;
    return (struct piece){PIECE_TEXT, start, size};
}

static bool is_name(const char *name, const char *start, size_t size)
{
    return strncmp(name, start, size) == 0 && !name[size];
}

static const struct param *find_param(size_t *index, const struct space *space, const char *name, size_t size)
{
    for (size_t i = 0; i < space->n_params; i++) {
        if (is_name(space->params[i].name, name, size)) {
            *index = i;
            return &space->params[i];
        }
    }
    return NULL;
}

bool is_reference(const struct space *space, const char *name, size_t size)
{
    size_t index;
    return find_param(&index, space, name, size) || is_name("budget", name, size) ||
           is_name("trial", name, size) || is_name("attempt", name, size) || is_name("seed", name, size) ||
           is_name("ablated", name, size);
}

static int write_reference(struct text *out, const struct substitution *values, const char *name, size_t size,
                           struct err *err)
{
    size_t index;
    const struct param *param = find_param(&index, values->space, name, size);
    if (param)
        param_write_text(out, param, values->point[index]);
    else if (is_name("budget", name, size))
        text_printf(out, "%" PRId64, values->budget);
    else if (is_name("trial", name, size))
        text_printf(out, "%" PRId64, values->trial);
    else if (is_name("attempt", name, size))
        text_printf(out, "%" PRId64, values->attempt);
    else if (is_name("seed", name, size))
        text_printf(out, "%" PRIu64, values->seed);
    else if (is_name("ablated", name, size))
        text_append(out, values->ablated ? values->ablated : "");
    else
        return err_set(err, ERR_INVALID, "${%.*s} is not a parameter", (int)(size < 128 ? size : 128), name);
    return 0;
}

int spec_substitute(struct text *out, const char *string, const struct substitution *values, struct err *err)
{
    for (;;) {
        struct piece piece = next_piece(&string);
        int code = 0;
        switch (piece.kind) {
        case PIECE_END:
            return out->failed ? err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM)) : 0;
        case PIECE_TEXT:
        case PIECE_DOLLAR:
            text_append_bytes(out, piece.start, piece.size);
            break;
        case PIECE_NAME:
            code = write_reference(out, values, piece.start, piece.size, err);
            break;
        case PIECE_UNCLOSED:
            code = err_set(err, ERR_INVALID, "'${' without '}'");
            break;
        }
        if (code < 0)
            return code;
    }
}

/* The trials of an earlier experiment as what a new one knows before it begins: as its export, which
 * core/warm_start reads like any other table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "driver/store_document.h"

static int check_metric(struct document *document, const struct metric *metric)
{
    sqlite3_stmt *get = document_prepare(document, "SELECT metric, goal FROM experiments WHERE key = ?1");
    if (document_next(document, get)) {
        const char *name = db_text(get, 0), *goal = db_text(get, 1);
        const char *wanted = metric->goal == GOAL_MAXIMIZE ? "maximize" : "minimize";
        document->failed = db_check_row(get, document->err);
        if (!document->failed && (strcmp(name, metric->name) != 0 || strcmp(goal, wanted) != 0))
            document->failed =
                err_set(document->err, ERR_INVALID, "its objective is to %s '%.60s', not to %s '%.60s'", goal,
                        name, wanted, metric->name);
    }
    (void)sqlite3_finalize(get); /* repeats the error of the step */
    return document->failed;
}

static int check_objective(struct query *query, const struct spec *spec, struct err *err)
{
    struct document document;
    struct text none = {0};
    if (!document_begin(&document, query, spec->warm_start.experiment, false, query_to_text(&none), err))
        (void)check_metric(&document, &spec->metric); /* document_end tells */
    int rc = document_end(&document);
    text_fini(&none);
    return rc;
}

static int read_trials(struct query *query, struct spec *spec, struct err *err)
{
    struct text table = {0};
    int rc = check_objective(query, spec, err);
    if (!rc)
        rc = query_export_csv(query, spec->warm_start.experiment, false, query_to_text(&table), err);
    if (!rc)
        rc = warm_start_read_table(&spec->warm_start, spec->space, spec->metric.name, text_get(&table),
                                   table.size, err);
    text_fini(&table);
    return rc;
}

int query_warm_start(struct spec *spec, const char *database, const char *directory, struct err *err)
{
    struct warm_start *warm = &spec->warm_start;
    if (!warm->experiment)
        return 0;
    struct text path = {0};
    struct query *query = NULL;
    if (warm->database && *warm->database != '/' && directory && *directory)
        text_printf(&path, "%s/", directory);
    text_append(&path, warm->database ? warm->database : database);
    int rc =
        path.failed ? err_set(err, ERR_NOMEM, "out of memory") : query_open(&query, text_get(&path), err);
    if (!rc)
        rc = read_trials(query, spec, err);
    if (rc)
        (void)err_prefix(err, "warm_start from '%.60s'", warm->experiment);
    query_close(query);
    text_fini(&path);
    if (rc)
        return rc;
    free(warm->experiment);
    free(warm->database);
    warm->experiment = warm->database = NULL;
    return 0;
}

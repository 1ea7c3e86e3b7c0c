/* The shared page of a slot. */
#include "worker/page.h"

#include <stdio.h>

void page_end(struct page *page, int code, const char *text)
{
    page->code = code;
    (void)snprintf(page->text, sizeof page->text, "%s", text); /* a long text is cut */
    atomic_store(&page->has_ended, true);
}

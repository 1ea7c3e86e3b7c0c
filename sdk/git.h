#ifndef SDK_GIT_H
#define SDK_GIT_H

/* The git revision that a directory is at, with "-dirty" if files differ from it; "" where it cannot be told
 * (no git, no repository). The caller frees; NULL when out of memory. */
char *git_revision(const char *directory);

#endif

#ifndef TESTS_WORKER_ACTS_H
#define TESTS_WORKER_ACTS_H

/* What a trial of the host may do: the choices of its first parameter. */
#define ACTS                                                                                                 \
    ACT(finish)                                                                                              \
    ACT(names)                                                                                               \
    ACT(many)                                                                                                \
    ACT(threads)                                                                                             \
    ACT(obey)                                                                                                \
    ACT(oblivious)                                                                                           \
    ACT(report_late)                                                                                         \
    ACT(deaf)                                                                                                \
    ACT(segv)                                                                                                \
    ACT(abort)                                                                                               \
    ACT(exit)                                                                                                \
    ACT(print)                                                                                               \
    ACT(fail)                                                                                                \
    ACT(return_3)                                                                                            \
    ACT(nothing)                                                                                             \
    ACT(nan)                                                                                                 \
    ACT(too_many_names)                                                                                      \
    ACT(checkpoint)

enum act {
#define ACT(name) ACT_##name,
    ACTS
#undef ACT
        N_ACTS
};

#define MANY 20000 /* reports of `many`, and of each thread of `threads` */

#endif

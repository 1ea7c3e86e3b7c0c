#ifndef CLI_THREADS_H
#define CLI_THREADS_H

/* Ends the threads that libraries have started before main. Then this process has one thread, as forking
 * workers and blocking signals need it. */
void threads_end(void);

#endif

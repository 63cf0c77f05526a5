#ifndef MINKE_PAGES_H
#define MINKE_PAGES_H

#include <stddef.h>

// The files of the pages, brought into the program when it is built. They lie in web/, and changing one builds this
// module again.

typedef struct {
    /// The file's name, as in `chat.html`.
    const char *name;
    const unsigned char *bytes;
    size_t count;
} MinkePageFile;

/// How many files there are.
size_t minkePageFileCount(void);

/// The file at `index`, below the count.
MinkePageFile minkePageFile(size_t index);

#endif

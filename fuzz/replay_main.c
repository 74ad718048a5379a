/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds every file of the corpus folders given as arguments to a fuzz target, so that gcc alone replays the corpus as a test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) return -1;
    static uint8_t content[1 << 20];
    size_t size = fread(content, 1, sizeof content, file);
    fclose(file);
    /* A copy of the exact size, so that the sanitizer sees any read past its end. */
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) return -1;
    memcpy(copy, content, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned replayed = 0;
    for (int i = 1; i < argc; i++) {
        DIR *directory = opendir(argv[i]);
        if (!directory) {
            fprintf(stderr, "cannot open %s\n", argv[i]);
            return 1;
        }
        for (struct dirent *entry; (entry = readdir(directory));) {
            char path[4096];
            if (entry->d_name[0] == '.') continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            if (replay_file(path) == 0) replayed++;
        }
        closedir(directory);
    }
    printf("1..1\n%s 1 - replays %u inputs without a crash\n", replayed ? "ok" : "not ok", replayed);
    return replayed ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Run by the build: writes the compiled rules as an array: a byte for each that was refused, then Hyperscan's database. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enrich/user_agent_database.h"
#include "enrich/user_agent_rules.h"

/* As assembler text: an array in C of that size takes the compiler longer than all the rest of the program. */
static bool write_quads(FILE *out, const uint8_t *bytes, size_t size)
{
    fprintf(out, ".section .rodata\n.global user_agent_database_bytes\n.global user_agent_database_size\n.balign 64\n"
                 "user_agent_database_bytes:\n");
    for (size_t i = 0; i < size; i += 8) {
        uint64_t quad = 0;
        for (size_t j = 0; j < 8 && i + j < size; j++) quad |= (uint64_t)bytes[i + j] << (8 * j);
        fprintf(out, "%s0x%llx%s", i % 64 == 0 ? ".quad " : ",", (unsigned long long)quad,
                i % 64 == 56 || i + 8 >= size ? "\n" : "");
    }
    fprintf(out, ".balign 8\nuser_agent_database_size:\n.quad %zu\n.section .note.GNU-stack,\"\",@progbits\n", size);
    return !ferror(out);
}

int main(int argument_count, char **arguments)
{
    struct error error = {0};
    hs_database_t *database = NULL;
    uint8_t *refused = NULL;
    char *serialized = NULL;
    size_t size = 0, count = user_agent_rule_starts[USER_AGENT_KIND_COUNT];
    if (argument_count != 2) return 2;
    if (user_agent_database_compile(&database, &refused, &error) != ERROR_NONE) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    if (hs_serialize_database(database, &serialized, &size) != HS_SUCCESS) return 1;
    uint8_t *bytes = malloc(count + size);
    FILE *out = fopen(arguments[1], "w");
    if (!bytes || !out) return 1;
    memcpy(bytes, refused, count);
    memcpy(bytes + count, serialized, size);
    bool written = write_quads(out, bytes, count + size);
    if (fclose(out) != 0) written = false;
    if (!written) perror(arguments[1]);
    free(bytes);
    free(serialized);
    free(refused);
    hs_free_database(database);
    return written ? 0 : 1;
}

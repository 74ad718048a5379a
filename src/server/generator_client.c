/* SPDX-License-Identifier: Apache-2.0 */
/* The clients of generated traffic: what their User-Agents and addresses look like. */
#include <stdio.h>

#include "base/error.h"
#include "server/generator.h"

/* Left open: V the browser's version, M a phone's model, N a small number. */
static const struct { const char *shape; unsigned first_version; } client_shapes[] = {
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{V}.0.0.0 Safari/537.36", 131},
    {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_{N} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.{N} Mobile/15E148 Safari/604.1", 18},
    {"Mozilla/5.0 (Linux; Android 14; {M}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{V}.0.0.0 Mobile Safari/537.36", 131},
    {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.{N} Safari/605.1.15", 18},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{V}.0.0.0 Safari/537.36 Edg/{V}.0.0.0", 131},
    {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{V}.0.0.0 Safari/537.36", 131},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{V}.0) Gecko/20100101 Firefox/{V}.0", 132},
    {"Mozilla/5.0 (Linux; Android 13; {M}) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/{V}.0.0.0 Mobile Safari/537.36", 125},
    {"Mozilla/5.0 (X11; Linux x86_64; rv:{V}.0) Gecko/20100101 Firefox/{V}.0", 132},
    {"Mozilla/5.0 (iPad; CPU OS 17_{N} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/{V}.0.6778.73 Mobile/15E148 Safari/604.1", 131},
};
static const char *const client_models[] = {"SM-S921B", "Pixel 8", "SM-A546B", "2201116SG", "SM-G991U", "CPH2449", "M2101K6G", "V2250", "SM-A155F",
                                            "Pixel 6a", "moto g power (2022)", "LM-K500", "RMX3511", "SM-S918U", "22101316G"};
#define CLIENT_COUNT(table) (unsigned)(sizeof table / sizeof table[0])

void generator_user_agent(uint64_t person, char out[GENERATOR_USER_AGENT_SIZE])
{
    /* A rank below 2^k is as likely for each k: the first is seen most often, the hundredth a hundredth as often. */
    unsigned bits = (unsigned)((person >> 12) % GENERATOR_USER_AGENT_BITS), floor = 1u << bits;
    unsigned rank = floor - 1 + (unsigned)(person >> 40) % floor;
    unsigned shape = rank % CLIENT_COUNT(client_shapes), variant = rank / CLIENT_COUNT(client_shapes);
    unsigned version = client_shapes[shape].first_version - variant % 60;
    size_t size = 0;
    for (const char *at = client_shapes[shape].shape; *at && size + 1 < GENERATOR_USER_AGENT_SIZE; at++) {
        if (*at != '{') {
            out[size++] = *at;
            continue;
        }
        size_t room = GENERATOR_USER_AGENT_SIZE - size;
        int written = at[1] == 'M' ? snprintf(out + size, room, "%s", client_models[variant % CLIENT_COUNT(client_models)])
                                   : snprintf(out + size, room, "%u", at[1] == 'V' ? version : variant % 7);
        size += (size_t)written;
        at += 2;
    }
    ASSERT(size < GENERATOR_USER_AGENT_SIZE); /* the shapes are ours */
    out[size] = 0;
}

void generator_address(uint64_t person, char out[GENERATOR_ADDRESS_SIZE])
{
    /* Anywhere in the public internet, so that neighbours share nothing in a database of places. */
    static const unsigned char firsts[] = {2, 5, 12, 24, 31, 37, 46, 50, 62, 66, 71, 77, 79, 80, 82, 84, 86, 87, 89, 90, 91, 93, 94, 98, 104, 109,
                                           126, 133, 151, 176, 178, 184, 188, 189, 193, 201, 212, 213, 217};
    static const unsigned short prefixes[] = {0x2001, 0x2003, 0x2600, 0x2601, 0x2a01, 0x2a02, 0x2804, 0x2409};
    unsigned number = (unsigned)(person % GENERATOR_ADDRESS_COUNT) * 2654435761u;
    if (number % 10 == 0)
        snprintf(out, GENERATOR_ADDRESS_SIZE, "%x:%x:%x::%x", prefixes[number >> 29], 0x800 + (number >> 16 & 0x3ff), number & 0xffff, number >> 20 | 1);
    else
        snprintf(out, GENERATOR_ADDRESS_SIZE, "%u.%u.%u.%u", firsts[(number >> 24) % sizeof firsts], number >> 16 & 255, number >> 8 & 255,
                 number % 254 + 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Writes small MaxMind DB files, so that tests need no download. */
#ifndef ENRICH_GEO_FIXTURE_H
#define ENRICH_GEO_FIXTURE_H

#include <stdio.h>
#include "base/buffer.h"
#include "base/network.h"

/* One network and what is known of it; `flat` as DB-IP writes it, else as MaxMind does. */
struct geo_fixture_place {
    const char *network; /* "192.0.2.0/24" */
    bool flat;
    const char *country, *region, *city;
    double latitude, longitude;
};

#define GEO_FIXTURE_NODE_LIMIT 1024
struct geo_fixture_tree {
    unsigned count;
    int records[GEO_FIXTURE_NODE_LIMIT][2]; /* 0: nothing, n: node n, -n: data at n - 1 */
};

static inline void geo_fixture_number(struct buffer *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = bytes; i > 0; i--) buffer_append_byte(out, (char)(value >> (8 * (i - 1))));
}
/* Types up to 7 fit into the first byte, those behind follow it. */
static inline void geo_fixture_begin(struct buffer *out, unsigned type, size_t size)
{
    ASSERT(size < 29 + 256);
    buffer_append_byte(out, (char)((type <= 7 ? type << 5 : 0) | (size < 29 ? size : 29)));
    if (type > 7) buffer_append_byte(out, (char)(type - 7));
    if (size >= 29) buffer_append_byte(out, (char)(size - 29));
}
static inline void geo_fixture_text(struct buffer *out, const char *text)
{
    geo_fixture_begin(out, 2, strlen(text));
    buffer_append_slice(out, slice_from_string(text));
}
static inline void geo_fixture_unsigned(struct buffer *out, unsigned type, uint64_t value, unsigned bytes)
{
    geo_fixture_begin(out, type, bytes);
    geo_fixture_number(out, value, bytes);
}
static inline void geo_fixture_real(struct buffer *out, double value, bool is_float)
{
    float small = (float)value;
    uint64_t bits = 0;
    uint32_t small_bits;
    memcpy(&bits, &value, 8);
    memcpy(&small_bits, &small, 4);
    geo_fixture_unsigned(out, is_float ? 15 : 3, is_float ? small_bits : bits, is_float ? 4 : 8);
}
static inline void geo_fixture_map(struct buffer *out, size_t count) { geo_fixture_begin(out, 7, count); }

static inline void geo_fixture_names(struct buffer *out, const char *name)
{
    geo_fixture_map(out, 1);
    geo_fixture_text(out, "names");
    geo_fixture_map(out, 2);
    geo_fixture_text(out, "de");
    geo_fixture_text(out, "(auf Deutsch)");
    geo_fixture_text(out, "en");
    geo_fixture_text(out, name);
}

static inline void geo_fixture_place_write(struct buffer *out, const struct geo_fixture_place *place)
{
    if (place->flat) {
        geo_fixture_map(out, 5);
        geo_fixture_text(out, "country_code");
        geo_fixture_text(out, place->country);
        geo_fixture_text(out, "state1");
        geo_fixture_text(out, place->region);
        geo_fixture_text(out, "city");
        geo_fixture_text(out, place->city);
        geo_fixture_text(out, "latitude");
        geo_fixture_real(out, place->latitude, true);
        geo_fixture_text(out, "longitude");
        geo_fixture_real(out, place->longitude, true);
        return;
    }
    geo_fixture_map(out, 4);
    geo_fixture_text(out, "country");
    geo_fixture_map(out, 1);
    geo_fixture_text(out, "iso_code");
    geo_fixture_text(out, place->country);
    geo_fixture_text(out, "subdivisions");
    geo_fixture_begin(out, 11, 1);
    geo_fixture_names(out, place->region);
    geo_fixture_text(out, "city");
    geo_fixture_names(out, place->city);
    geo_fixture_text(out, "location");
    geo_fixture_map(out, 2);
    geo_fixture_text(out, "latitude");
    geo_fixture_real(out, place->latitude, false);
    geo_fixture_text(out, "longitude");
    geo_fixture_real(out, place->longitude, false);
}

static inline void geo_fixture_insert(struct geo_fixture_tree *tree, const char *network, unsigned version, size_t offset)
{
    struct network_prefix prefix;
    ASSERT(network_prefix_parse(slice_from_string(network), &prefix));
    unsigned skipped = version == 4 ? 96 : 0, node = 0;
    for (unsigned bit = skipped; bit < prefix.bits; bit++) {
        int *record = &tree->records[node][prefix.bytes[bit / 8] >> (7 - bit % 8) & 1];
        if (bit + 1 == prefix.bits) *record = -(int)offset - 1;
        else if (*record == 0) {
            ASSERT(tree->count < GEO_FIXTURE_NODE_LIMIT);
            *record = (int)tree->count++;
        }
        node = *record > 0 ? (unsigned)*record : 0;
    }
}

static inline void geo_fixture_metadata(struct buffer *out, unsigned nodes, unsigned version, const char *type)
{
    buffer_append_slice(out, SLICE("\xab\xcd\xefMaxMind.com"));
    geo_fixture_map(out, 9);
    geo_fixture_text(out, "node_count");
    geo_fixture_unsigned(out, 6, nodes, 4);
    geo_fixture_text(out, "record_size");
    geo_fixture_unsigned(out, 5, 24, 2);
    geo_fixture_text(out, "ip_version");
    geo_fixture_unsigned(out, 5, version, 2);
    geo_fixture_text(out, "database_type");
    geo_fixture_text(out, type);
    geo_fixture_text(out, "languages");
    geo_fixture_begin(out, 11, 1);
    geo_fixture_text(out, "en");
    geo_fixture_text(out, "binary_format_major_version");
    geo_fixture_unsigned(out, 5, 2, 2);
    geo_fixture_text(out, "binary_format_minor_version");
    geo_fixture_unsigned(out, 5, 0, 2);
    geo_fixture_text(out, "build_epoch");
    geo_fixture_unsigned(out, 9, 1780920000, 8);
    geo_fixture_text(out, "description");
    geo_fixture_map(out, 1);
    geo_fixture_text(out, "en");
    geo_fixture_text(out, "made by a test");
}

/* `version` is 4 or 6: which family the file is for. */
static inline void geo_fixture_write(const char *path, unsigned version, const char *type,
                                     const struct geo_fixture_place *places, size_t count)
{
    static struct geo_fixture_tree tree;
    memset(&tree, 0, sizeof tree);
    tree.count = 1;
    struct buffer data = {0}, file = {0};
    for (size_t i = 0; i < count; i++) {
        geo_fixture_insert(&tree, places[i].network, version, data.size);
        geo_fixture_place_write(&data, &places[i]);
    }
    for (unsigned node = 0; node < tree.count; node++)
        for (unsigned side = 0; side < 2; side++) {
            int record = tree.records[node][side];
            geo_fixture_number(&file, record == 0 ? tree.count : record > 0 ? (unsigned)record : tree.count + 16 + (unsigned)(-record - 1), 3);
        }
    buffer_append_zeros(&file, 16);
    buffer_append_slice(&file, buffer_slice(&data));
    geo_fixture_metadata(&file, tree.count, version, type);
    FILE *out = fopen(path, "wb");
    ASSERT(out && !file.failed && fwrite(file.data, 1, file.size, out) == file.size && fclose(out) == 0);
    buffer_free(&data);
    buffer_free(&file);
}

#endif

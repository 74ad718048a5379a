/* SPDX-License-Identifier: Apache-2.0 */
/* Where an address is, by MaxMind DB files. */
#ifndef ENRICH_GEO_H
#define ENRICH_GEO_H

#include "base/error.h"
#include "base/slice.h"

/*
 * Model: one to eight files, mapped into memory and never changed; some makers have one file for each family of addresses.
 * The first file that knows the address answers. Both shapes of records are read: MaxMind's (country.iso_code,
 * subdivisions.0.names.en, city.names.en, location.latitude) and the flat one of DB-IP (country_code, state1, city,
 * latitude). Safe for all threads.
 */
struct geo;
#define GEO_DATABASE_LIMIT 8
#define GEO_TEXT_LIMIT_BYTES 128 /* the columns' limit */

struct geo_place {
    struct slice country; /* ISO 3166: two capital letters */
    struct slice region, city;
    bool has_position;
    double latitude, longitude;
};

/* `paths` is comma-separated; a folder stands for the *.mmdb files in it, of which there may be none. No path, no file: an
 * empty geo, which finds nothing. ERROR_INVALID names the file that is missing or no such database. */
enum error_code geo_open(struct slice paths, struct geo **ret_geo, struct error *error) MUST_CHECK;
void geo_close(struct geo *geo);
size_t geo_database_count(const struct geo *geo);
/* Who made the data, where a licence asks pages that show it for a link (DB-IP's CC BY 4.0, MaxMind's for GeoLite):
 * told by the file's name or what it says of itself. NULL behind the last. */
struct geo_source { const char *name, *url; };
const struct geo_source *geo_source_at(const struct geo *geo, size_t index);
/* False when the address is none, or none of the public internet, or in no file. Texts lie in the mapped file, as long as
 * `geo` is open; they are valid UTF-8. */
bool geo_find(const struct geo *geo, struct slice address, struct geo_place *place);

#endif

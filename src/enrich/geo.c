/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the files and reads places out of their records. */
#include "enrich/geo.h"

#include <dirent.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <maxminddb.h>

#include "base/network.h"
#include "enrich/client_address.h"

/* The files of DB-IP say nothing of their maker, so their names have to. */
static const struct { const char *words[2]; struct geo_source source; } geo_sources[] = {
    {{"dbip", "db-ip"}, {"IP Geolocation by DB-IP", "https://db-ip.com"}},
    {{"geolite", "geoip2"}, {"Geolocation data by MaxMind", "https://www.maxmind.com"}},
};
#define GEO_SOURCE_COUNT (sizeof geo_sources / sizeof geo_sources[0])

/* Answers are remembered by address, some 7 MiB when there are that many: visitors send more than one event, and reading a record takes some
 * ten walks through it. An address can lie only in the set its bytes say, where the one not used for longest makes room. */
#define GEO_SET_COUNT 8192
#define GEO_WAY_COUNT 8
struct geo_entry {
    uint8_t bytes[16];
    uint64_t used; /* 0: free */
    bool is_found;
    struct geo_place place;
};
struct geo_set {
    pthread_mutex_t mutex;
    uint64_t clock;
    struct geo_entry entries[GEO_WAY_COUNT];
};
struct geo {
    size_t count;
    bool has_source[GEO_SOURCE_COUNT];
    MMDB_s databases[GEO_DATABASE_LIMIT];
    struct geo_set *sets; /* NULL: there is no database */
};

static void note_source(struct geo *geo, const char *text)
{
    for (size_t source = 0; source < GEO_SOURCE_COUNT; source++)
        for (size_t i = 0; i < 2; i++)
            if (text && strcasestr(text, geo_sources[source].words[i])) geo->has_source[source] = true;
}

static enum error_code add_file(struct geo *geo, const char *path, struct error *error)
{
    if (geo->count == GEO_DATABASE_LIMIT)
        return error_set_field(error, ERROR_INVALID, "geo.database", "at most %d databases of places", GEO_DATABASE_LIMIT);
    int status = MMDB_open(path, MMDB_MODE_MMAP, &geo->databases[geo->count]);
    if (status != MMDB_SUCCESS)
        return error_set_field(error, ERROR_INVALID, "geo.database", "%s: %s", path, MMDB_strerror(status));
    const char *name = strrchr(path, '/');
    note_source(geo, name ? name : path);
    note_source(geo, geo->databases[geo->count].metadata.database_type);
    geo->count++;
    return ERROR_NONE;
}

static int is_database(const struct dirent *entry) { return slice_ends_with(slice_from_string(entry->d_name), SLICE(".mmdb")); }

static enum error_code add_folder(struct geo *geo, const char *path, struct error *error)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_database, alphasort);
    if (count < 0) return error_set_field(error, ERROR_INVALID, "geo.database", "%s cannot be read", path);
    enum error_code code = ERROR_NONE;
    for (int i = 0; i < count; i++) {
        char file[PATH_MAX + 1 + sizeof entries[i]->d_name];
        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (code == ERROR_NONE) code = add_file(geo, file, error);
        free(entries[i]);
    }
    free(entries);
    return code;
}

static enum error_code add_path(struct geo *geo, struct slice path, struct error *error)
{
    char text[PATH_MAX];
    if (path.size >= sizeof text) return error_set_field(error, ERROR_INVALID, "geo.database", "a path is too long");
    memcpy(text, path.data, path.size);
    text[path.size] = 0;
    struct stat status;
    bool is_folder = stat(text, &status) == 0 && S_ISDIR(status.st_mode);
    return is_folder ? add_folder(geo, text, error) : add_file(geo, text, error);
}

enum error_code geo_open(struct slice paths, struct geo **ret_geo, struct error *error)
{
    struct geo *geo = calloc(1, sizeof *geo);
    if (!geo) return error_set(error, ERROR_MEMORY, "out of memory");
    enum error_code code = ERROR_NONE;
    while (paths.size > 0 && code == ERROR_NONE) {
        struct slice path = slice_trim(slice_cut(&paths, ','));
        if (path.size > 0) code = add_path(geo, path, error);
    }
    if (code == ERROR_NONE && geo->count > 0) {
        geo->sets = calloc(GEO_SET_COUNT, sizeof *geo->sets);
        if (!geo->sets) code = error_set(error, ERROR_MEMORY, "out of memory");
        for (size_t i = 0; geo->sets && i < GEO_SET_COUNT; i++) pthread_mutex_init(&geo->sets[i].mutex, NULL);
    }
    if (code == ERROR_NONE) *ret_geo = geo;
    else geo_close(geo);
    return code;
}

void geo_close(struct geo *geo)
{
    if (!geo) return;
    for (size_t i = 0; i < geo->count; i++) MMDB_close(&geo->databases[i]);
    for (size_t i = 0; geo->sets && i < GEO_SET_COUNT; i++) pthread_mutex_destroy(&geo->sets[i].mutex);
    free(geo->sets);
    free(geo);
}

size_t geo_database_count(const struct geo *geo) { return geo->count; }

const struct geo_source *geo_source_at(const struct geo *geo, size_t index)
{
    for (size_t source = 0; source < GEO_SOURCE_COUNT; source++)
        if (geo->has_source[source] && index-- == 0) return &geo_sources[source].source;
    return NULL;
}

/* Where a value stands in a record: MaxMind's place first, then the flat one. */
#define PATH_DEPTH 5
typedef const char *const value_path[PATH_DEPTH];
struct value_paths { value_path nested, flat; };
static const struct value_paths country_paths = {{"country", "iso_code"}, {"country_code"}};
static const struct value_paths region_paths = {{"subdivisions", "0", "names", "en"}, {"state1"}};
static const struct value_paths city_paths = {{"city", "names", "en"}, {"city"}};
static const struct value_paths latitude_paths = {{"location", "latitude"}, {"latitude"}};
static const struct value_paths longitude_paths = {{"location", "longitude"}, {"longitude"}};

static bool get_at(MMDB_entry_s *entry, const char *const *path, MMDB_entry_data_s *data)
{
    return MMDB_aget_value(entry, data, path) == MMDB_SUCCESS && data->has_data && data->type != MMDB_DATA_TYPE_MAP;
}

/* The shape the record showed so far is tried first: a path that leads nowhere costs as much as one that does. */
static bool get_value(MMDB_entry_s *entry, const struct value_paths *paths, bool *is_flat, MMDB_entry_data_s *data)
{
    if (get_at(entry, *is_flat ? paths->flat : paths->nested, data)) return true;
    if (!get_at(entry, *is_flat ? paths->nested : paths->flat, data)) return false;
    *is_flat = !*is_flat;
    return true;
}

static struct slice get_text(MMDB_entry_s *entry, const struct value_paths *paths, bool *is_flat)
{
    MMDB_entry_data_s data;
    if (!get_value(entry, paths, is_flat, &data) || data.type != MMDB_DATA_TYPE_UTF8_STRING) return SLICE_EMPTY;
    struct slice text = slice_make(data.utf8_string, data.data_size);
    return text.size <= GEO_TEXT_LIMIT_BYTES && slice_is_utf8(text) ? text : SLICE_EMPTY;
}

static bool is_country_code(struct slice text)
{
    return text.size == 2 && text.data[0] >= 'A' && text.data[0] <= 'Z' && text.data[1] >= 'A' && text.data[1] <= 'Z';
}

static bool get_number(MMDB_entry_s *entry, const struct value_paths *paths, bool *is_flat, double limit, double *ret_number)
{
    MMDB_entry_data_s data;
    if (!get_value(entry, paths, is_flat, &data)) return false;
    if (data.type == MMDB_DATA_TYPE_DOUBLE) *ret_number = data.double_value;
    else if (data.type == MMDB_DATA_TYPE_FLOAT) *ret_number = (double)data.float_value;
    else return false;
    return *ret_number >= -limit && *ret_number <= limit; /* false for what is no number, too */
}

static bool look_up(const MMDB_s *database, const uint8_t bytes[16], MMDB_entry_s *ret_entry)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool version4 = memcmp(bytes, mapped, sizeof mapped) == 0;
    if (!version4 && database->metadata.ip_version == 4) return false;
    struct sockaddr_in address4 = {.sin_family = AF_INET};
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6};
    memcpy(&address4.sin_addr, bytes + 12, 4);
    memcpy(&address6.sin6_addr, bytes, 16);
    int status;
    MMDB_lookup_result_s result = MMDB_lookup_sockaddr(
        database, version4 ? (const struct sockaddr *)&address4 : (const struct sockaddr *)&address6, &status);
    *ret_entry = result.entry;
    return status == MMDB_SUCCESS && result.found_entry;
}

static bool geo_read(const struct geo *geo, const uint8_t bytes[16], struct geo_place *place)
{
    MMDB_entry_s entry;
    for (size_t i = 0; i < geo->count; i++) {
        if (!look_up(&geo->databases[i], bytes, &entry)) continue;
        bool is_flat = false;
        place->country = get_text(&entry, &country_paths, &is_flat);
        if (!is_country_code(place->country)) place->country = SLICE_EMPTY;
        place->region = get_text(&entry, &region_paths, &is_flat);
        place->city = get_text(&entry, &city_paths, &is_flat);
        place->has_position = get_number(&entry, &latitude_paths, &is_flat, 90, &place->latitude) &&
                              get_number(&entry, &longitude_paths, &is_flat, 180, &place->longitude);
        return true;
    }
    return false;
}

/* Who chooses addresses that meet in one set only makes their own slower. */
static struct geo_set *set_of(const struct geo *geo, const uint8_t bytes[16])
{
    uint64_t halves[2];
    memcpy(halves, bytes, sizeof halves);
    uint64_t mixed = (halves[0] ^ halves[1]) * 0x9E3779B97F4A7C15u;
    return &geo->sets[(mixed >> 40) % GEO_SET_COUNT]; /* the upper bits: each depends on all of the address */
}

/* The set is locked. */
static struct geo_entry *set_find(struct geo_set *set, const uint8_t bytes[16])
{
    for (size_t i = 0; i < GEO_WAY_COUNT; i++)
        if (set->entries[i].used && memcmp(set->entries[i].bytes, bytes, 16) == 0) return &set->entries[i];
    return NULL;
}

static void set_put(struct geo_set *set, const uint8_t bytes[16], bool is_found, const struct geo_place *place)
{
    struct geo_entry *entry = &set->entries[0]; /* two threads may both put it: the one is used, the other leaves in time */
    for (size_t i = 1; i < GEO_WAY_COUNT; i++)
        if (set->entries[i].used < entry->used) entry = &set->entries[i];
    *entry = (struct geo_entry){.used = ++set->clock, .is_found = is_found, .place = *place};
    memcpy(entry->bytes, bytes, 16);
}

bool geo_find(const struct geo *geo, struct slice address, struct geo_place *place)
{
    uint8_t bytes[16];
    *place = (struct geo_place){.country = SLICE_EMPTY, .region = SLICE_EMPTY, .city = SLICE_EMPTY};
    if (geo->count == 0 || !network_address_parse(address, bytes) || !client_address_bytes_are_public(bytes)) return false;
    struct geo_set *set = set_of(geo, bytes);
    pthread_mutex_lock(&set->mutex);
    struct geo_entry *entry = set_find(set, bytes);
    bool is_known = entry != NULL, is_found = is_known && entry->is_found;
    if (is_known) {
        entry->used = ++set->clock;
        *place = entry->place;
    }
    pthread_mutex_unlock(&set->mutex);
    if (is_known) return is_found;
    is_found = geo_read(geo, bytes, place);
    pthread_mutex_lock(&set->mutex);
    set_put(set, bytes, is_found, place);
    pthread_mutex_unlock(&set->mutex);
    return is_found;
}

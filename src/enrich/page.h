/* SPDX-License-Identifier: Apache-2.0 */
/* Where an event happened: a page's URL, or an app's route name, in the parts we store. */
#ifndef ENRICH_PAGE_H
#define ENRICH_PAGE_H

#include "base/arena.h"

/*
 * origin + path + query_string + hash is the URL again, so query_string keeps its '?' and hash its '#'. Rules:
 *   origin   lower-case, without user name and default port (http 80, https 443); empty for relative URLs, route names
 *   path     as given, also its trailing slash; "/" when an absolute URL has none
 *   query    empty when there is nothing behind the '?'; hash likewise
 */
struct page {
    struct slice origin;
    struct slice path;
    struct slice query_string;
    struct slice hash;
};
/* Slices point into `url`, or into the arena where a letter had to change. False when the text is no URL (white space
 * inside, bad host or port); then `page` is all empty. */
bool page_from_url(struct arena *arena, struct slice url, struct page *page);
/* The host of an origin, without port. */
struct slice page_host(struct slice origin);

#endif

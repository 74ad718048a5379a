/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar arithmetic without time zones: Unix milliseconds to ISO 8601 text and back. Clocks are in os/clock.h. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include "base/slice.h"

/* "2026-11-21T08:00:00.123Z": 24 characters, no terminator. Years 0000 to 9999. */
#define TIME_TEXT_SIZE 24
void time_format_ms(int64_t unix_ms, char out[TIME_TEXT_SIZE]);
/*
 * ISO 8601 / RFC 3339: date, or date and time with 'T' or ' ', optional seconds and fraction (digits past ms are cut),
 * optional Z or +hh:mm / -hh:mm / +hhmm; no zone means UTC. False for anything else or an impossible date.
 */
bool time_parse_iso8601(struct slice text, int64_t *unix_ms);
/* Days since 1970-01-01 of a proleptic Gregorian date (month 1..12, day 1..31), and back. */
int64_t time_days_from_civil(int year, int month, int day);
void time_civil_from_days(int64_t days, int *year, int *month, int *day);

#endif

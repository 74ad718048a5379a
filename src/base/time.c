/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar arithmetic and ISO 8601. */
#include "base/time.h"

#include "base/error.h"

/* Source of both formulas: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
int64_t time_days_from_civil(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void time_civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static void time_write_digits(char *out, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10) out[i] = (char)('0' + value % 10);
}

void time_format_ms(int64_t unix_ms, char out[TIME_TEXT_SIZE])
{
    int64_t days = unix_ms / 86400000, rest = unix_ms % 86400000;
    if (rest < 0) rest += 86400000, days--;
    int year, month, day;
    time_civil_from_days(days, &year, &month, &day);
    memcpy(out, "0000-00-00T00:00:00.000Z", TIME_TEXT_SIZE);
    time_write_digits(out, year, 4);
    time_write_digits(out + 5, month, 2);
    time_write_digits(out + 8, day, 2);
    time_write_digits(out + 11, (int)(rest / 3600000), 2);
    time_write_digits(out + 14, (int)(rest / 60000 % 60), 2);
    time_write_digits(out + 17, (int)(rest / 1000 % 60), 2);
    time_write_digits(out + 20, (int)(rest % 1000), 3);
}

/* Reads exactly `count` digits from the front. */
static bool time_take_digits(struct slice *text, int count, int *value)
{
    if (text->size < (size_t)count) return false;
    int sum = 0;
    for (int i = 0; i < count; i++) {
        unsigned digit = (unsigned char)text->data[i] - '0';
        if (digit > 9) return false;
        sum = sum * 10 + (int)digit;
    }
    *text = slice_from(*text, (size_t)count);
    *value = sum;
    return true;
}

static bool time_take_byte(struct slice *text, char byte)
{
    if (text->size == 0 || text->data[0] != byte) return false;
    *text = slice_from(*text, 1);
    return true;
}

static bool time_parse_zone(struct slice text, int64_t *offset_ms)
{
    *offset_ms = 0;
    if (text.size == 0 || (text.size == 1 && (text.data[0] == 'Z' || text.data[0] == 'z'))) return true;
    int sign = text.data[0] == '-' ? -1 : 1, hours, minutes;
    if (!time_take_byte(&text, '+') && !time_take_byte(&text, '-')) return false;
    if (!time_take_digits(&text, 2, &hours)) return false;
    time_take_byte(&text, ':');
    if (!time_take_digits(&text, 2, &minutes) || text.size || hours > 23 || minutes > 59) return false;
    *offset_ms = sign * (hours * 60 + minutes) * 60000LL;
    return true;
}

bool time_parse_iso8601(struct slice text, int64_t *unix_ms)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day, hour = 0, minute = 0, second = 0, millisecond = 0;
    if (!time_take_digits(&text, 4, &year) || !time_take_byte(&text, '-') || !time_take_digits(&text, 2, &month) ||
        !time_take_byte(&text, '-') || !time_take_digits(&text, 2, &day))
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1 || day > month_days[month - 1] || (month == 2 && day == 29 && !leap)) return false;
    int64_t offset_ms = 0;
    if (text.size) {
        if (!time_take_byte(&text, 'T') && !time_take_byte(&text, 't') && !time_take_byte(&text, ' ')) return false;
        if (!time_take_digits(&text, 2, &hour) || !time_take_byte(&text, ':') || !time_take_digits(&text, 2, &minute)) return false;
        if (time_take_byte(&text, ':')) {
            if (!time_take_digits(&text, 2, &second)) return false;
            if (time_take_byte(&text, '.') || time_take_byte(&text, ',')) {
                int digits = 0;
                for (int digit; time_take_digits(&text, 1, &digit); digits++)
                    if (digits < 3) millisecond = millisecond * 10 + digit;
                if (digits == 0) return false;
                for (; digits < 3; digits++) millisecond *= 10;
            }
        }
        if (hour > 23 || minute > 59 || second > 60 || !time_parse_zone(text, &offset_ms)) return false;
        if (second == 60) second = 59; /* a leap second is folded into the one before */
    }
    *unix_ms = time_days_from_civil(year, month, day) * 86400000 + hour * 3600000LL + minute * 60000LL + second * 1000LL +
               millisecond - offset_ms;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* json_number.c -- JSON numbers as integers and doubles.
 *
 * A number may be as long as its text. For a double it is first brought into the form
 * digits * 10^exponent: short ones are then exact in double arithmetic, all others go to strtod
 * without a decimal point, so that no locale matters.
 */
#include "base/json.h"

#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* No double, and no middle between two, has more than 768 significant digits: whatever follows
 * only decides whether the number is a bit above. */
#define DECIMAL_DIGITS_MAX 770u
#define DECIMAL_EXPONENT_MAX ((int64_t)1 << 48) /* far beyond every text's length */

struct decimal {
    int64_t exponent;
    size_t digits_count;
    bool is_negative;
    bool has_more; /* digits other than 0 were left out */
    char digits[DECIMAL_DIGITS_MAX + 1];
};

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

static bool is_number(struct slice raw) {
    return raw.count > 0 && (raw.bytes[0] == '-' || is_digit(raw.bytes[0]));
}

bool json_to_i64(struct slice raw, int64_t min, int64_t max, int64_t *out) {
    return slice_to_i64(json_trim(raw), min, max, out); /* takes neither '.' nor 'e' */
}

static void add_digit(struct decimal *decimal, char digit) {
    if (decimal->digits_count == 0 && digit == '0') return;
    if (decimal->digits_count < DECIMAL_DIGITS_MAX) {
        decimal->digits[decimal->digits_count++] = digit;
        return;
    }
    decimal->exponent++;
    if (digit != '0') decimal->has_more = true;
}

static int64_t read_exponent(struct slice text) {
    bool is_negative = text.count > 0 && text.bytes[0] == '-';
    if (text.count > 0 && !is_digit(text.bytes[0])) text = slice_skip(text, 1);
    int64_t exponent = 0;
    for (size_t i = 0; i < text.count && exponent < DECIMAL_EXPONENT_MAX; i++) {
        exponent = exponent * 10 + (text.bytes[i] - '0');
    }
    return is_negative ? -exponent : exponent;
}

static void read_decimal(struct slice raw, struct decimal *decimal) {
    decimal->is_negative = raw.bytes[0] == '-';
    size_t i = decimal->is_negative ? 1 : 0;
    for (; i < raw.count && is_digit(raw.bytes[i]); i++) {
        add_digit(decimal, raw.bytes[i]);
    }
    if (i < raw.count && raw.bytes[i] == '.') {
        for (i++; i < raw.count && is_digit(raw.bytes[i]); i++) {
            add_digit(decimal, raw.bytes[i]);
            decimal->exponent--;
        }
    }
    if (i < raw.count) decimal->exponent += read_exponent(slice_skip(raw, i + 1));
    if (decimal->has_more) {
        decimal->digits[decimal->digits_count++] = '1';
        decimal->exponent--;
    }
}

/* Up to 15 digits and up to 10^22 are exact doubles, so one operation rounds once: correctly. */
static bool short_to_double(const struct decimal *decimal, double *out) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (decimal->digits_count > 15) return false;
    if (decimal->exponent < -22 || decimal->exponent > 22) return false;
    uint64_t digits = 0;
    for (size_t i = 0; i < decimal->digits_count; i++) {
        digits = digits * 10 + (uint64_t)(decimal->digits[i] - '0');
    }
    *out = decimal->exponent < 0 ? (double)digits / powers[-decimal->exponent]
                                 : (double)digits * powers[decimal->exponent];
    return true;
}

static double long_to_double(const struct decimal *decimal) {
    if (decimal->digits_count == 0) return 0;
    /* Beyond these it is infinite, or zero, with any number of digits. */
    int64_t exponent = decimal->exponent;
    if (exponent > 10000) exponent = 10000;
    if (exponent < -10000) exponent = -10000;
    char text[DECIMAL_DIGITS_MAX + 1 + sizeof "e-10000"];
    snprintf(text, sizeof text, "%.*se%" PRId64, (int)decimal->digits_count, decimal->digits,
             exponent);
    return strtod(text, NULL);
}

bool json_to_double(struct slice raw, double *out) {
    raw = json_trim(raw);
    if (!is_number(raw)) return false;
    struct decimal decimal;
    decimal.exponent = 0; /* the digits need no clearing */
    decimal.digits_count = 0;
    decimal.has_more = false;
    read_decimal(raw, &decimal);
    double value;
    if (!short_to_double(&decimal, &value)) value = long_to_double(&decimal);
    if (value > DBL_MAX) return false;
    *out = decimal.is_negative ? -value : value;
    return true;
}

void json_write_i64(struct buffer *out, int64_t value) {
    char digits[20];
    size_t start = sizeof digits;
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--start] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (value < 0) digits[--start] = '-';
    buffer_append(out, slice_from(digits + start, sizeof digits - start));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The shortest text of a number that reads back equal: the C library has no fast one, that of C++ has. */
#include <charconv>
#include <cstddef>

extern "C" size_t promql_shortest(double value, char *out, size_t size);

/* "1.25e-07" of a finite number, without a zero behind; how many bytes, 0 when there is no room. */
extern "C" size_t promql_shortest(double value, char *out, size_t size)
{
    auto result = std::to_chars(out, out + size, value, std::chars_format::scientific);
    return result.ec == std::errc() ? static_cast<size_t>(result.ptr - out) : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any text is read within limits or refused with a place; what is read has a finite value, twice the same. */
#include <math.h>

#include "domains/analytics/ask/chart/formula.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct chart_formula formula;
    double values[CHART_LETTERS];
    struct error error = {0};
    if (chart_formula_read(slice_make(data, size), &formula, &error)) {
        ASSERT(error.code == ERROR_INVALID && error.message[0]);
        return 0;
    }
    ASSERT(size <= CHART_FORMULA_LIMIT && formula.step_count > 0 && formula.letters < 1u << CHART_LETTERS);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < CHART_LETTERS; i++) values[i] = round == 0 ? 0 : round == 1 ? i - 12.25 : ldexp(1, i * 40);
        double value = chart_formula_value(&formula, values);
        ASSERT(isfinite(value) && value == chart_formula_value(&formula, values));
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SysTick as a counter of core clocks: 24 bits; optional on a Cortex-M0 and M0+, on all others
 * there. */

#ifndef COUNTER_H
#define COUNTER_H

#include <stdint.h>

#define COUNTER_NAME "systick"

#define SYSTICK_CTRL (*(volatile uint32_t *)0xE000E010u)
#define SYSTICK_LOAD (*(volatile uint32_t *)0xE000E014u)
#define SYSTICK_VAL (*(volatile uint32_t *)0xE000E018u)
#define SYSTICK_MASK 0x00FFFFFFu
#define SYSTICK_STOP 4u /* core clock */
#define SYSTICK_RUN 7u  /* core clock, interrupt at a wrap, enable */

static volatile uint32_t systick_wraps;

static inline void counter_wrapped(void) { ++systick_wraps; }

static inline void counter_start(void) {
    systick_wraps = 0u;
    SYSTICK_CTRL = SYSTICK_STOP; /* keeps the clock: QEMU rescales the count when it changes */
    SYSTICK_LOAD = SYSTICK_MASK;
    SYSTICK_VAL = 0u; /* counts down from LOAD after the next tick */
    SYSTICK_CTRL = SYSTICK_RUN;
}

static inline uint32_t counter_stop(void) {
    SYSTICK_CTRL = SYSTICK_STOP;
    return (systick_wraps << 24) + ((0u - SYSTICK_VAL) & SYSTICK_MASK);
}

#endif
